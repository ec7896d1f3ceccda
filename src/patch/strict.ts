/**
 * The original's semantics, for comparison and for who relies on them: the first match wins, one operation after the other, and a
 * late failure leaves what was done before it. The agent's tools never use this; they use apply.ts.
 */
import { unreachable } from "../failure.ts";
import type { Files, FileEdit } from "./apply.ts";
import { foldLine, PASSES } from "./fold.ts";
import { PatchError, type ChunkLine } from "./patch.ts";
import type { StrictChunk, StrictHunk } from "./strict-parse.ts";

export type StrictRun = {
  /** What to write, also when it failed: what came before the failure. */
  readonly edits: readonly FileEdit[];
  /** The summary, or why it failed. */
  readonly message: string;
  readonly isDone: boolean;
};

export function strictPathsOf(hunks: readonly StrictHunk[]): readonly string[] {
  return [
    ...new Set(
      hunks.flatMap((hunk) =>
        hunk.kind === "update" && hunk.moveTo !== null ? [hunk.path, hunk.moveTo] : [hunk.path],
      ),
    ),
  ];
}

export function runStrict(hunks: readonly StrictHunk[], files: Files): StrictRun {
  const texts = new Map(files);
  const summary: Summary = { A: [], M: [], D: [] };
  try {
    if (hunks.length === 0) throw new PatchError("No files were modified.");
    for (const hunk of hunks) runHunk(hunk, texts, summary);
    const told = [...linesFor("A", summary), ...linesFor("M", summary), ...linesFor("D", summary)];
    const message = `Success. Updated the following files:\n${told.join("\n")}`;
    return { edits: editsOf(hunks, files, texts), message, isDone: true };
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    return { edits: editsOf(hunks, files, texts), message: error.message, isDone: false };
  }
}

type Summary = { readonly A: string[]; readonly M: string[]; readonly D: string[] };

function linesFor(letter: keyof Summary, summary: Summary): readonly string[] {
  return summary[letter].map((path) => `${letter} ${path}`);
}

function editsOf(hunks: readonly StrictHunk[], files: Files, texts: Files): readonly FileEdit[] {
  return strictPathsOf(hunks).flatMap((path): readonly FileEdit[] => {
    const text = texts.get(path) ?? null;
    if (text === (files.get(path) ?? null)) return [];
    return text === null ? [{ kind: "delete", path }] : [{ kind: "write", path, text, modeFrom: path, mode: null }];
  });
}

function runHunk(hunk: StrictHunk, texts: Map<string, string | null>, summary: Summary): void {
  const before = texts.get(hunk.path) ?? null;
  switch (hunk.kind) {
    case "add":
      texts.set(hunk.path, hunk.text);
      summary.A.push(hunk.path);
      return;
    case "delete":
      if (before === null) throw new PatchError(`Failed to delete file ${hunk.path}`);
      texts.set(hunk.path, null);
      summary.D.push(hunk.path);
      return;
    case "update": {
      if (before === null)
        throw new PatchError(`Failed to read file to update ${hunk.path}: No such file or directory (os error 2)`);
      texts.set(hunk.moveTo ?? hunk.path, update(before, hunk.chunks, hunk.path));
      if (hunk.moveTo !== null) texts.set(hunk.path, null);
      summary.M.push(hunk.moveTo ?? hunk.path);
      return;
    }
    default:
      unreachable(hunk);
  }
}

/** A line with its ending, "" only for a last line without one. */
type Line = { readonly text: string; readonly ending: string };
type Replacement = { readonly start: number; readonly lines: readonly ChunkLine[] };

/** Every line of the result has an ending: its own, or for new ones the first of the file. */
function update(before: string, chunks: readonly StrictChunk[], path: string): string {
  const lines = [...before.matchAll(/([^\r\n]*)(\r\n|\n|\r|$)/g)]
    .map(([, text = "", ending = ""]): Line => ({ text, ending }))
    .filter(({ text, ending }) => text !== "" || ending !== "");
  const first = lines[0]?.ending || "\n";
  const replacements = locate(lines, chunks, path).toSorted((a, b) => a.start - b.start);
  const result: Line[] = [];
  let at = 0;
  for (const { start, lines: wanted } of replacements) {
    for (; at < start; at++) result.push(lines[at] ?? { text: "", ending: "" });
    for (const { kind, text } of wanted) {
      if (kind === "add") result.push({ text, ending: first });
      else if (kind === "context") result.push(lines[at] ?? { text, ending: first });
      if (kind !== "add") at += 1;
    }
  }
  return [...result, ...lines.slice(at)].map(({ text, ending }) => text + (ending || first)).join("");
}

function locate(lines: readonly Line[], chunks: readonly StrictChunk[], path: string): readonly Replacement[] {
  const texts = lines.map(({ text }) => text);
  let cursor = 0;
  return chunks.map((chunk) => {
    if (chunk.scope !== null) {
      const found = seek(texts, [chunk.scope], { from: cursor, isAtEnd: false });
      if (found === null) throw new PatchError(`Failed to find context '${chunk.scope}' in ${path}`);
      cursor = found + 1;
    }
    const old = oldOf(chunk.lines);
    if (old.length === 0) return { start: lines.length, lines: chunk.lines };
    for (const tried of old.at(-1) === "" ? [chunk.lines, withoutLastBlank(chunk.lines)] : [chunk.lines]) {
      const block = oldOf(tried);
      const start = seek(texts, block, { from: cursor, isAtEnd: chunk.isAtEnd });
      if (start === null) continue;
      cursor = start + block.length;
      return { start, lines: tried };
    }
    throw new PatchError(`Failed to find expected lines in ${path}:\n${old.join("\n")}`);
  });
}

function oldOf(lines: readonly ChunkLine[]): readonly string[] {
  return lines.flatMap(({ kind, text }) => (kind === "add" ? [] : [text]));
}

/** Without the last old line, which is blank, and without the last new one when it is blank, too. */
function withoutLastBlank(lines: readonly ChunkLine[]): readonly ChunkLine[] {
  const at = lines.findLastIndex(({ kind }) => kind !== "add");
  const stays = lines[at]?.kind === "context";
  const rest = stays ? lines.with(at, { kind: "add", text: "", ending: null }) : lines.toSpliced(at, 1);
  const last = rest.findLastIndex(({ kind }) => kind !== "delete");
  const line = rest[last];
  if (line?.text !== "") return rest;
  return line.kind === "add" ? rest.toSpliced(last, 1) : rest.with(last, { kind: "delete", text: "" });
}

type From = { readonly from: number; readonly isAtEnd: boolean };

/** Pass by pass over the whole range; the first hit wins, however many there are. */
function seek(texts: readonly string[], block: readonly string[], { from, isAtEnd }: From): number | null {
  if (block.length === 0) return from;
  const last = texts.length - block.length;
  const start = isAtEnd ? Math.max(from, last) : from;
  for (const pass of PASSES) {
    const wanted = block.map((line) => foldLine(line, pass));
    for (let at = start; at <= last; at++)
      if (wanted.every((line, i) => line === foldLine(texts[at + i] ?? "", pass))) return at;
  }
  return null;
}
