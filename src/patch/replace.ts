/**
 * Exact string replacement with a ladder of lenient steps below it. Each step is unique or refused; a lenient hit changes only the
 * bytes where old and new differ; the new text is literal (a `$` is a dollar).
 */
import { foldText, type FoldStep } from "./fold-text.ts";
import { reindent } from "./indent.ts";
import { lineAt, lineBreakOf, lineOfOffset, offsetOf, readLines, type Lines } from "./lines.ts";
import { openMatcher } from "./matcher.ts";
import { NEAREST_MAX, renderNearest, renderPlaces } from "./nearest.ts";
import { PatchError } from "./patch.ts";
import { rewrite, type OwnLine, type Quotation } from "./rewrite.ts";

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

type Range = { readonly start: number; readonly end: number };

/** One piece to cut out of the file, and what goes there or a PatchError. */
type Hit = Range & { readonly insert: () => string };

export function replaceText(text: string, wanted: Replace): Replacement {
  if (wanted.oldText === "")
    throw new PatchError("old_str is empty. Give the text to replace; to add lines use insert.");
  if (wanted.oldText === wanted.newText)
    throw new PatchError("old_str and new_str are the same, so nothing would change.");
  const lines = readLines(text);
  const rungs: readonly (readonly [Step, () => readonly Hit[]])[] = [
    ["exact", () => findExact(lines, wanted)],
    ["line-endings", () => findFolded(lines, wanted, "line-endings")],
    ["trailing-space", () => findFolded(lines, wanted, "trailing-space")],
    ["punctuation", () => findFolded(lines, wanted, "punctuation")],
    ["indentation", () => findIndented(lines, wanted)],
  ];
  for (const [step, find] of rungs) {
    const hits = find();
    if (hits.length === 0) continue;
    const numbers = hits.map(({ start }) => lineOfOffset(lines, start) + 1);
    if (hits.length > 1 && !wanted.isAll) throw ambiguous(lines, wanted.oldText, numbers);
    if (step !== "exact" && changesEndings(wanted)) throw endingsChange();
    return { text: splice(text, hits), step, lines: numbers };
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

function findExact(lines: Lines, { oldText, newText, isAll }: Replace): readonly Hit[] {
  // Old text with a line ending in it says which one it means; without, new lines follow the file.
  const follows = !/[\r\n]/.test(oldText) && lines.isUniform;
  const insert = follows ? newText.replace(/\r?\n/g, lines.ending) : newText;
  const hits = occurrences(lines.text, oldText, isAll).filter(
    (start) => !splitsEnding(lines.text, start, oldText.length),
  );
  return hits.map((start) => ({ start, end: start + oldText.length, insert: () => insert }));
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

function findFolded(lines: Lines, { oldText, newText, isAll }: Replace, step: FoldStep): readonly Hit[] {
  const [given, fresh] = [linesOf(oldText), linesOf(newText)];
  const folded = foldText(lines.text, step);
  const wanted = foldText(given.join("\n"), step).text;
  if (wanted === "") return [];
  return occurrences(folded.text, wanted, isAll).flatMap((at) => {
    const first = folded.toOriginal(at);
    const last = folded.toOriginal(at + wanted.length - 1);
    const range =
      step === "line-endings"
        ? { start: startOfBreak(lines.text, first), end: last + 1 }
        : widen(lines, given, { first, last });
    return range ? [toHit(lines, { ...range, given, fresh }, (moved) => moved)] : [];
  });
}

/**
 * Space at the ends of a quotation that the search has not seen must be there: what begins with a blank line begins with a whole one,
 * and what ends in space ends a line. The file's own space at the end belongs to the last line.
 */
function widen(
  { text }: Lines,
  given: readonly string[],
  { first, last }: { readonly first: number; readonly last: number },
): Range | null {
  const lineBreak = lineBreakOf(text);
  let start = startOfBreak(text, first);
  const [top = "", bottom = ""] = [given[0], given.at(-1)];
  if (top.trim() === "") {
    const lineStart = start === 0 ? 0 : text.lastIndexOf(lineBreak, start - 1) + 1;
    if (text.slice(lineStart, start).trim() === "") start = lineStart;
    else if (top !== "") return null;
  }
  if (bottom === "") return { start, end: last + 1 };
  const found = text.indexOf(lineBreak, last + 1);
  const rest = text.slice(last + 1, found === -1 ? text.length : found);
  if (rest.trim() === "") return { start, end: last + 1 + rest.replace(/\r$/, "").length };
  return bottom === bottom.trimEnd() ? { start, end: last + 1 } : null;
}

/** The "\r" belongs to its "\n": a match that begins with the line ending takes both. */
function startOfBreak(text: string, offset: number): number {
  return text[offset] === "\n" && text[offset - 1] === "\r" ? offset - 1 : offset;
}

/** Whole lines that are the same but for one uniform shift of indentation; the new lines are shifted alike. */
function findIndented(lines: Lines, { oldText, newText, isAll }: Replace): readonly Hit[] {
  const [given, fresh] = [linesOf(oldText), linesOf(newText)];
  const isClosed = given.at(-1) === "";
  const block = isClosed ? given.slice(0, -1) : given;
  if (block.every((line) => line.trim() === "")) return [];
  const starts = openMatcher(lines).find(block, { from: 0, to: lines.count }, { pass: "punctuation" });
  let free = 0;
  return starts.flatMap((first) => {
    const after = first + block.length;
    if ((isAll && first < free) || (isClosed && after === lines.count && !lines.endsWithNewline)) return [];
    free = after;
    const range = {
      start: offsetOf(lines, first),
      end: isClosed ? offsetOf(lines, after) : (lines.ends[after - 1] ?? 0),
    };
    const pairs = block.map((line, i) => ({ given: line, actual: lineAt(lines, first + i) }));
    return [toHit(lines, { ...range, given, fresh }, (wanted) => reindent(pairs, wanted))];
  });
}

type Found = Range & { readonly given: readonly string[]; readonly fresh: readonly string[] };

function toHit(lines: Lines, { start, end, given, fresh }: Found, move: Quotation["move"]): Hit {
  const insert = () => {
    const own = cutLines(lines.text.slice(start, end), lineBreakOf(lines.text));
    const rewritten = rewrite({ given, own, fresh, ending: lines.ending, move });
    if (rewritten.kind === "text") return rewritten.text;
    throw notSaid(lineOfOffset(lines, start) + 1 + rewritten.line, own[rewritten.line]?.text ?? "");
  };
  return { start, end, insert };
}

function cutLines(region: string, lineBreak: "\n" | "\r"): readonly OwnLine[] {
  const pieces = region.split(lineBreak);
  return pieces.map((piece, i) => {
    if (i === pieces.length - 1) return { text: piece, ending: "" };
    const isCrlf = lineBreak === "\n" && piece.endsWith("\r");
    return isCrlf ? { text: piece.slice(0, -1), ending: "\r\n" } : { text: piece, ending: lineBreak };
  });
}

function splice(text: string, hits: readonly Hit[]): string {
  const pieces: string[] = [];
  let at = 0;
  for (const { start, end, insert } of hits) {
    pieces.push(text.slice(at, start), insert());
    at = end;
  }
  return pieces.join("") + text.slice(at);
}

function linesOf(text: string): readonly string[] {
  return text.replaceAll("\r\n", "\n").split("\n");
}

function changesEndings({ oldText, newText }: Replace): boolean {
  const [old, fresh] = [oldText, newText].map((text) => [...new Set(text.match(/\r?\n/g))].toSorted().join(""));
  return old !== "" && fresh !== "" && old !== fresh;
}

function endingsChange(): PatchError {
  const where = "No replacement was made: old_str is there but not exactly, and new_str ends its lines otherwise.";
  return new PatchError(
    `${where}\nEnd the lines of both alike; or to change endings, copy old_str exactly as the file has it.`,
  );
}

function notSaid(number: number, own: string): PatchError {
  const where = `No replacement was made: old_str is there but not exactly, and line ${number} differs in a way that leaves open what new_str means.`;
  return new PatchError(
    `${where}\nThe file has there, as JSON: ${JSON.stringify(own)}\nCopy it exactly as the file has it.`,
  );
}

function ambiguous(lines: Lines, oldText: string, numbers: readonly number[]): PatchError {
  const shown = renderPlaces(
    lines,
    [...new Set(numbers)].slice(0, NEAREST_MAX).map((number) => number - 1),
    linesOf(oldText).length,
  );
  const more = numbers.length > 20 ? " …" : "";
  const count = numbers.length < AMBIGUOUS_MAX ? numbers.length : `at least ${AMBIGUOUS_MAX}`;
  const where = `No replacement was made: old_str matches ${count} places, at lines ${numbers.slice(0, 20).join(", ")}${more}.`;
  return new PatchError(`${where}\n${shown}\nAdd lines around it until it is unique, or set replace_all.`);
}

function notFound(lines: Lines, oldText: string): PatchError {
  const nearest = renderNearest(lines, linesOf(oldText));
  return new PatchError(
    `No replacement was made: old_str is not in the file.\n${nearest}\nCopy it exactly as the file has it.`,
  );
}
