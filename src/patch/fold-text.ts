/** A text made comparable, with a way back to the offsets of the original, so that a lenient match changes only what it matched. */
import { foldPunctuation } from "./fold.ts";
import { lineBreakOf } from "./lines.ts";

/** Each step forgives what the ones before it do. */
export type FoldStep = "line-endings" | "trailing-space" | "punctuation";

export type FoldedText = {
  readonly text: string;
  /** Original offset of the folded character at `offset`. */
  readonly toOriginal: (offset: number) => number;
};

export function foldText(original: string, step: FoldStep): FoldedText {
  const cuts = findCuts(original, step !== "line-endings");
  const kept: string[] = [];
  let at = 0;
  for (const { start, end } of cuts) {
    kept.push(original.slice(at, start));
    at = end;
  }
  kept.push(original.slice(at));
  const joined = lineBreakOf(original) === "\n" ? kept.join("") : kept.join("").replaceAll("\r", "\n");
  return {
    text: step === "punctuation" ? foldPunctuation(joined) : joined,
    toOriginal: (offset) => toOriginal(cuts, offset),
  };
}

/** A piece of the original that is left out; `removed` counts the characters left out up to and with it. */
type Cut = { readonly start: number; readonly end: number; readonly removed: number };

/** By hand and not by a pattern: `[ \t]+$` is quadratic on long runs of spaces. */
function findCuts(text: string, isTrimming: boolean): readonly Cut[] {
  const cuts: Cut[] = [];
  let removed = 0;
  const cut = (start: number, end: number) => {
    if (end <= start) return;
    removed += end - start;
    cuts.push({ start, end, removed });
  };
  const lineBreak = lineBreakOf(text);
  for (let lineStart = 0; lineStart <= text.length;) {
    const found = text.indexOf(lineBreak, lineStart);
    const at = found === -1 ? text.length : found;
    let end = at;
    if (found > lineStart && lineBreak === "\n" && text[at - 1] === "\r") end -= 1;
    let start = end;
    if (isTrimming) while (start > lineStart && /\s/.test(text[start - 1] ?? "")) start -= 1;
    cut(start, at);
    lineStart = at + 1;
  }
  return cuts;
}

function toOriginal(cuts: readonly Cut[], offset: number): number {
  let low = 0;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const cut = cuts[middle];
    if (cut && cut.end - cut.removed <= offset) low = middle + 1;
    else high = middle;
  }
  return offset + (cuts[low - 1]?.removed ?? 0);
}
