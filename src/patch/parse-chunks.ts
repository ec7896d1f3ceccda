/** The body of an update -> chunks. Line-based and forgiving about what models drop: the first `@@`, the space of an empty line. */
import { PatchError, type Chunk, type ChunkLine, type FinalNewline } from "./patch.ts";
import type { PatchLine } from "./patch-lines.ts";

const END_OF_FILE = "*** End of File";
/** `@@ -12,3 +12,4 @@ anything`: git's header. What follows is git's guess at a scope, cut at 80 characters, so it is not used. */
const UNIFIED = /^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@/;

/** `tellsEndings`: each added line ends as it does in the patch, not as the file does. */
export function readChunks(body: readonly PatchLine[], tellsEndings: boolean): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let at = skipBlank(body, 0);
  while (at < body.length) {
    const { chunk, next } = readChunk(body, at, tellsEndings);
    if (chunk.lines.some(({ kind, text }) => kind !== "context" || text.trim() !== "")) chunks.push(chunk);
    else if (chunk.scopes.length > 0 || (chunk.lines.length === 0 && next < body.length))
      throw new PatchError(`Patch line ${chunk.patchLine}: the chunk has no lines.`, chunk.patchLine);
    at = chunk.isAtEnd ? skipBlank(body, next) : next;
    const line = body[at];
    if (chunk.isAtEnd && line && !line.text.startsWith("@@"))
      throw new PatchError(
        `Patch line ${line.number}: expected "@@" after "${END_OF_FILE}", got "${line.text}".`,
        line.number,
      );
  }
  return chunks;
}

type Read = { readonly chunk: Chunk; readonly next: number };

function readChunk(body: readonly PatchLine[], from: number, tellsEndings: boolean): Read {
  const scopes: string[] = [];
  const lines: ChunkLine[] = [];
  let lineHint: number | null = null;
  let isAtEnd = false;
  let finalNewline: FinalNewline = "keep";
  let at = from;
  for (; at < body.length && body[at]?.text.startsWith("@@"); at++) {
    const header = body[at]?.text ?? "";
    const unified = UNIFIED.exec(header);
    if (unified) lineHint = Number(unified[1]);
    else scopes.push(...readScope(header));
  }
  for (; at < body.length && !isAtEnd; at++) {
    const line = body[at];
    if (!line || line.text.startsWith("@@")) break;
    if (line.text.trimEnd() === END_OF_FILE) isAtEnd = true;
    else if (line.text.startsWith("\\ No newline")) {
      finalNewline = readFinalNewline(finalNewline, lines);
      if (!line.hasReturn && body[at - 1]?.hasReturn === true) keepReturn(lines);
    } else {
      lines.push(readLine(line, tellsEndings));
      if (finalNewline === "absent" && lines.at(-1)?.kind === "add") finalNewline = "present";
    }
  }
  const chunk = { patchLine: body[from]?.number ?? 1, scopes, lineHint, lines, isAtEnd, finalNewline };
  return { chunk, next: at };
}

/** `@@`, `@@ text`, and the shapes models add: `@@ text @@`, and `@@ ...` for "somewhere below". */
function readScope(header: string): readonly string[] {
  const text = header
    .slice(2)
    .replace(/^ /, "")
    .replace(/\s*@@\s*$/, "");
  return text.trim() === "" || /^(\.{3}|…)$/.test(text.trim()) ? [] : [text];
}

function readLine(line: PatchLine, tellsEndings: boolean): ChunkLine {
  const text = line.text.slice(1);
  switch (line.text[0]) {
    case undefined:
      return { kind: "context", text: "" };
    case " ":
      return { kind: "context", text };
    case "+":
      return { kind: "add", text, ending: tellsEndings ? (line.hasReturn ? "\r\n" : "\n") : null };
    case "-":
      return { kind: "delete", text };
    default:
      throw new PatchError(
        `Patch line ${line.number}: unexpected "${line.text}". Start each line with " " (context), "+" (added) or "-" (deleted).`,
        line.number,
      );
  }
}

/** Where no newline follows, a "\r" at the end is a character of the line and no half of its ending. */
function keepReturn(lines: ChunkLine[]): void {
  const last = lines.pop();
  if (last) lines.push({ ...last, text: `${last.text}\r` });
}

/** After an added or a context line the new file has no newline at its end; after a deleted one only the old file had none. */
function readFinalNewline(before: FinalNewline, lines: readonly ChunkLine[]): FinalNewline {
  if (lines.at(-1)?.kind === "delete") return before === "keep" ? "present" : before;
  return "absent";
}

function skipBlank(body: readonly PatchLine[], from: number): number {
  let at = from;
  while (at < body.length && body[at]?.text.trim() === "") at += 1;
  return at;
}
