/**
 * Git's hunks -> chunks of a V4A patch as a careful model writes them: three lines of context, and where those stand twice, an `@@` scope
 * or more context until the place is the only one.
 */
import type { DiffHunk, DiffLine, HunkLine } from "./diff.ts";
import type { FileChange } from "./history.ts";
import type { Random } from "../../test/patch/random.ts";

/** What happens at one place of the old text: `deleted` lines from `start` on make room for `added`. */
type Edit = { readonly start: number; readonly deleted: readonly HunkLine[]; readonly added: readonly HunkLine[] };
type Chunk = {
  readonly from: number;
  readonly to: number;
  readonly edits: readonly Edit[];
  readonly scope: string | null;
};

/** Chunks that need no scope get one this often, because models like to give it. */
const SCOPE_SHARE = 0.4;
/** How far above a chunk a model looks for a line that names the place. */
const SCOPE_DISTANCE_MAX = 60;

export function renderChunks(change: FileChange, random: Random): readonly DiffLine[] {
  const old = splitLines(change.before ?? "");
  const isTold = isOpen(change.before) !== isOpen(change.after);
  const chunks: Chunk[] = [];
  let pending = change.hunks.map((hunk) => toChunk(hunk));
  while (pending.length > 0) {
    const [first, ...rest] = pending;
    if (!first) break;
    const cursor = chunks.at(-1)?.to ?? 0;
    const settled = settle(old, { ...first, from: Math.max(first.from, cursor) }, { cursor, random });
    const [next, ...later] = rest;
    // Grown into its neighbour: both are one chunk now.
    if (next && settled.to > next.from)
      pending = [
        {
          from: settled.from,
          to: Math.max(settled.to, next.to),
          edits: [...settled.edits, ...next.edits],
          scope: null,
        },
        ...later,
      ];
    else {
      chunks.push(settled);
      pending = rest;
    }
  }
  return chunks.flatMap((chunk) => renderChunk(old, chunk, isTold));
}

/** Lines without their endings. */
export function splitLines(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

function isOpen(text: string | null): boolean {
  return text !== null && text !== "" && !text.endsWith("\n");
}

function toChunk({ start, lines }: DiffHunk): Chunk {
  const edits: { readonly start: number; readonly deleted: HunkLine[]; readonly added: HunkLine[] }[] = [];
  let at = start;
  let isInside = false;
  for (const line of lines) {
    if (line.kind !== "context" && !isInside) edits.push({ start: at, deleted: [], added: [] });
    isInside = line.kind !== "context";
    if (line.kind === "delete") edits.at(-1)?.deleted.push(line);
    if (line.kind === "add") edits.at(-1)?.added.push(line);
    if (line.kind !== "add") at += 1;
  }
  return { from: start, to: at, edits, scope: null };
}

type Settling = { readonly cursor: number; readonly random: Random };

/** The chunk with as much scope or context as makes its place the only one below the cursor. */
function settle(old: readonly string[], chunk: Chunk, { cursor, random }: Settling): Chunk {
  let grown = chunk;
  const isScoped = random.chance(SCOPE_SHARE);
  while (grown.from > cursor || grown.to < old.length) {
    const isUnique = grown.to > grown.from && countPlaces(old, grown, cursor) === 1;
    const scope = isScoped ? findScope(old, grown, cursor) : null;
    if (scope !== null) return { ...grown, scope };
    if (isUnique) return grown;
    grown = { ...grown, from: Math.max(cursor, grown.from - 1), to: Math.min(old.length, grown.to + 1) };
  }
  return grown;
}

function countPlaces(old: readonly string[], { from, to }: Chunk, cursor: number): number {
  let count = 0;
  for (let at = cursor; at + (to - from) <= old.length; at++)
    if (old.slice(from, to).every((line, i) => old[at + i] === line)) count += 1;
  return count;
}

/** A telling line above the chunk that stands only once below the cursor, with nothing like the chunk (by its trimmed lines) between the two. */
function findScope(old: readonly string[], { from, to }: Chunk, cursor: number): string | null {
  for (let at = from - 1; at >= Math.max(cursor, from - SCOPE_DISTANCE_MAX); at--) {
    const line = old[at] ?? "";
    if (!/^\s{0,4}[\p{L}_#][^@]*$/u.test(line) || line.trim() !== line.trimEnd()) continue;
    const isOnly = old.every((other, i) => i === at || other.trim() !== line.trim());
    if (isOnly && to > from && findFirst(old, at + 1, { from, to }) === from) return line;
  }
  return null;
}

function findFirst(old: readonly string[], after: number, block: Pick<Chunk, "from" | "to">): number {
  let at = after;
  while (!isSame(old, at, block)) at += 1;
  return at;
}

function isSame(old: readonly string[], at: number, { from, to }: Pick<Chunk, "from" | "to">): boolean {
  for (let i = 0; i < to - from; i++) if (old[at + i]?.trim() !== old[from + i]?.trim()) return false;
  return true;
}

function renderChunk(old: readonly string[], { from, to, edits, scope }: Chunk, isTold: boolean): readonly DiffLine[] {
  const lines: DiffLine[] = [scope === null ? { kind: "meta", text: "@@" } : { kind: "scope", text: scope }];
  const context = (until: number) => {
    for (; at < until; at++) lines.push({ kind: "context", text: old[at] ?? "" });
  };
  let at = from;
  for (const { start, deleted, added } of edits) {
    context(start);
    for (const { kind, text, isOpen } of [...deleted, ...added]) {
      lines.push({ kind, text: text.replace(/\r$/, "") });
      if (isOpen && isTold) lines.push({ kind: "meta", text: "\\ No newline at end of file" });
    }
    at = start + deleted.length;
  }
  context(to);
  return lines;
}
