/** V4A as codex's own parser reads it, with its error texts: less forgiving than ours. For `--strict` only. */
import { PatchError, type ChunkLine } from "./patch.ts";

export type StrictChunk = {
  readonly scope: string | null;
  readonly lines: readonly ChunkLine[];
  readonly isAtEnd: boolean;
};

export type StrictHunk =
  | { readonly kind: "add"; readonly path: string; readonly text: string }
  | { readonly kind: "delete"; readonly path: string }
  | {
      readonly kind: "update";
      readonly path: string;
      readonly moveTo: string | null;
      readonly chunks: readonly StrictChunk[];
    };

const ADD = "*** Add File: ";
const DELETE = "*** Delete File: ";
const UPDATE = "*** Update File: ";
const MOVE = "*** Move to: ";
const END_OF_FILE = "*** End of File";

export function parseStrict(text: string): readonly StrictHunk[] {
  const reader = new Reader(linesOf(text));
  const hunks: StrictHunk[] = [];
  while (!reader.isDone) hunks.push(readHunk(reader));
  return hunks;
}

/** Lives for one patch: where in its lines we are. The last line is the End marker and is not read. */
class Reader {
  readonly #lines: readonly string[];
  #at = 1;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  get isDone(): boolean {
    return this.#at >= this.#lines.length - 1;
  }

  /** 1-based, as messages count. */
  get number(): number {
    return this.#at + 1;
  }

  get line(): string {
    return this.#lines[this.#at] ?? "";
  }

  step(): void {
    this.#at += 1;
  }
}

function readHunk(reader: Reader): StrictHunk {
  const header = reader.line.trim();
  const { number } = reader;
  reader.step();
  if (header.startsWith(ADD)) {
    const added: string[] = [];
    for (; !reader.isDone && reader.line.startsWith("+"); reader.step()) added.push(`${reader.line.slice(1)}\n`);
    return { kind: "add", path: header.slice(ADD.length), text: added.join("") };
  }
  if (header.startsWith(DELETE)) return { kind: "delete", path: header.slice(DELETE.length) };
  if (header.startsWith(UPDATE)) return readUpdate(reader, header.slice(UPDATE.length), number);
  const valid = `'${ADD}{path}', '${DELETE}{path}', '${UPDATE}{path}'`;
  throw wrong(number, `'${header}' is not a valid hunk header. Valid hunk headers: ${valid}`);
}

function readUpdate(reader: Reader, path: string, headerNumber: number): StrictHunk {
  const isMove = !reader.isDone && reader.line.trim().startsWith(MOVE);
  const moveTo = isMove ? reader.line.trim().slice(MOVE.length) : null;
  if (isMove) reader.step();
  const chunks: StrictChunk[] = [];
  while (!reader.isDone && !isHeader(reader.line)) {
    const isBlank = chunks.at(-1)?.isAtEnd === true && reader.line.trim() === "";
    if (isBlank) reader.step();
    else chunks.push(readChunk(reader, chunks.length === 0));
  }
  if (chunks.length === 0) throw wrong(headerNumber, `Update file hunk for path '${path}' is empty`);
  return { kind: "update", path, moveTo, chunks };
}

/** Inside an update only what begins its line is a header: an indented one is context. */
function isHeader(line: string): boolean {
  return [ADD, DELETE, UPDATE].some((marker) => line.startsWith(marker));
}

function readChunk(reader: Reader, isFirst: boolean): StrictChunk {
  const scope = readScope(reader.line);
  if (scope !== undefined) reader.step();
  else if (!isFirst)
    throw wrong(reader.number, `Expected update hunk to start with a @@ context marker, got: '${reader.line}'`);
  const lines: ChunkLine[] = [];
  let isAtEnd = false;
  for (; !reader.isDone && !isAtEnd; reader.step()) {
    const { line } = reader;
    if (isHeader(line) || (lines.length > 0 && readScope(line) !== undefined)) break;
    if (line.trimEnd() === END_OF_FILE) isAtEnd = true;
    else lines.push(readLine(line, reader.number));
    if (isAtEnd && lines.length === 0) break;
  }
  if (lines.length === 0) throw wrong(reader.number, "Update hunk does not contain any lines");
  return { scope: scope ?? null, lines, isAtEnd };
}

/** Undefined when it is no `@@` line, null when it names no scope. */
function readScope(line: string): string | null | undefined {
  if (line.trimEnd() === "@@") return null;
  return line.startsWith("@@ ") ? line.slice(3) : undefined;
}

function readLine(line: string, number: number): ChunkLine {
  const text = line.slice(1);
  if (line === "" || line.startsWith(" ")) return { kind: "context", text };
  if (line.startsWith("+")) return { kind: "add", text, ending: null };
  if (line.startsWith("-")) return { kind: "delete", text };
  const must = "Every line should start with ' ' (context line), '+' (added line), or '-' (removed line)";
  throw wrong(number, `Unexpected line found in update hunk: '${line}'. ${must}`);
}

/** With its Begin and End markers; a heredoc around it was needed for gpt-4.1. */
function linesOf(text: string): readonly string[] {
  const lines = text
    .trim()
    .split("\n")
    .map((line) => line.replace(/\r$/, ""));
  const isHeredoc = /^<<(?:EOF|'EOF'|"EOF")$/.test(lines[0] ?? "") && lines.at(-1)?.endsWith("EOF") === true;
  const inner = isHeredoc && lines.length >= 4 ? lines.slice(1, -1) : lines;
  const end = inner.length > 1 ? inner.at(-1) : undefined;
  for (const [line, place, marker] of [
    [inner[0], "first", "*** Begin Patch"],
    [end, "last", "*** End Patch"],
  ] as const)
    if (line?.trim() !== marker)
      throw new PatchError(`Invalid patch: The ${place} line of the patch must be '${marker}'`, 1);
  return inner;
}

function wrong(number: number, message: string): PatchError {
  return new PatchError(`Invalid patch hunk on line ${number}: ${message}`, number);
}
