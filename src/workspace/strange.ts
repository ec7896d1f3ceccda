/**
 * What a work tree holds beyond its index, without reading each folder each time: adding, removing or renaming an entry changes the
 * change time of its folder, which no program can set (the modification time, which git's own untracked cache goes by, any can).
 */
import { readdirSync, type Stats } from "node:fs";
import { setImmediate as nextRound } from "node:timers/promises";
import type { Known } from "./run-index.ts";
import { isUnchanged, type Stamp, stampOf } from "./tree-clock.ts";
import { type Entry, joinPath, kindOf, openFolder, toPath, type TreePath } from "./walk.ts";

/** What counted in a folder when it was read. */
export type SeenFolder = {
  readonly stamp: Stamp;
  readonly strange: readonly FoundEntry[];
  /** Folders in it that the index has files in. */
  readonly inner: readonly string[];
};

/** Its path is latin1 (walk.ts). */
export type FoundEntry = { readonly path: string; readonly kind: Entry["kind"] };

/** Calls that wait for each other are three times slower, so others get a turn between them. */
const SLICE_MS = 5;

type Looked = { readonly treeDir: string; readonly seen: Map<string, SeenFolder> };

/**
 * Every entry that the index does not know in the folders that it has files in, and folders where it has a file. Not the top .git, nor
 * submodules. Between two commands of the sandbox. Folders closed to their owner are opened.
 */
export async function findStrange({ treeDir, seen }: Looked, known: Known, signal: AbortSignal) {
  const found: FoundEntry[] = [];
  const open = [""];
  let sliceAt = performance.now();
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const stats = openFolder(toPath(treeDir, folder));
    if (stats === null) continue;
    const before = seen.get(folder);
    const now = before && isUnchanged(before.stamp, stats) ? before : readFolder({ treeDir, folder, stats }, known);
    if (now !== before) seen.set(folder, now);
    for (const entry of now.strange) found.push(entry);
    for (const path of now.inner) open.push(path);
    if (performance.now() - sliceAt < SLICE_MS) continue;
    await nextRound(undefined, { signal });
    sliceAt = performance.now();
  }
  return found;
}

type Folder = { readonly treeDir: string; readonly folder: string; readonly stats: Stats };

function readFolder({ treeDir, folder, stats }: Folder, { files, folders, submodules }: Known): SeenFolder {
  const strange: FoundEntry[] = [];
  const inner: string[] = [];
  const stamp = stampOf(stats, Date.now());
  for (const { name, kind } of list(toPath(treeDir, folder))) {
    const path = joinPath(folder, name);
    if (path === ".git" || submodules.has(path)) continue;
    if (kind === "folder" && folders.has(path)) inner.push(path);
    const isKnown = kind === "folder" ? folders.has(path) && !files.has(path) : kind !== "other" && files.has(path);
    if (!isKnown) strange.push({ path, kind });
  }
  return { stamp, strange, inner };
}

function list(path: TreePath): readonly Entry[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true, encoding: "latin1" });
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  } catch (error) {
    // Where the file system does not tell kinds by itself (ext2 without filetype), Node asks for each, and cannot join these names.
    if (!(error instanceof TypeError)) throw error;
    const entries = readdirSync(path, { withFileTypes: true, encoding: "buffer" });
    return entries.map((entry) => ({ name: entry.name.toString("latin1"), kind: kindOf(entry) }));
  }
}
