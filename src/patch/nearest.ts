/** Where a block that was not found most likely should have been: the best help a failed edit can give. */
import { foldLine } from "./fold.ts";
import { lineAt, numberLines, type Lines } from "./lines.ts";

/** Places shown for a failure. */
export const NEAREST_MAX = 3;
/** Lines of one place: enough to copy from, little enough for three of them. */
const REGION_LINES_MAX = 8;
/** Lines of the wanted block that vote, and lines of the file that are compared letter by letter. */
const WANTED_LINES_MAX = 200;
const COMPARED_LINES_MAX = 20_000;
const COMPARED_CHARS_MAX = 200;
/** Dice similarity of two lines below which they have nothing to do with each other. */
const SIMILARITY_MIN = 0.4;

/** 0-based first lines of the nearest regions, best first; empty when nothing is near. */
export function findNearest(lines: Lines, wanted: readonly string[]): readonly number[] {
  const block = wanted.slice(0, WANTED_LINES_MAX);
  const votes = voteByEqualLines(lines, block);
  const places = votes.size > 0 ? votes : voteBySimilarity(lines, block);
  const best: number[] = [];
  const ranked = [...places].toSorted((a, b) => b[1] - a[1] || a[0] - b[0]);
  for (const [start] of ranked) {
    if (best.length === NEAREST_MAX) break;
    if (best.every((other) => Math.abs(other - start) >= Math.min(block.length, REGION_LINES_MAX))) best.push(start);
  }
  return best;
}

/** The nearest regions as numbered lines under a heading, or a sentence that there is none. */
export function renderNearest(lines: Lines, wanted: readonly string[]): string {
  const places = findNearest(lines, wanted);
  if (lines.count === 0) return "The file is empty.";
  if (places.length === 0) return `Nothing in the file's ${lines.count} lines is like it.`;
  return `Nearest in the file:\n${renderPlaces(lines, places, wanted.length)}`;
}

/** Regions that begin at `places` (0-based), numbered, with `…` between them. */
export function renderPlaces(lines: Lines, places: readonly number[], length: number): string {
  const shown = Math.min(Math.max(length, 1), REGION_LINES_MAX);
  return places.map((start) => numberLines(lines, start, start + shown)).join("\n   …\n");
}

function voteByEqualLines(lines: Lines, block: readonly string[]): Map<number, number> {
  const wantedAt = new Map<string, number[]>();
  block.forEach((line, i) => {
    const key = foldLine(line, "punctuation");
    if (key === "") return;
    const known = wantedAt.get(key);
    if (known) known.push(i);
    else wantedAt.set(key, [i]);
  });
  const votes = new Map<number, number>();
  for (let i = 0; i < lines.count; i++) {
    const key = foldLine(lineAt(lines, i), "punctuation");
    for (const j of wantedAt.get(key) ?? []) {
      const start = Math.max(0, i - j);
      // A brace says little about where we are, a long line says much.
      votes.set(start, (votes.get(start) ?? 0) + Math.min(key.length, 40));
    }
  }
  return votes;
}

function voteBySimilarity(lines: Lines, block: readonly string[]): Map<number, number> {
  const trimmed = block.map((line) => foldLine(line, "punctuation"));
  const longest = trimmed.reduce((best, line, i) => (line.length > (trimmed[best]?.length ?? 0) ? i : best), 0);
  const target = pairsOf(trimmed[longest] ?? "");
  const votes = new Map<number, number>();
  if (target.size === 0) return votes;
  for (let i = 0; i < Math.min(lines.count, COMPARED_LINES_MAX); i++) {
    const likeness = similarity(target, pairsOf(foldLine(lineAt(lines, i), "punctuation")));
    if (likeness >= SIMILARITY_MIN) votes.set(Math.max(0, i - longest), likeness);
  }
  return votes;
}

function pairsOf(line: string): ReadonlySet<string> {
  const pairs = new Set<string>();
  for (let i = 0; i + 2 <= Math.min(line.length, COMPARED_CHARS_MAX); i++) pairs.add(line.slice(i, i + 2));
  return pairs;
}

function similarity(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  if (b.size === 0) return 0;
  let shared = 0;
  for (const pair of b) if (a.has(pair)) shared += 1;
  return (2 * shared) / (a.size + b.size);
}
