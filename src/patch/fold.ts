/** The four ways two lines can be the same, from strict to lenient, and the Unicode punctuation that models type as ASCII. */

export type Pass = "exact" | "trailing-space" | "surrounding-space" | "punctuation";

/** Tried in this order over the whole range; the first that hits wins. */
export const PASSES: readonly Pass[] = ["exact", "trailing-space", "surrounding-space", "punctuation"];

/** The line as a pass compares it. */
export function foldLine(line: string, pass: Pass): string {
  switch (pass) {
    case "exact":
      return line;
    case "trailing-space":
      return line.trimEnd();
    case "surrounding-space":
      return line.trim();
    case "punctuation":
      return foldPunctuation(line).trim();
  }
}

const HYPHENS = /[\u2010-\u2015\u2212]/g;
const SINGLE_QUOTES = /[\u2018-\u201B]/g;
const DOUBLE_QUOTES = /[\u201C-\u201F]/g;
const SPACES = /[\u00A0\u2002-\u200A\u202F\u205F\u3000]/g;

/** One character for one character, so that offsets stay true (the set is codex's). */
export function foldPunctuation(text: string): string {
  return text.replace(HYPHENS, "-").replace(SINGLE_QUOTES, "'").replace(DOUBLE_QUOTES, '"').replace(SPACES, " ");
}

/** What the pass forgave, for the observation; null for an exact match. */
export function describePass(pass: Pass): string | null {
  switch (pass) {
    case "exact":
      return null;
    case "trailing-space":
      return "matched after ignoring trailing space";
    case "surrounding-space":
      return "matched after ignoring indentation";
    case "punctuation":
      return "matched after reading Unicode punctuation as ASCII";
  }
}
