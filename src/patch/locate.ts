/**
 * Chunks -> places in a file, all of them or a PatchError that says where to look. The cursor only moves forward. A place that the
 * order, a scope, a line number or the end of the file does not decide is refused: the wrong one would be a silent defect.
 */
import { findNearest, NEAREST_MAX, renderNearest, renderPlaces } from "./nearest.ts";
import { lineAt, type Lines } from "./lines.ts";
import { foldLine, PASSES, type Pass } from "./fold.ts";
import { openMatcher, type Matcher, type Range } from "./matcher.ts";
import { PatchError, type Chunk, type ChunkLine } from "./patch.ts";

/** Where one chunk goes: its lines stand for the file's lines start..start + old lines (0-based). */
export type Place = {
  readonly chunk: Chunk;
  readonly start: number;
  readonly pass: Pass;
  /** The chunk's lines without the blank ones that were only typed after it. */
  readonly lines: readonly ChunkLine[];
};

/** `label` names the hunk in messages, as in "Hunk 2 (src/a.ts)". */
export function locateChunks(lines: Lines, chunks: readonly Chunk[], label: string): readonly Place[] {
  const matcher = openMatcher(lines);
  const places: Place[] = [];
  let cursor = 0;
  for (const [i, chunk] of chunks.entries()) {
    const name = `${label}, chunk ${i + 1}, patch line ${chunk.patchLine}`;
    const place = locate({ lines, matcher, name }, chunk, cursor);
    places.push(place);
    cursor = place.start + oldLines(place.lines).length;
  }
  return places;
}

export function oldLines(lines: readonly ChunkLine[]): readonly string[] {
  return lines.flatMap(({ kind, text }) => (kind === "add" ? [] : [text]));
}

type Search = { readonly lines: Lines; readonly matcher: Matcher; readonly name: string };

function locate(search: Search, chunk: Chunk, cursor: number): Place {
  const regions = findRegions(search, chunk, cursor);
  const core = withoutTrailingBlanks(chunk.lines);
  if (oldLines(core).length === 0) {
    // With a line number a blank line was counted, so it is context and not spacing.
    const isCounted = chunk.lineHint !== null && oldLines(chunk.lines).length > 0;
    const counted = isCounted ? decide(search, { chunk, lines: chunk.lines, cursor, regions }) : null;
    return counted ?? placeAddition(search, { chunk, lines: core, cursor, regions });
  }
  // A blank line before the next header was most likely only spacing (codex drops one, too).
  for (let lines = chunk.lines; lines.length >= core.length; lines = lines.slice(0, -1)) {
    const place = decide(search, { chunk, lines, cursor, regions });
    if (place) return place;
  }
  throw notFound(search, chunk, cursor);
}

function withoutTrailingBlanks(lines: readonly ChunkLine[]): readonly ChunkLine[] {
  return lines.slice(0, lines.findLastIndex(({ kind, text }) => kind !== "context" || text.trim() !== "") + 1);
}

type Wanted = {
  readonly chunk: Chunk;
  readonly lines: readonly ChunkLine[];
  readonly cursor: number;
  /** Where the scopes allow the chunk to begin, null when it has none. */
  readonly regions: readonly Range[] | null;
};

function decide(search: Search, { chunk, lines, cursor, regions }: Wanted): Place | null {
  const block = oldLines(lines);
  const { count } = search.lines;
  const range = { from: chunk.isAtEnd ? Math.max(cursor, count - block.length) : cursor, to: count };
  const hits = regions ? findInRegions(search, block, { regions, range }) : findAll(search, block, range);
  if (!hits) return null;
  const { starts, pass } = hits;
  const [start, ...others] = starts;
  if (start === undefined) return null;
  if (others.length === 0) return { chunk, pass, lines, start };
  const nearest = chunk.lineHint === null ? null : closest(starts, chunk.lineHint - 1);
  if (nearest !== null) return { chunk, pass, lines, start: nearest };
  throw ambiguous(search, chunk, { starts, length: block.length });
}

type Hits = { readonly pass: Pass; readonly starts: readonly number[] };

/** By the strictest pass that has a place. */
function findAll({ matcher }: Search, block: readonly string[], range: Range): Hits | null {
  for (const pass of PASSES) {
    const starts = matcher.find(block, range, { pass });
    if (starts.length > 0) return { pass, starts };
  }
  return null;
}

/**
 * A scope decides between the places below it: the first one counts, and only several scopes with one each are ambiguous. So is a
 * likeness above the place that a stricter pass found: the scope may have meant that.
 */
function findInRegions({ matcher }: Search, block: readonly string[], { regions, range }: Scoped): Hits | null {
  // Models repeat the scope as the first line of context: then the place begins one line higher.
  const onScopes = regions.map(({ from }) => ({ from: from - 1, to: from }));
  for (const places of [regions, onScopes].map((some) => clip(some, range)))
    for (const pass of PASSES) {
      const find = (place: Range, by: Pass) => matcher.find(block, place, { pass: by, limit: 1 });
      const starts = places.flatMap((place) => find(place, pass));
      if (starts.length === 0) continue;
      const loose = places.flatMap((place) => find(place, "punctuation")).filter((start) => start < (starts[0] ?? 0));
      return { pass, starts: [...loose, ...starts] };
    }
  return null;
}

type Scoped = { readonly regions: readonly Range[]; readonly range: Range };

function clip(regions: readonly Range[], range: Range): readonly Range[] {
  return regions.map(({ from, to }) => ({ from: Math.max(from, range.from), to: Math.min(to, range.to) }));
}

/** Each place of the scopes, as the lines from after it to the next place of the first scope. Null without scopes. */
function findRegions(search: Search, chunk: Chunk, cursor: number): readonly Range[] | null {
  let regions: readonly Range[] | null = null;
  for (const scope of chunk.scopes) {
    regions = regions === null ? findOuter(search, scope, cursor) : findInner(search, scope, regions);
    if (regions.length === 0) throw scopeNotFound(search, chunk, scope);
  }
  return regions;
}

/** From the cursor on; else the nearest above it, because two chunks may name the class they both stand in. */
function findOuter(search: Search, scope: string, cursor: number): readonly Range[] {
  const { count } = search.lines;
  const below = findScope(search, scope, { from: cursor, to: count });
  if (below.length > 0) return below.map((start, i) => ({ from: start + 1, to: below[i + 1] ?? count }));
  const above = findScope(search, scope, { from: 0, to: cursor }).at(-1);
  return above === undefined ? [] : [{ from: above + 1, to: count }];
}

function findInner(search: Search, scope: string, regions: readonly Range[]): readonly Range[] {
  return regions.flatMap(({ from, to }) => {
    const [start] = findScope(search, scope, { from, to });
    return start === undefined ? [] : [{ from: start + 1, to }];
  });
}

/** A scope is a whole line, or the beginning of one when no whole line fits (`class A` for `class A(B):`). */
function findScope(search: Search, scope: string, range: Range): readonly number[] {
  const { lines } = search;
  const hits = findAll(search, [scope], range);
  if (hits) return hits.starts;
  const head = foldLine(scope, "punctuation");
  const starts: number[] = [];
  for (let i = range.from; i < Math.min(range.to, lines.count); i++)
    if (foldLine(lineAt(lines, i), "punctuation").startsWith(head)) starts.push(i);
  return starts;
}

/** Only new lines: right below the scope, else at the end of the file, as codex does. */
function placeAddition(search: Search, { chunk, lines, cursor, regions }: Wanted): Place {
  const place = { chunk, pass: "exact", lines } as const;
  const { count } = search.lines;
  if (chunk.isAtEnd || (regions === null && chunk.lineHint === null)) return { ...place, start: count };
  // `@@ -12,0 +13,2 @@` adds after line 12.
  if (regions === null) return { ...place, start: Math.max(cursor, Math.min(chunk.lineHint ?? count, count)) };
  const [region, ...others] = regions;
  if (region && others.length === 0) return { ...place, start: Math.max(cursor, region.from) };
  throw ambiguous(search, chunk, { starts: regions.map(({ from }) => from - 1), length: 1 });
}

function closest(starts: readonly number[], wanted: number): number | null {
  const [best, next] = starts.toSorted((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted));
  if (best === undefined) return null;
  return next !== undefined && Math.abs(next - wanted) === Math.abs(best - wanted) ? null : best;
}

function notFound({ lines, name }: Search, chunk: Chunk, cursor: number): PatchError {
  const block = oldLines(chunk.lines);
  const where = chunk.isAtEnd ? "at the end of the file" : cursor > 0 ? `below line ${cursor}` : "in the file";
  const [near] = findNearest(lines, block);
  const order = near !== undefined && near < cursor ? " Chunks of one file go from top to bottom." : "";
  const message = `${name}: these lines are not ${where}:\n${quote(block)}\n${renderNearest(lines, block)}`;
  return new PatchError(`${message}\nCopy the old lines exactly as the file has them.${order}`, chunk.patchLine);
}

function scopeNotFound({ lines, name }: Search, chunk: Chunk, scope: string): PatchError {
  const message = `${name}: no line matches "@@ ${scope}".\n${renderNearest(lines, [scope])}`;
  return new PatchError(`${message}\nA scope is one whole line of the file above the change.`, chunk.patchLine);
}

type Candidates = { readonly starts: readonly number[]; readonly length: number };

function ambiguous({ lines, name }: Search, chunk: Chunk, { starts, length }: Candidates): PatchError {
  const numbers = starts.slice(0, 20).map((start) => start + 1);
  const more = starts.length > numbers.length ? " …" : "";
  const message = `${name}: the place is ambiguous, it matches at lines ${numbers.join(", ")}${more}.`;
  const shown = renderPlaces(lines, starts.slice(0, NEAREST_MAX), length);
  return new PatchError(
    `${message}\n${shown}\nAdd context lines, or "@@ " and a line that stands only above the right one.`,
    chunk.patchLine,
  );
}

/** Long blocks are quoted by their head; the model has the rest. */
const QUOTED_LINES_MAX = 8;

function quote(block: readonly string[]): string {
  const more = block.length - QUOTED_LINES_MAX;
  return [...block.slice(0, QUOTED_LINES_MAX), ...(more > 0 ? [`[… ${more} more lines]`] : [])]
    .map((line) => `  | ${line}`)
    .join("\n");
}
