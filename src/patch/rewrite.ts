/**
 * Lines as a call quotes them, as the file has them, and as they shall be -> the file's lines, changed. Where the call changes nothing
 * the file keeps its bytes. Where quotation and file disagree on a line that changes, the new line decides if it agrees with the
 * file; else both could be meant, and nothing is written.
 */
import { foldPunctuation } from "./fold.ts";
import { indentOf } from "./indent.ts";

/** A line of the file and what ends it: "" for the last one of the region. */
export type OwnLine = { readonly text: string; readonly ending: string };

export type Quotation = {
  readonly given: readonly string[];
  /** As many as given ones, alike but for what the search has forgiven. */
  readonly own: readonly OwnLine[];
  readonly fresh: readonly string[];
  /** Ends new lines where no neighbour tells. */
  readonly ending: string;
  /** New lines, indented as the file is; null when that is open. */
  readonly move: (fresh: readonly string[]) => readonly string[] | null;
};

export type Rewritten =
  | { readonly kind: "text"; readonly text: string }
  /** `line` is the index of the old line that differs. */
  | { readonly kind: "open"; readonly line: number };

export function rewrite({ given, own, fresh, ending, move }: Quotation): Rewritten {
  const ends = findSharedEnds(given, fresh);
  const { head, tail } = ends;
  const twin = findTwin({ given, own, fresh }, ends);
  if (twin !== null) return { kind: "open", line: twin };
  const old = own.slice(head, own.length - tail);
  const moved = move(fresh.slice(head, fresh.length - tail));
  if (moved === null) return { kind: "open", line: head };
  const pairs = old.map(({ text }, i) => ({ given: withIndent(given[head + i] ?? "", text), actual: text }));
  const isPaired = pairs.length === moved.length;
  const middle: OwnLine[] = [];
  for (const [i, line] of moved.entries()) {
    let text = line;
    for (const [j, pair] of pairs.entries()) {
      if (isPaired && i !== j) continue;
      const settled = settleLine(pair, text, isPaired);
      if (settled === null) return { kind: "open", line: head + j };
      text = settled;
    }
    middle.push({ text, ending: old[i]?.ending ?? "" });
  }
  return { kind: "text", text: join([...own.slice(0, head), ...middle, ...own.slice(own.length - tail)], ending) };
}

type SharedEnds = { readonly head: number; readonly tail: number };

/** How many lines both begin and end with. What stands below their last newline is no line, so it is the end of both. */
function findSharedEnds(a: readonly string[], b: readonly string[]): SharedEnds {
  const most = Math.min(a.length, b.length);
  let tail = a.at(-1) === "" && b.at(-1) === "" ? 1 : 0;
  let head = 0;
  while (head < most - tail && a[head] === b[head]) head += 1;
  while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  return { head, tail };
}

/**
 * Of lines that the call calls equal, which one goes, or before which one the new one stands: all the same when the file's own are equal
 * too. The index of a line that is not, else null.
 */
function findTwin({ given, own, fresh }: Pick<Quotation, "given" | "own" | "fresh">, { head, tail }: SharedEnds) {
  const [oldEnd, freshEnd] = [given.length - tail, fresh.length - tail];
  if (given.length === fresh.length || (oldEnd > head && freshEnd > head)) return null;
  for (let at = head - 1, back = 1; at >= 0 && given[oldEnd - back] === fresh[freshEnd - back]; at -= 1, back += 1) {
    const [one, other] = [own[at], own[oldEnd - back]];
    const isOther = one?.text !== (freshEnd === head ? other?.text : given[at]) || one?.ending !== other?.ending;
    if (isOther) return at;
  }
  return null;
}

function withIndent(line: string, like: string): string {
  return indentOf(like) + line.slice(indentOf(line).length);
}

type Pair = { readonly given: string; readonly actual: string };

/** The new line with the file's own punctuation where it says what the quotation says; null where it is open. */
function settleLine({ given, actual }: Pair, line: string, isPaired: boolean): string | null {
  if (given === actual || given.trim() === "" || line.trim() === "") return line;
  const [old, own, fresh] = [given.trimEnd(), actual.trimEnd(), line.trimEnd()];
  const space = line.slice(fresh.length);
  const ownSpace = actual.slice(own.length);
  if (given.slice(old.length) !== ownSpace && space !== ownSpace) return null;
  const shared = isPaired ? findSharedEnds([...old], [...fresh]) : { head: 0, tail: 0 };
  const [oldEnd, freshEnd] = [old.length - shared.tail, fresh.length - shared.tail];
  for (let i = 0; i < old.length; i++) {
    if (old[i] === own[i]) continue;
    const isKept = i < shared.head || i >= oldEnd;
    // Typed plainly for what the file has: it stays the file's. The other way round the new line may mean what it says.
    if (isKept && !isAscii(old[i] ?? "")) return null;
    if (!isKept && mentionsAnother(fresh.slice(shared.head, freshEnd), own[i] ?? "")) return null;
  }
  return own.slice(0, shared.head) + fresh.slice(shared.head, freshEnd) + own.slice(oldEnd) + space;
}

function isAscii(char: string): boolean {
  return char <= "\u007f";
}

/** Whether the text has a character that is read as the same one and is not. */
function mentionsAnother(text: string, char: string): boolean {
  const plain = foldPunctuation(char);
  return [...text].some((one) => one !== char && foldPunctuation(one) === plain);
}

/** A new line ends as the line it stands for, else as the one above it. */
function join(lines: readonly OwnLine[], ending: string): string {
  let above = lines.find((line) => line.ending !== "")?.ending ?? ending;
  return lines
    .map((line, i) => {
      above = line.ending || above;
      return i === lines.length - 1 ? line.text : line.text + above;
    })
    .join("");
}
