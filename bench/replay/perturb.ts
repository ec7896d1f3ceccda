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

/** Null when there is nothing in the text to spoil. */
export function perturbLines(lines: readonly DiffLine[], how: Perturbation, random: Random): string | null {
  const clean = renderLines(lines);
  const spoiled = spoilLines(lines, how, random);
  return how === "clean" ? clean : spoiled === clean ? null : spoiled;
}

function spoilLines(lines: readonly DiffLine[], how: Perturbation, random: Random): string {
  if (how === "CRLF") return renderLines(lines).replaceAll("\n", "\r\n");
  if (how === "lost blank space")
    return lines.map((line) => (line.kind === "context" && line.text === "" ? "" : renderLines([line]))).join("\n");
  if (how === "dedented") return renderLines(dedent(lines));
  if (how === "stale context") return renderLines(stale(lines, random));
  return renderLines(
    lines.map((line) => {
      const isOld = line.kind === "context" || line.kind === "delete";
      return isOld && random.chance(LINE_SHARE) ? { ...line, text: spoilText(line.text, how) } : line;
    }),
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
    default:
      return text;
  }
}

/** Two spaces or a tab less before every line of a chunk, added ones too: a model that quotes the inside of a block alone. */
function dedent(lines: readonly DiffLine[]): readonly DiffLine[] {
  const isChunkLine = ({ kind }: DiffLine) => kind !== "meta" && kind !== "scope";
  const first = lines.findIndex(isChunkLine);
  if (first === -1) return lines;
  const length = lines.slice(first).findIndex((line) => !isChunkLine(line));
  const end = length === -1 ? lines.length : first + length;
  return [...lines.slice(0, first), ...dedentChunk(lines.slice(first, end)), ...dedent(lines.slice(end))];
}

function dedentChunk(lines: readonly DiffLine[]): readonly DiffLine[] {
  const told = lines.filter(({ text }) => text.trim() !== "");
  const indent = told.every(({ text }) => text.startsWith("\t")) ? "\t" : "  ";
  // A file that is new has no lines to tell how far the others are out.
  if (told.every(({ kind }) => kind === "add") || !told.every(({ text }) => text.startsWith(indent))) return lines;
  return lines.map((line) => (told.includes(line) ? { ...line, text: line.text.slice(indent.length) } : line));
}

/** One old line that says something is not what the file has: only a refusal is right. */
function stale(lines: readonly DiffLine[], random: Random): readonly DiffLine[] {
  const old = lines.filter(({ kind, text }) => (kind === "context" || kind === "delete") && /\w{3}/.test(text));
  const victim = old[random.below(Math.max(1, old.length))];
  return lines.map((line) => (line === victim ? { ...line, text: line.text.replace(/\w{3}/, "zqx") } : line));
}
