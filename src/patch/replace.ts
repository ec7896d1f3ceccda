/**
 * Exact string replacement with a ladder of lenient steps below it. Each step is unique or refused; a lenient hit changes only the
 * bytes where old and new differ; the new text is literal (a `$` is a dollar).
 */
import { foldLine, foldPunctuation } from "./fold.ts";
import { foldText, type FoldStep } from "./fold-text.ts";
import { findShift } from "./indent.ts";
import { lineAt, lineOfOffset, offsetOf, readLines, type Lines } from "./lines.ts";
import { openMatcher } from "./matcher.ts";
import { NEAREST_MAX, renderNearest, renderPlaces } from "./nearest.ts";
import { PatchError } from "./patch.ts";

/** How the old text was found. */
export type Step = "exact" | "line-endings" | "trailing-space" | "punctuation" | "indentation";

export type Replacement = {
  readonly text: string;
  readonly step: Step;
  /** 1-based line of the old text where each replaced place begins. */
  readonly lines: readonly number[];
};

export type Replace = {
  readonly oldText: string;
  readonly newText: string;
  /** Otherwise exactly one place must match. */
  readonly isAll: boolean;
};

/** One piece to cut out of the file and what goes there. */
type Splice = { readonly start: number; readonly end: number; readonly insert: string };

export function replaceText(text: string, wanted: Replace): Replacement {
  if (wanted.oldText === "")
    throw new PatchError("old_str is empty. Give the text to replace; to add lines use insert.");
  if (wanted.oldText === wanted.newText)
    throw new PatchError("old_str and new_str are the same, so nothing would change.");
  const lines = readLines(text);
  const rungs: readonly (readonly [Step, () => readonly Splice[]])[] = [
    ["exact", () => findExact(lines, wanted)],
    ["line-endings", () => findFolded(lines, wanted, "line-endings")],
    ["trailing-space", () => findFolded(lines, wanted, "trailing-space")],
    ["punctuation", () => findFolded(lines, wanted, "punctuation")],
    ["indentation", () => findIndented(lines, wanted)],
  ];
  for (const [step, find] of rungs) {
    const splices = find();
    if (splices.length === 0) continue;
    const numbers = splices.map(({ start }) => lineOfOffset(lines, start) + 1);
    if (splices.length > 1 && !wanted.isAll) throw ambiguous(lines, wanted.oldText, numbers);
    return { text: splice(text, splices), step, lines: numbers };
  }
  throw notFound(lines, wanted.oldText);
}

/** What a step forgave, for the observation; null for an exact match. */
export function describeStep(step: Step): string | null {
  switch (step) {
    case "exact":
      return null;
    case "line-endings":
      return "matched after ignoring the kind of line ending";
    case "trailing-space":
      return "matched after ignoring trailing space";
    case "punctuation":
      return "matched after reading Unicode punctuation as ASCII";
    case "indentation":
      return "matched with another indentation; new_str was re-indented alike";
  }
}

function findExact(lines: Lines, { oldText, newText, isAll }: Replace): readonly Splice[] {
  // Old text with a line ending in it says which one it means; without, new lines follow the file.
  const follows = !/[\r\n]/.test(oldText) && lines.isUniform;
  const insert = follows ? newText.replace(/\r?\n/g, lines.ending) : newText;
  const hits = occurrences(lines.text, oldText, isAll).filter(
    (start) => !splitsEnding(lines.text, start, oldText.length),
  );
  return hits.map((start) => ({ start, end: start + oldText.length, insert }));
}

/** A hit that begins or ends inside "\r\n" would leave half a line ending; the next step takes the whole. */
function splitsEnding(text: string, start: number, length: number): boolean {
  return [start, start + length].some((offset) => text[offset] === "\n" && text[offset - 1] === "\r");
}

/** More places than this are as ambiguous as this many. */
const AMBIGUOUS_MAX = 1000;

/** Overlapping ones count when the place must be unique, and cannot all be replaced. */
function occurrences(text: string, wanted: string, isAll: boolean): readonly number[] {
  const starts: number[] = [];
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + (isAll ? wanted.length : 1))) {
    starts.push(at);
    if (!isAll && starts.length === AMBIGUOUS_MAX) break;
  }
  return starts;
}

function findFolded({ text, ending }: Lines, { oldText, newText, isAll }: Replace, step: FoldStep): readonly Splice[] {
  const [before, after] = [toLf(oldText), toLf(newText)];
  const folded = foldText(text, step);
  const wanted = foldText(before, step);
  if (wanted.text === "") return [];
  const { head, tail } = sharedEnds(before, after, wanted.toFolded);
  const last = before.length - tail;
  // Old text that ends in space which is folded away: the file's own space there goes with it.
  const endsInSpace = last > head && wanted.toFolded(last) === wanted.toFolded(last - 1);
  return occurrences(folded.text, wanted.text, isAll).map((at) => {
    const from = at + wanted.toFolded(head);
    const to = at + wanted.toFolded(last);
    // Behind what stays, so that trailing space the file has there is not caught between old and new.
    const start = folded.toOriginal(from, from > at ? "end" : "start");
    const end = endsInSpace ? folded.toOriginal(to, "start") : from === to ? start : folded.toOriginal(to, "end");
    const own = /\r\n|\n|\r/.exec(text.slice(folded.toOriginal(at, "start"), end))?.[0] ?? ending;
    return { start, end, insert: after.slice(head, after.length - tail).replaceAll("\n", own) };
  });
}

/** How much old and new text have in common at their ends: those bytes stay the file's own. */
function sharedEnds(
  before: string,
  after: string,
  toFolded: (offset: number) => number,
): { readonly head: number; readonly tail: number } {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head += 1;
  // Trailing space of the old text may be a space between words of the new one; the file need not have it.
  while (head > 0 && toFolded(head) === toFolded(head - 1)) head -= 1;
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  return { head, tail };
}

/** Whole lines that are the same but for one uniform shift of indentation; the new lines are shifted alike. */
function findIndented(lines: Lines, { oldText, newText, isAll }: Replace): readonly Splice[] {
  const closed = oldText.endsWith("\n");
  const block = toLf(oldText)
    .split("\n")
    .slice(0, closed ? -1 : undefined);
  if (block.every((line) => line.trim() === "")) return [];
  const starts = openMatcher(lines).find(block, { from: 0, to: lines.count }, { pass: "punctuation" });
  const fresh = toLf(newText).split("\n");
  let free = 0;
  return starts.flatMap((start) => {
    if (isAll && start < free) return [];
    const shift = findShift(block.map((given, i) => ({ given, actual: lineAt(lines, start + i) })));
    const known = { lines, start, block };
    const later = block.length + (closed ? 1 : 0) - fresh.length;
    const shifted = fresh.map(
      (line, i) => keepOwn(known, line, i) ?? keepOwn(known, line, i + later) ?? shift?.(line) ?? null,
    );
    if (shifted.some((line) => line === null)) return [];
    free = start + block.length;
    const end = closed ? offsetOf(lines, free) : (lines.ends[free - 1] ?? lines.text.length);
    return { start: offsetOf(lines, start), end, insert: shifted.join(lines.ending) };
  });
}

type Block = { readonly lines: Lines; readonly start: number; readonly block: readonly string[] };

/** A line that old and new text share at the same place, counted from either end, keeps the file's bytes. */
function keepOwn({ lines, start, block }: Block, line: string, index: number): string | null {
  const isSame =
    line === block[index] && foldLine(line, "punctuation") === foldPunctuation(lineAt(lines, start + index)).trim();
  return isSame ? lineAt(lines, start + index) : null;
}

function splice(text: string, splices: readonly Splice[]): string {
  const pieces: string[] = [];
  let at = 0;
  for (const { start, end, insert } of splices) {
    pieces.push(text.slice(at, start), insert);
    at = end;
  }
  return pieces.join("") + text.slice(at);
}

function toLf(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

function ambiguous(lines: Lines, oldText: string, numbers: readonly number[]): PatchError {
  const shown = renderPlaces(
    lines,
    [...new Set(numbers)].slice(0, NEAREST_MAX).map((number) => number - 1),
    toLf(oldText).split("\n").length,
  );
  const more = numbers.length > 20 ? " …" : "";
  const count = numbers.length < AMBIGUOUS_MAX ? numbers.length : `at least ${AMBIGUOUS_MAX}`;
  const where = `No replacement was made: old_str matches ${count} places, at lines ${numbers.slice(0, 20).join(", ")}${more}.`;
  return new PatchError(`${where}\n${shown}\nAdd lines around it until it is unique, or set replace_all.`);
}

function notFound(lines: Lines, oldText: string): PatchError {
  const nearest = renderNearest(lines, toLf(oldText).split("\n"));
  return new PatchError(
    `No replacement was made: old_str is not in the file.\n${nearest}\nCopy it exactly as the file has it.`,
  );
}
