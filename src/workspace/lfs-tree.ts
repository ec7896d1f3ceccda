/** Files that Git LFS keeps, put into a run's tree in place of their pointers, so that its visible git takes them for unchanged. */
import { constants } from "node:fs";
import { chmod, copyFile, lstat, mkdir, readFile, statfs, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { GitAccess } from "../forge/forge.ts";
import { isThere } from "./evict.ts";
import { stampIndex } from "./index-stamps.ts";
import { listPointers, type Pointed } from "./lfs-paths.ts";
import { POINTER_BYTES_MAX, readPointer } from "./lfs-pointer.ts";
import { download, LfsRefused } from "./lfs-transfer.ts";
import type { Mirror } from "./mirror.ts";
import { giveTo, ownerOf } from "./ownership.ts";
import { isUnchanged, STAMP_MS, stampOf } from "./tree-clock.ts";
import { toPath } from "./walk.ts";
import type { Workspace } from "./workspace.ts";

/** Of one checkout: more than that no run waits for. */
const CHECKOUT_BYTES_MAX = 4 * 1024 ** 3;
/** Of the disk's free room, where two copies of each may lie. */
const FREE_PART_MAX = 0.25;
/** git hashes again what is not older than its index. */
const AGE_MS = 10_000;

/** What stands in the tree for a pointer. */
export type LaidObject = {
  readonly oid: string;
  /** In the mirror. */
  readonly file: string;
  /** The time that the visible index knows it by. */
  readonly at: Date;
};

/**
 * Fetches what the pointers of the tree's commit stand for and lays it into the tree, before any sandboxed code runs. Resolves to the
 * names of the files that stay pointers: the forge does not give them, or they are too many. Throws TransientError when it does not answer.
 */
export async function layObjects(
  workspace: Workspace,
  { mirror, access }: { readonly mirror: Mirror; readonly access: GitAccess },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { place, baseSha, treeDir, memory } = workspace;
  const pointers = await listPresent(treeDir, await listPointers(place, baseSha, signal));
  const taken = await choose(mirror, pointers);
  await fetchObjects(mirror, { taken, access }, signal);
  const at = new Date(Math.floor((Date.now() - AGE_MS) / 1000) * 1000);
  for (const { file, object } of taken) {
    const kept = { oid: object.oid, file: fileOf(mirror, object.oid), at };
    if (await isThere(kept.file)) memory.objects.set(file.path, kept);
  }
  const laid = [...memory.objects.keys()];
  await layAgain(workspace, laid, signal);
  await stampIndex(treeDir, laid);
  const left = pointers.filter(({ file }) => !memory.objects.has(file.path));
  return left.map(({ file }) => Buffer.from(file.path, "latin1").toString());
}

/**
 * Lays those of `paths` in whose place git has written the pointer again. Between two commands of the sandbox, when git has just made sure
 * of the folders on the way.
 */
export async function layAgain({ treeDir, memory }: Workspace, paths: readonly string[], signal: AbortSignal) {
  const laid: string[] = [];
  for (const path of paths) {
    const object = memory.objects.get(path);
    if (object === undefined || (await readPointerAt(treeDir, path)) !== object.oid) continue;
    signal.throwIfAborted();
    const target = toPath(treeDir, path);
    const { mode } = await lstat(target);
    await copyFile(object.file, target, constants.COPYFILE_FICLONE);
    await chmod(target, mode & 0o777); // It has got the other file's.
    await utimes(target, object.at, object.at);
    laid.push(path);
  }
  if (laid.length === 0) return;
  await giveTo(treeDir, await ownerOf(treeDir), laid);
  await delay(STAMP_MS, undefined, { signal });
  for (const path of laid) memory.recorded.set(path, stampOf(await lstat(toPath(treeDir, path)), Date.now()));
}

/** Those of `paths` that are not an object, laid and left alone. */
export async function withoutLaid(
  { treeDir, memory }: Workspace,
  paths: readonly string[],
): Promise<readonly string[]> {
  const others: string[] = [];
  for (const path of paths) {
    const stats = memory.objects.has(path) ? await lstat(toPath(treeDir, path)).catch(() => null) : null;
    if (stats === null || !isUnchanged(memory.recorded.get(path), stats)) others.push(path);
  }
  return others;
}

/** The id in the pointer at `path`, null when another file is there, or none. */
async function readPointerAt(treeDir: string, path: string): Promise<string | null> {
  const target = toPath(treeDir, path);
  const stats = await lstat(target).catch(() => null);
  if (!stats?.isFile() || stats.size > POINTER_BYTES_MAX) return null;
  return readPointer(await readFile(target, "latin1"))?.oid ?? null;
}

/** A sparse tree has only some of its commit's files. */
async function listPresent(treeDir: string, pointers: readonly Pointed[]): Promise<readonly Pointed[]> {
  const present: Pointed[] = [];
  for (const pointer of pointers)
    if ((await readPointerAt(treeDir, pointer.file.path)) === pointer.object.oid) present.push(pointer);
  return present;
}

/** In the order of their names, as many as there is room for. */
async function choose({ gitDir }: Mirror, pointers: readonly Pointed[]): Promise<readonly Pointed[]> {
  const { bavail, bsize } = await statfs(gitDir);
  let left = Math.min(CHECKOUT_BYTES_MAX, bavail * bsize * FREE_PART_MAX);
  return pointers.filter(({ object }) => {
    if (object.bytes > left) return false;
    left -= object.bytes;
    return true;
  });
}

type Fetching = { readonly taken: readonly Pointed[]; readonly access: GitAccess };

/** Into the mirror, as far as the forge gives them. */
async function fetchObjects(mirror: Mirror, { taken, access }: Fetching, signal: AbortSignal): Promise<void> {
  const wanted = new Map(taken.map(({ object }) => [object.oid, object]));
  for (const oid of wanted.keys()) {
    if (await isThere(fileOf(mirror, oid))) wanted.delete(oid);
    else await mkdir(dirname(fileOf(mirror, oid)), { recursive: true, mode: 0o700 });
  }
  const objects = [...wanted.values()];
  try {
    await download(access, { objects, fileOf: (oid) => fileOf(mirror, oid) }, signal);
  } catch (error) {
    // Turned off, or its budget used up: the run goes on with pointers, and says so.
    if (!(error instanceof LfsRefused)) throw error;
  }
}

/** With the mirror they are counted, and removed. */
function fileOf({ gitDir }: Mirror, oid: string): string {
  return join(gitDir, "lfs", oid.slice(0, 2), oid);
}
