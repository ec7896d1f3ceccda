/** A text made comparable, with a way back to the offsets of the original, so that a lenient match changes only what it matched. */
import { foldPunctuation } from "./fold.ts";

/** Each step forgives what the ones before it do. */
export type FoldStep = "line-endings" | "trailing-space" | "punctuation";

export type FoldedText = {
  readonly text: string;
  /** Original offset of a folded one: as the start of a match or as its end. What was folded away at an end stays outside. */
  readonly toOriginal: (offset: number, side: "start" | "end") => number;
  readonly toFolded: (offset: number) => number;
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
  const joined = kept.join("").replaceAll("\r", "\n");
  return {
    text: step === "punctuation" ? foldPunctuation(joined) : joined,
    toOriginal: (offset, side) => toOriginal(original, cuts, { offset, side }),
    toFolded: (offset) => offset - removedBefore(cuts, offset),
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
  let lineStart = 0;
  for (let at = 0; at <= text.length; at++) {
    const char = text[at];
    if (at < text.length && char !== "\n" && char !== "\r") continue;
    let start = at;
    if (isTrimming) while (start > lineStart && /\s/.test(text[start - 1] ?? "")) start -= 1;
    const isCrlf = char === "\r" && text[at + 1] === "\n";
    cut(start, isCrlf ? at + 1 : at);
    if (isCrlf) at += 1;
    lineStart = at + 1;
  }
  return cuts;
}

type Wanted = { readonly offset: number; readonly side: "start" | "end" };

function toOriginal(original: string, cuts: readonly Cut[], { offset, side }: Wanted): number {
  if (side === "end") return offset === 0 ? 0 : charAt(cuts, offset - 1) + 1;
  const at = charAt(cuts, offset);
  // The "\r" belongs to its "\n": a match that begins with the line ending takes both.
  return original[at] === "\n" && original[at - 1] === "\r" ? at - 1 : at;
}

/** Original offset of the folded character at `offset`. */
function charAt(cuts: readonly Cut[], offset: number): number {
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

/** Characters left out before an original offset. */
function removedBefore(cuts: readonly Cut[], offset: number): number {
  let removed = 0;
  for (const cut of cuts) {
    if (cut.start >= offset) break;
    removed = cut.removed - Math.max(0, cut.end - offset);
  }
  return removed;
}
