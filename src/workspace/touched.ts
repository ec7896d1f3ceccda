/**
 * Which files may differ from what a run's index says, without asking each of them where that can be avoided: all that an
 * overlay's upper layer does not hold is as it was. Ignored files are left out unless they were recorded before.
 */
import { lstat, rm } from "node:fs/promises";
import { type GitPlace, GitError } from "./git-command.ts";
import { gitPipe, joinNames, splitNames } from "./git-pipe.ts";
import { readKnown, takeOut } from "./run-index.ts";
import { findStrange, type FoundEntry } from "./strange.ts";
import { type Entry, joinPath, listBelow, readFolder, toPath } from "./walk.ts";
import type { Layers, TreeMemory } from "./workspace.ts";

export type Tree = {
  readonly place: GitPlace;
  readonly treeDir: string;
  readonly layers: Layers | null;
  readonly memory: TreeMemory;
};

/** Names are latin1 (walk.ts). `added` are files and links that may be new or changed, `gone` what may have been removed. */
export type Touched = { readonly added: readonly string[]; readonly gone: readonly string[] };

/** Folders deeper than this are not searched; git itself would not find its way back either. */
const DEPTH_MAX = 64;

/** Between two commands of the sandbox. */
export async function findTouched(tree: Tree, signal: AbortSignal): Promise<Touched> {
  const { added, fresh, gone } = tree.layers ? await readLayers(tree, tree.layers) : await readAll(tree, signal);
  const unignored = await leaveOutIgnored(tree, fresh, signal);
  return { added: [...added, ...unignored], gone };
}

type Found = {
  /** Known to the index, or to the lower layer, which is the same. */
  readonly added: readonly string[];
  /** Files and folders that are in neither: their ignore rules have to be asked. */
  readonly fresh: readonly FoundEntry[];
  readonly gone: readonly string[];
};

async function readLayers({ treeDir }: Tree, { lowerDir, upperDir }: Layers): Promise<Found> {
  const [added, fresh, gone]: [string[], FoundEntry[], string[]] = [[], [], []];
  const open = [""];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const [upper, merged, lower] = await Promise.all([
      readFolder(upperDir, folder),
      readFolder(treeDir, folder),
      readFolder(lowerDir, folder),
    ]);
    const layers = { upper: byName(upper), merged: byName(merged), lower: byName(lower) };
    if (await isRenamed({ treeDir, lowerDir }, folder, layers)) {
      // A folder moved here as a whole: what it holds is in no upper layer, and what was here before is gone.
      fresh.push({ path: folder, kind: "folder" });
      gone.push(...(await listBelow(lowerDir, folder)));
      continue;
    }
    for (const name of layers.upper.keys()) {
      if (name.toLowerCase() === ".git") continue;
      const path = joinPath(folder, name);
      const kind = layers.merged.get(name);
      const before = layers.lower.get(name);
      if (before !== undefined && before !== kind) gone.push(path, ...(await listBelow(lowerDir, path)));
      if (kind === undefined) continue;
      if (kind === "folder" && before === "folder") open.push(path);
      else if (kind !== "folder" && before === kind) added.push(path);
      else fresh.push({ path, kind });
    }
    for (const name of layers.lower.keys()) {
      if (layers.merged.has(name) || layers.upper.has(name)) continue;
      const path = joinPath(folder, name);
      gone.push(path, ...(await listBelow(lowerDir, path)));
    }
  }
  return { added, fresh, gone };
}

type ThreeLayers = Readonly<Record<"upper" | "merged" | "lower", ReadonlyMap<string, Entry["kind"]>>>;

/** With redirect_dir a renamed folder shows another folder of the lower layer; its files then have other inodes. */
async function isRenamed(
  { treeDir, lowerDir }: { readonly treeDir: string; readonly lowerDir: string },
  folder: string,
  { upper, merged, lower }: ThreeLayers,
): Promise<boolean> {
  const shownThrough = [...merged.keys()].find((name) => !upper.has(name));
  if (shownThrough === undefined) return false;
  if (!lower.has(shownThrough)) return true;
  const path = joinPath(folder, shownThrough);
  const [shown, own] = await Promise.all([lstat(toPath(treeDir, path)), lstat(toPath(lowerDir, path))]);
  return shown.ino !== own.ino;
}

function byName(entries: readonly Entry[] | null): ReadonlyMap<string, Entry["kind"]> {
  return new Map((entries ?? []).map(({ name, kind }) => [name, kind]));
}

/** Without layers what the index does not know is found by name, and git is to compare the rest. */
async function readAll(tree: Tree, signal: AbortSignal): Promise<Found> {
  const { files, folders } = await readKnown(tree, signal);
  const { fresh, displaced } = await readStrange(tree, signal);
  await takeOut(tree, displaced, signal); // Or git would look for a repository in each.
  const inTheWay = fresh.filter(({ path, kind }) => kind !== "folder" && folders.has(path));
  const buried = inTheWay.length === 0 ? [] : [...files].filter((file) => isBelowAny(inTheWay, file));
  return { added: [], fresh, gone: [...displaced, ...buried] };
}

function isBelowAny(entries: readonly FoundEntry[], file: string): boolean {
  return entries.some(({ path }) => file.startsWith(`${path}/`));
}

async function readStrange(tree: Tree, signal: AbortSignal) {
  const { treeDir, memory } = tree;
  const known = await readKnown(tree, signal);
  const fresh = await withoutTraps(treeDir, await findStrange({ treeDir, seen: memory.seen }, known, signal));
  const isDisplaced = ({ path, kind }: FoundEntry) => kind === "folder" && known.files.has(path);
  return { fresh, displaced: fresh.filter(isDisplaced).map(({ path }) => path) };
}

/** Tracked files in whose place a folder stands by now; in an overlay all that may have been changed. Traps are cleared away. */
export async function findDisplaced(tree: Tree, signal: AbortSignal): Promise<readonly string[]> {
  if (tree.layers === null) return (await readStrange(tree, signal)).displaced;
  const { files, submodules } = await readKnown(tree, signal);
  const { added, fresh, gone } = await readLayers(tree, tree.layers);
  await withoutTraps(tree.treeDir, fresh);
  return [...added, ...gone].filter((path) => files.has(path) && !submodules.has(path));
}

/** Level by level, so that an ignored folder is never entered. */
async function leaveOutIgnored({ place, treeDir }: Tree, fresh: readonly FoundEntry[], signal: AbortSignal) {
  const kept: string[] = [];
  let level = await withoutTraps(treeDir, fresh);
  for (let depth = 0; level.length > 0 && depth < DEPTH_MAX; depth++) {
    const paths = level.map(({ path }) => path);
    const ignored = new Set(await askIgnored(place, paths, signal));
    const next: FoundEntry[] = [];
    for (const { path, kind } of level.filter((entry) => !ignored.has(entry.path))) {
      if (kind !== "folder") kept.push(path);
      else
        for (const entry of (await readFolder(treeDir, path)) ?? [])
          next.push({ path: joinPath(path, entry.name), kind: entry.kind });
    }
    level = await withoutTraps(treeDir, next);
  }
  return kept;
}

/**
 * Pipes, sockets and devices are no part of a tree, and a pipe named .gitignore would hold git for ever. A .git below the top
 * was written by sandboxed code: nothing of it is read, what lies beside it is added as files.
 */
async function withoutTraps(treeDir: string, entries: readonly FoundEntry[]): Promise<readonly FoundEntry[]> {
  const kept: FoundEntry[] = [];
  for (const entry of entries) {
    const name = entry.path.slice(entry.path.lastIndexOf("/") + 1).toLowerCase();
    if (entry.kind !== "other" && name !== ".git") kept.push(entry);
    else if (name === ".gitignore" || name === ".gitattributes") await rm(toPath(treeDir, entry.path));
  }
  return kept;
}

async function askIgnored(place: GitPlace, paths: readonly string[], signal: AbortSignal): Promise<string[]> {
  try {
    // The command refuses to take names literally; with a dot before it no name is magic, not even ":(icase)x".
    const args = ["--no-literal-pathspecs", "check-ignore", "--no-index", "-z", "--stdin"];
    const input = joinNames(paths.map((path) => `./${path}`));
    return splitNames(await gitPipe(place, args, { input, signal })).map((path) => path.slice("./".length));
  } catch (error) {
    if (error instanceof GitError && error.exitCode === 1) return []; // None is ignored.
    throw error;
  }
}
