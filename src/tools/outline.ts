/**
 * Where a file's functions and classes are. Text in, names and line ranges out: parsing happens in WebAssembly on the host, bounded
 * in size and time, and the grammars are loaded when a file first needs them.
 */
import { createRequire } from "node:module";
import type { Language, Parser } from "web-tree-sitter";
import { grammarOf, type Grammar } from "./outline-grammars.ts";
import { readOutlineLines } from "./outline-lines.ts";
import { readTree } from "./outline-tree.ts";

export type Symbol = {
  /** With what holds it: "Class.method". */
  readonly name: string;
  readonly depth: number;
  /** 1-based, decorators and `export` included. */
  readonly first: number;
  readonly last: number;
  /** The line that holds the name. */
  readonly line: number;
};

export type Outline =
  | { readonly kind: "outline"; readonly symbols: readonly Symbol[]; readonly isGuess: boolean }
  | { readonly kind: "none"; readonly why: string };

/** A syntax tree is some thirty times its text. */
const TEXT_BYTES_MAX = 1024 * 1024;
/** The worker does nothing else meanwhile; a megabyte of code takes about 0.7 s. */
const PARSE_MS_MAX = 2000;

/** WebAssembly memory is never given back, so each grammar is loaded once for the process and not once for a run. */
const loading = new Map<string, Promise<Language>>();

export async function readOutline(path: string, text: string): Promise<Outline> {
  if (Buffer.byteLength(text) > TEXT_BYTES_MAX) return { kind: "none", why: "it has more than 1 MiB; use search" };
  const grammar = grammarOf(path);
  const symbols = grammar && (await parse(grammar, text));
  if (symbols) return { kind: "outline", symbols, isGuess: false };
  return { kind: "outline", symbols: readOutlineLines(path, text), isGuess: true };
}

/** By full name, or by its last parts; "Class::method" and "Class#method" are understood. */
export function findSymbols(symbols: readonly Symbol[], asked: string): readonly Symbol[] {
  const wanted = asked
    .trim()
    .replace(/\(.*$/, "")
    .replace(/::|->|#/g, ".");
  const exact = symbols.filter(({ name }) => name === wanted);
  return exact.length > 0 ? exact : symbols.filter(({ name }) => name.endsWith(`.${wanted}`));
}

/** Null when parsing was given up. */
async function parse(grammar: Grammar, text: string): Promise<readonly Symbol[] | null> {
  const { Parser: Parsing } = await import("web-tree-sitter");
  const language = await load(grammar.wasm);
  const parser: Parser = new Parsing();
  try {
    parser.setLanguage(language);
    const endsAt = performance.now() + PARSE_MS_MAX;
    const tree = parser.parse(text, null, { progressCallback: () => performance.now() > endsAt });
    if (!tree) return null;
    try {
      return readTree(tree, grammar);
    } finally {
      tree.delete();
    }
  } finally {
    parser.delete();
  }
}

function load(wasm: string): Promise<Language> {
  const known = loading.get(wasm);
  if (known) return known;
  const started = loadNow(wasm);
  loading.set(wasm, started);
  return started;
}

async function loadNow(wasm: string): Promise<Language> {
  const { Language: Languages, Parser: Parsing } = await import("web-tree-sitter");
  await Parsing.init();
  const { resolve } = createRequire(import.meta.url);
  return Languages.load(resolve(`@vscode/tree-sitter-wasm/wasm/tree-sitter-${wasm}.wasm`));
}
