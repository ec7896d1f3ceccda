/** Two texts of a file -> the hunks between them, for whoever shows or records an edit. Bounded in time and size. */
import type { EditHunk, FileEditReport } from "../journal.ts";
import { lineAt, readLines, type Lines } from "./lines.ts";

/** Null for no file. */
export type TextChange = { readonly path: string; readonly before: string | null; readonly after: string | null };

/** Lines around a change, as everywhere. */
const CONTEXT = 3;
/** A report rides on a journal entry and a comment; a person reads no more. */
const LINES_MAX = 400;
const LINE_CHARS_MAX = 500;
/** Lines that one side may have between the equal ends for a search of the shortest way; past it they are one block. */
const SEARCHED_LINES_MAX = 2000;
/** Steps of that search: its memory grows with their square. */
const STEPS_MAX = 400;

export function describeEdit({ path, before, after }: TextChange): FileEditReport {
  const [old, fresh] = [readLines(before ?? ""), readLines(after ?? "")];
  const whole = groupBlocks(findBlocks(old, fresh)).map((blocks) => toHunk(old, fresh, blocks));
  const hunks: EditHunk[] = [];
  let room = LINES_MAX;
  for (const { lines, count: _, ...place } of whole) {
    if (room === 0) break;
    const shown = lines.slice(0, room).map(cutLine);
    hunks.push({ ...place, lines: shown });
    room -= shown.length;
  }
  const isCut = whole.some(
    ({ lines, count }, i) => count > lines.length || lines.some((line, j) => hunks[i]?.lines[j] !== line),
  );
  return { path, hunks, isCut };
}

/** Lines `oldFrom` to `oldTo` became lines `newFrom` to `newTo` (0-based, ends exclusive). */
type Block = { readonly oldFrom: number; readonly oldTo: number; readonly newFrom: number; readonly newTo: number };

function findBlocks(old: Lines, fresh: Lines): readonly Block[] {
  const most = Math.min(old.count, fresh.count);
  let head = 0;
  while (head < most && lineAt(old, head) === lineAt(fresh, head)) head += 1;
  let tail = 0;
  while (tail < most - head && lineAt(old, old.count - 1 - tail) === lineAt(fresh, fresh.count - 1 - tail)) tail += 1;
  const all = { oldFrom: head, oldTo: old.count - tail, newFrom: head, newTo: fresh.count - tail };
  const [removed, added] = [all.oldTo - head, all.newTo - head];
  if (removed === 0 && added === 0) return [];
  if (removed === 0 || added === 0 || Math.max(removed, added) > SEARCHED_LINES_MAX) return [all];
  const pairs = findPairs(linesOf(old, head, all.oldTo), linesOf(fresh, head, all.newTo));
  if (pairs === null) return [all];
  const blocks: Block[] = [];
  let [oldFrom, newFrom] = [head, head];
  for (const [x, y] of [...pairs, [removed, added] as const]) {
    const [oldTo, newTo] = [head + x, head + y];
    if (oldTo > oldFrom || newTo > newFrom) blocks.push({ oldFrom, oldTo, newFrom, newTo });
    [oldFrom, newFrom] = [oldTo + 1, newTo + 1];
  }
  return blocks;
}

function linesOf(lines: Lines, from: number, to: number): readonly string[] {
  return Array.from({ length: to - from }, (_, i) => lineAt(lines, from + i));
}

type Pair = readonly [number, number];

/** Equal lines of both in order, as many as can be (Myers' greedy search); null when they are too different to look. */
function findPairs(a: readonly string[], b: readonly string[]): readonly Pair[] | null {
  const most = Math.min(a.length + b.length, STEPS_MAX);
  const far = new Map<number, number>([[1, 0]]);
  const history: ReadonlyMap<number, number>[] = [];
  for (let step = 0; step <= most; step++) {
    history.push(new Map(far));
    for (let k = -step; k <= step; k += 2) {
      let x = isDown(far, k, step) ? (far.get(k + 1) ?? 0) : (far.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      far.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(history, [a.length, b.length]);
    }
  }
  return null;
}

function isDown(far: ReadonlyMap<number, number>, k: number, step: number): boolean {
  return k === -step || (k !== step && (far.get(k - 1) ?? -1) < (far.get(k + 1) ?? -1));
}

function walkBack(history: readonly ReadonlyMap<number, number>[], end: Pair): readonly Pair[] {
  const pairs: Pair[] = [];
  let [x, y] = end;
  for (let step = history.length - 1; step >= 0; step--) {
    const far = history[step] ?? new Map<number, number>();
    const k = x - y;
    const from = isDown(far, k, step) ? k + 1 : k - 1;
    const startX = step === 0 ? 0 : (far.get(from) ?? 0);
    const startY = step === 0 ? 0 : startX - from;
    while (x > startX && y > startY) {
      [x, y] = [x - 1, y - 1];
      pairs.push([x, y]);
    }
    [x, y] = [startX, startY];
  }
  return pairs.toReversed();
}

/** Blocks whose context would touch are one hunk. */
function groupBlocks(blocks: readonly Block[]): readonly (readonly Block[])[] {
  const groups: Block[][] = [];
  for (const block of blocks) {
    const last = groups.at(-1);
    const end = last?.at(-1)?.oldTo;
    if (last && end !== undefined && block.oldFrom - end <= 2 * CONTEXT) last.push(block);
    else groups.push([block]);
  }
  return groups;
}

/** As many lines as a report may have; `count` is how many there are. */
type WholeHunk = EditHunk & { readonly count: number };

function toHunk(old: Lines, fresh: Lines, blocks: readonly Block[]): WholeHunk {
  const first = blocks[0] ?? { oldFrom: 0, newFrom: 0 };
  const before = Math.min(CONTEXT, first.oldFrom);
  const lines: string[] = [];
  let [same, removed, added] = [0, 0, 0];
  const take = (mark: string, side: Lines, { from, to }: { readonly from: number; readonly to: number }): number => {
    for (let i = from; i < to && lines.length < LINES_MAX; i++) lines.push(mark + lineAt(side, i));
    return to - from;
  };
  let at = first.oldFrom - before;
  for (const { oldFrom, oldTo, newFrom, newTo } of blocks) {
    same += take(" ", old, { from: at, to: oldFrom });
    removed += take("-", old, { from: oldFrom, to: oldTo });
    added += take("+", fresh, { from: newFrom, to: newTo });
    at = oldTo;
  }
  same += take(" ", old, { from: at, to: Math.min(old.count, at + CONTEXT) });
  const [oldLines, newLines] = [same + removed, same + added];
  // An empty side is counted from the line before it, as diff does.
  const oldStart = first.oldFrom - before + (oldLines === 0 ? 0 : 1);
  const newStart = first.newFrom - before + (newLines === 0 ? 0 : 1);
  return { oldStart, oldLines, newStart, newLines, lines, count: same + removed + added };
}

function cutLine(line: string): string {
  return line.length > LINE_CHARS_MAX ? line.slice(0, LINE_CHARS_MAX) : line;
}
