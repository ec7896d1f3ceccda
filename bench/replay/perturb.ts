/** The ways a model's copy of a text differs from the text. Each spoils about half of the lines that it can. */
import { renderLines, type DiffLine } from "./diff.ts";
import type { Random } from "../../test/patch/random.ts";

export const PERTURBATIONS = [
  "clean",
  "trailing space",
  "tabs for spaces",
  "spaces for tabs",
  "curly quotes",
  "lost blank space",
  "CRLF",
  "dedented",
  "stale context",
] as const;
export type Perturbation = (typeof PERTURBATIONS)[number];

/** Lines of old text lose their bytes; what is added stays as it shall be. */
const LINE_SHARE = 0.5;

export type Spoiling = {
  readonly how: Perturbation;
  readonly random: Random;
  /** The texts that the copy is of, "\n" before, between and behind their lines. */
  readonly texts: readonly string[];
};

/** Null when there is nothing in the text to spoil. */
export function perturbLines(lines: readonly DiffLine[], spoiling: Spoiling): string | null {
  const { how, random } = spoiling;
  const clean = renderLines(lines);
  if (how === "clean") return clean;
  if (how === "CRLF") return clean.replaceAll("\n", "\r\n");
  const spoiled =
    how === "lost blank space"
      ? lines.map((line) => (line.kind === "context" && line.text === "" ? "" : renderLines([line]))).join("\n")
      : renderLines(how === "stale context" ? makeStale(lines, random) : spoilChunks(lines, spoiling));
  return spoiled === clean ? null : spoiled;
}

function spoilChunks(lines: readonly DiffLine[], spoiling: Spoiling): readonly DiffLine[] {
  const first = lines.findIndex(isChunkLine);
  if (first === -1) return lines;
  const length = lines.slice(first).findIndex((line) => !isChunkLine(line));
  const end = length === -1 ? lines.length : first + length;
  const chunk = lines.slice(first, end);
  const spoiled = spoiling.how === "dedented" ? dedentChunk(chunk) : spoilChunk(chunk, spoiling);
  const [cleanOld, spoiledOld] = [chunk, spoiled].map(
    (some) =>
      `\n${some
        .filter(isOld)
        .map(({ text }) => `${text}\n`)
        .join("")}`,
  );
  const kept = isTrueCopy(spoiledOld ?? "", cleanOld ?? "", spoiling.texts) ? chunk : spoiled;
  return [...lines.slice(0, first), ...kept, ...spoilChunks(lines.slice(end), spoiling)];
}

/** Whether a spoiled copy is a true one of another place, trailing space apart: then it asks for another edit, and rightly gets it. */
export function isTrueCopy(spoiled: string, clean: string, texts: readonly string[]): boolean {
  if (texts.some((text) => text.includes(spoiled))) return true;
  const [bare, cleanBare] = [trimLines(spoiled), trimLines(clean)];
  return bare !== cleanBare && texts.some((text) => trimLines(text).includes(bare));
}

function trimLines(text: string): string {
  return text.replace(/[ \t\r]+(?=\n)/g, "");
}

function isChunkLine({ kind, text }: DiffLine): boolean {
  return kind === "meta" ? text.startsWith("\\") : kind !== "scope";
}

function isOld({ kind }: DiffLine): boolean {
  return kind === "context" || kind === "delete";
}

function spoilChunk(chunk: readonly DiffLine[], { how, random }: Spoiling): readonly DiffLine[] {
  return chunk.map((line) =>
    isOld(line) && random.chance(LINE_SHARE) ? { ...line, text: spoilText(line.text, how) } : line,
  );
}

/** One line of old text, without its ending. */
export function spoilText(text: string, how: Perturbation): string {
  switch (how) {
    case "trailing space":
      return `${text} `;
    case "tabs for spaces":
      return text.replace(/^( {4})+/, (indent) => "\t".repeat(indent.length / 4));
    case "spaces for tabs":
      return text.replace(/^\t+/, (indent) => "    ".repeat(indent.length));
    case "curly quotes":
      return text.replace(/'/g, "\u2019").replace(/"([^"]*)"/g, "\u201c$1\u201d");
    case "lost blank space":
      return text.trim() === "" ? "" : text;
    default:
      return text;
  }
}

/** Two spaces or a tab less before every line of a chunk, added ones too: a model that quotes the inside of a block alone. */
function dedentChunk(chunk: readonly DiffLine[]): readonly DiffLine[] {
  const told = chunk.filter(({ kind, text }) => kind !== "meta" && text.trim() !== "");
  const indent = findDedent(told.map(({ text }) => text));
  // A file that is new has no lines to tell how far the others are out.
  if (told.every(({ kind }) => kind === "add")) return chunk;
  return chunk.map((line) => (told.includes(line) ? { ...line, text: line.text.slice(indent.length) } : line));
}

/** What all these lines can lose: a tab or two spaces, else nothing. */
export function findDedent(lines: readonly string[]): string {
  return ["\t", "  "].find((indent) => lines.every((line) => line.startsWith(indent))) ?? "";
}

/** One old line that says something is not what the file has: only a refusal is right. */
function makeStale(lines: readonly DiffLine[], random: Random): readonly DiffLine[] {
  const old = lines.filter((line) => isOld(line) && isTelling(line.text));
  const victim = old[random.below(Math.max(1, old.length))];
  return lines.map((line) => (line === victim ? { ...line, text: makeLineStale(line.text) } : line));
}

export function isTelling(line: string): boolean {
  return /\w{3}/.test(line);
}

export function makeLineStale(line: string): string {
  return line.replace(/\w{3}/, "zqx");
}
