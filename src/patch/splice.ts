/** Placed chunks -> the new text. Context and everything between chunks keeps its own bytes; new lines end as the file's lines do. */
import { reindent } from "./indent.ts";
import { BYTE_ORDER_MARK, lineAt, offsetOf, type Ending, type Lines } from "./lines.ts";
import type { Place } from "./locate.ts";
import { PatchError, type ChunkLine } from "./patch.ts";

export type Spliced = {
  readonly text: string;
  /** 1-based line of the new text where each chunk begins. */
  readonly added: readonly number[];
};

/** Places are in file order and do not overlap. */
export function spliceChunks(lines: Lines, places: readonly Place[], label: string): Spliced {
  const splicer = new Splicer(lines);
  const added: number[] = [];
  let shift = 0;
  for (const place of places) {
    added.push(place.start + shift + 1);
    for (const line of placeAdded(lines, place, label)) {
      splicer.take(line, place);
      if (line.kind === "add") shift += 1;
      if (line.kind === "delete") shift -= 1;
    }
  }
  const text = splicer.finish(places.at(-1));
  return { text: settleMark(lines, places[0], text), added };
}

/** A byte-order mark belongs to no line. A patch that shows it can take it away; one that adds it to a file that has it adds no second. */
function settleMark({ text: before }: Lines, first: Place | undefined, text: string): string {
  if (!before.startsWith(BYTE_ORDER_MARK) || first?.start !== 0) return text;
  const line = text.slice(1);
  if (line.startsWith(BYTE_ORDER_MARK)) return line;
  const [old] = first.lines.filter(({ kind }) => kind !== "add");
  return old?.kind === "delete" && old.text.startsWith(BYTE_ORDER_MARK) ? line : text;
}

/** Lives for one file: offsets into the old text, pieces of the new one. */
class Splicer {
  readonly #lines: Lines;
  readonly #pieces: string[] = [];
  #copied = 0;
  #at = 0;
  #place: Place | null = null;
  /** How the last piece ends when it is an added line. */
  #added: Ending | null = null;

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  take(line: ChunkLine, place: Place): void {
    if (place !== this.#place) this.#at = place.start;
    this.#place = place;
    switch (line.kind) {
      case "context":
        this.#at += 1;
        break;
      case "delete":
        this.#copyTo(offsetOf(this.#lines, this.#at));
        this.#at += 1;
        this.#copied = offsetOf(this.#lines, this.#at);
        break;
      case "add":
        this.#copyTo(offsetOf(this.#lines, this.#at));
        this.#closeLine();
        this.#added = line.ending ?? this.#endingHere(place);
        this.#pieces.push(line.text + this.#added);
        break;
    }
  }

  /** An added last line has a newline when the file's last line had one, unless the patch says otherwise. */
  finish(last: Place | undefined): string {
    const { text, endsWithNewline } = this.#lines;
    if (this.#copied < text.length) this.#copyTo(text.length);
    const result = this.#pieces.join("");
    const wanted = last?.chunk.finalNewline ?? "keep";
    const isOpen = wanted === "keep" ? !endsWithNewline : wanted === "absent";
    return this.#added !== null && isOpen ? result.slice(0, -this.#added.length) : result;
  }

  #copyTo(offset: number): void {
    if (offset <= this.#copied) return;
    this.#pieces.push(this.#lines.text.slice(this.#copied, offset));
    this.#copied = offset;
    this.#added = null;
  }

  /** In a file of mixed endings a new line ends as the line above it in the chunk does, or else the one below. */
  #endingHere({ start }: Place): Ending {
    const { text, starts, ends, ending, isUniform } = this.#lines;
    if (isUniform) return ending;
    const index = this.#at > start ? this.#at - 1 : this.#at;
    const own = text.slice(ends[index] ?? text.length, starts[index + 1] ?? text.length);
    return own === "\n" || own === "\r\n" ? own : ending;
  }

  /** A line added below a last line without newline needs one there. */
  #closeLine(): void {
    const { text, count, endsWithNewline, ending } = this.#lines;
    const last = this.#pieces.at(-1) ?? "";
    const isOpen = !endsWithNewline && count > 0 && this.#copied === text.length && this.#added === null;
    if (isOpen && last !== "" && !/[\n\r]$/.test(last)) this.#pieces.push(ending);
  }
}

/** When old lines only match with another indentation, new lines move by the same amount; what no one rule explains is refused. */
function placeAdded(lines: Lines, place: Place, label: string): readonly ChunkLine[] {
  const isLoose = place.pass === "surrounding-space" || place.pass === "punctuation";
  if (!isLoose || place.lines.every(({ kind }) => kind !== "add")) return place.lines;
  const given = place.lines.filter(({ kind }) => kind !== "add");
  const pairs = given.map(({ text }, i) => ({ given: text, actual: lineAt(lines, place.start + i) }));
  const fresh = place.lines.flatMap(({ kind, text }) => (kind === "add" ? [text] : []));
  const moved = reindent(pairs, fresh)?.values();
  if (moved)
    return place.lines.map((line) => (line.kind === "add" ? { ...line, text: moved.next().value ?? "" } : line));
  const { patchLine } = place.chunk;
  const message = `${label}, patch line ${patchLine}: the old lines match at line ${place.start + 1} only with another indentation, and not by one rule that tells how deep the new lines are.`;
  throw new PatchError(`${message} Copy them as the file has them, and indent the new lines alike.`, patchLine);
}
