/**
 * Which files Git LFS keeps, by what a commit's .gitattributes say. The base's are asked: sandboxed code cannot have a file kept out of a
 * diff by writing attributes of its own.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import type { GitPlace } from "./git-command.ts";
import { gitPipe, joinNames, splitNames } from "./git-pipe.ts";
import { type LfsObject, POINTER_BYTES_MAX, readPointer } from "./lfs-pointer.ts";

/** A file of a tree. Names are latin1 (walk.ts). */
export type TreeFile = { readonly path: string; readonly mode: string; readonly id: string; readonly bytes: number };

/** Those of `paths` that have the filter of Git LFS in `commit`. */
export async function keptByLfs(
  place: GitPlace,
  { commit, paths }: { readonly commit: string; readonly paths: readonly string[] },
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if (paths.length === 0) return new Set();
  // Without sizes, for which git would look at each file.
  const listed = splitNames(await gitPipe(place, ["ls-tree", "-r", "-z", commit], { signal }));
  const rules = listed.filter((line) => /^100\d+ .*[\t/]\.gitattributes$/s.test(line));
  if (rules.length === 0) return new Set();
  return await withIndex(place, async (own) => {
    await gitPipe(own, ["update-index", "-z", "--index-info"], { input: joinNames(rules), signal });
    const args = ["check-attr", "--cached", "-z", "--stdin", "filter"];
    const said = splitNames(await gitPipe(own, args, { input: joinNames(paths), signal }));
    // Path, attribute, value.
    return new Set(said.flatMap((path, i) => (i % 3 === 0 && said[i + 2] === "lfs" ? [path] : [])));
  });
}

export type Pointed = { readonly file: TreeFile; readonly object: LfsObject };

/** The pointers of a commit. */
export async function listPointers(place: GitPlace, commit: string, signal: AbortSignal): Promise<readonly Pointed[]> {
  const small = (await listFiles(place, commit, signal)).filter(({ bytes }) => bytes <= POINTER_BYTES_MAX);
  const kept = await keptByLfs(place, { commit, paths: small.map(({ path }) => path) }, signal);
  const files = small.filter(({ path }) => kept.has(path));
  const texts = await readBlobs(place, [...new Set(files.map(({ id }) => id))], signal);
  return files.flatMap((file) => {
    const object = readPointer(texts.get(file.id) ?? "");
    return object === null ? [] : [{ file, object }];
  });
}

async function listFiles(place: GitPlace, commit: string, signal: AbortSignal): Promise<readonly TreeFile[]> {
  const listed = splitNames(await gitPipe(place, ["ls-tree", "-r", "-l", "-z", commit], { signal }));
  return listed.flatMap((line) => {
    const [, mode, id, size, path] = /^(100\d+) blob ([0-9a-f]+) +(\d+)\t(.+)$/s.exec(line) ?? [];
    return mode === undefined || id === undefined || path === undefined
      ? []
      : [{ mode, id, path, bytes: Number(size) }];
  });
}

/** What small blobs hold, as latin1. */
async function readBlobs(place: GitPlace, ids: readonly string[], signal: AbortSignal) {
  const texts = new Map<string, string>();
  if (ids.length === 0) return texts;
  const output = await gitPipe(place, ["cat-file", "--batch"], { input: `${ids.join("\n")}\n`, signal });
  // "id type size", the bytes, a new line: git-cat-file(1).
  for (let at = 0; at < output.length;) {
    const end = output.indexOf("\n", at);
    const [id = "", , size] = output.toString("latin1", at, end).split(" ");
    const bytes = Number(size) || 0; // "id missing" has nothing.
    texts.set(id, output.toString("latin1", end + 1, end + 1 + bytes));
    at = size === undefined ? end + 1 : end + 1 + bytes + 1;
  }
  return texts;
}

/** An index that is gone afterwards, for questions and trees that are nobody's work tree. */
export async function withIndex<T>({ gitDir }: GitPlace, act: (own: GitPlace) => Promise<T>): Promise<T> {
  const indexFile = join(gitDir, `index-${randomBytes(6).toString("hex")}`);
  try {
    return await act({ gitDir, workTree: null, indexFile });
  } finally {
    await rm(indexFile, { force: true });
  }
}
