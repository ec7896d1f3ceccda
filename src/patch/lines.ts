/** A text as lines by offset, so that an edit can splice the text and leave every untouched byte alone. */

export type Ending = "\n" | "\r\n" | "\r";

export type Lines = {
  readonly text: string;
  readonly count: number;
  /** Offset of each line's first character; a byte-order mark belongs to no line. */
  readonly starts: readonly number[];
  /** Offset after each line's last character, before its ending. */
  readonly ends: readonly number[];
  /** The commonest ending of the text, the first one on a tie, "\n" when there is none. */
  readonly ending: Ending;
  /** Whether every ending is the same one. */
  readonly isUniform: boolean;
  /** True for an empty text too: what is added to it ends like any line. */
  readonly endsWithNewline: boolean;
};

export const BYTE_ORDER_MARK = "\uFEFF";

/** A lone "\r" ends a line only in a text without "\n" (old Mac files); elsewhere it is a character of its line. */
export function readLines(text: string): Lines {
  const starts: number[] = [];
  const ends: number[] = [];
  const separator = lineBreakOf(text);
  let crlf = 0;
  let first: Ending | null = null;
  let at = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
  let endsWithNewline = at === text.length;
  while (at < text.length) {
    const found = text.indexOf(separator, at);
    starts.push(at);
    if (found === -1) {
      ends.push(text.length);
      break;
    }
    const isCrlf = separator === "\n" && found > at && text[found - 1] === "\r";
    ends.push(isCrlf ? found - 1 : found);
    if (isCrlf) crlf += 1;
    first ??= isCrlf ? "\r\n" : separator;
    at = found + 1;
    endsWithNewline = at === text.length;
  }
  const others = starts.length - crlf - (endsWithNewline ? 0 : 1);
  const ending = crlf === others ? (first ?? "\n") : crlf > others ? "\r\n" : first === null ? "\n" : separator;
  const isUniform = crlf === 0 || others <= 0;
  return { text, count: starts.length, starts, ends, ending, isUniform, endsWithNewline };
}

/** What ends its lines, a "\r" before "\n" apart. */
export function lineBreakOf(text: string): "\n" | "\r" {
  return text.includes("\n") ? "\n" : "\r";
}

/** The line without its ending; "" past the end. */
export function lineAt(lines: Lines, index: number): string {
  return lines.text.slice(lines.starts[index] ?? lines.text.length, lines.ends[index] ?? lines.text.length);
}

/** Where line `index` begins; the end of the text past the last line. */
export function offsetOf(lines: Lines, index: number): number {
  return lines.starts[index] ?? lines.text.length;
}

/** 0-based index of the line that holds an offset. */
export function lineOfOffset(lines: Lines, offset: number): number {
  let low = 0;
  let high = lines.count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (offsetOf(lines, middle) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Numbered like `cat -n`; lines `from` to `to` (0-based, `to` exclusive), clamped to the text. */
export function numberLines(lines: Lines, from: number, to: number): string {
  const shown: string[] = [];
  for (let i = Math.max(0, from); i < Math.min(lines.count, to); i++) shown.push(numbered(i + 1, lineAt(lines, i)));
  return shown.join("\n");
}

/** Longer lines are minified code or data; their head says enough. */
const LINE_CHARS_MAX = 2000;

function numbered(number: number, line: string): string {
  const more = line.length - LINE_CHARS_MAX;
  const text = more > 0 ? `${line.slice(0, LINE_CHARS_MAX)} [… ${more} more characters]` : line;
  return `${String(number).padStart(6)}\t${text}`;
}
