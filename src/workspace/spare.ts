/**
 * A checkout that waits for the next run where no overlay can be mounted: a run takes it by a rename, and another is written while that
 * run works. Only the host has written into it, so all that a run has to do is what differs.
 */
import { copyFile, lchown, lstat, mkdir, open, readdir, readFile, rename, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tryExclusive } from "../file-lock.ts";
import { changeOwner, pickUid } from "../sandbox/owner.ts";
import { isThere } from "./evict.ts";
import { GitError, type GitPlace } from "./git-command.ts";
import { gitPipe, splitNames } from "./git-pipe.ts";
import { endProcessesIn } from "./left-git.ts";
import { copyHistory } from "./history.ts";
import type { Mirror } from "./mirror.ts";
import { giveTo } from "./ownership.ts";
import { removeTree } from "./remove-tree.ts";
import { joinIndex, SHARED_INDEX, splitIndex } from "./run-index.ts";
import { makeSparse } from "./sparse.ts";
import { makeStore, showHistory } from "./stores.ts";
import { DRIFT_FILES_MAX, FILES_MIN, settleIndex, warmDirOf } from "./warm.ts";

/** A tree that is to be `sha`, with our own git directory and index beside it. */
export type Wanted = {
  readonly mirror: Mirror;
  readonly sha: string;
  readonly place: GitPlace;
  readonly treeDir: string;
  /** Folders to check out; all without any. */
  readonly sparse?: readonly string[];
};

/** Writes every file, and the visible .git. Resolves to the uid that all of it belongs to as root, else null. */
export async function writeCheckout({ mirror, sha, place, treeDir, sparse = [] }: Wanted, signal: AbortSignal) {
  await makeSparse(place.gitDir, sparse);
  await gitPipe(place, ["read-tree", "-u", "--reset", sha], { signal });
  await copyHistory({ mirror, sha, place, treeDir }, signal);
  await makeSparse(join(treeDir, ".git"), sparse);
  const owner = process.getuid?.() === 0 ? await pickUid() : null;
  if (owner !== null) {
    // At once: a change of owner later would make git hash each of them again.
    await changeOwner(treeDir, { uid: owner, gid: owner });
    await gitPipe(place, ["update-index", "--refresh", "-q"], { signal });
  }
  await showIndex({ place, treeDir }, owner);
  return owner;
}

/** Fills `treeDir`, an empty folder, with the waiting checkout. Resolves to its owner as `writeCheckout`; false when there is none. */
export async function takeSpare(wanted: Wanted, runDir: string, signal: AbortSignal): Promise<number | null | false> {
  const { mirror, sha, place, treeDir } = wanted;
  const taken = join(runDir, "spare");
  try {
    await rename(join(warmDirOf(mirror), "spare"), taken); // Whoever is first has it.
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EXDEV")) return false;
    throw error;
  }
  const commit = await readFile(join(taken, "commit"), "utf8");
  const changed = commit === sha ? [] : await listDrift(place, commit, sha, signal);
  if (changed === null || changed.length > DRIFT_FILES_MAX) return false;
  await rmdir(treeDir);
  await rename(join(taken, "tree"), treeDir);
  await moveShared(taken, place.gitDir);
  await rename(join(taken, (await isThere(join(taken, SPLIT))) ? SPLIT : "index"), indexOf(place));
  const owner = process.getuid?.() === 0 ? (await lstat(treeDir)).uid : null;
  if (commit === sha) return owner;
  await gitPipe(place, ["read-tree", "-m", "-u", commit, sha], { signal });
  await showHistory(place, treeDir, signal);
  if (owner !== null) {
    await giveTo(treeDir, { uid: owner, gid: owner }, changed);
    await changeOwner(join(treeDir, ".git"), { uid: owner, gid: owner });
  }
  await joinIndex(place, signal);
  await showIndex({ place, treeDir }, owner);
  return owner;
}

/** Writes the next run's checkout, unless one waits or is being written, or the repository is small. */
export async function prepareSpare({ mirror, sha }: Pick<Wanted, "mirror" | "sha">, signal: AbortSignal) {
  const dir = warmDirOf(mirror);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const turn = tryExclusive(join(dir, "spare.turn"));
  if (turn === null) return;
  try {
    if (await isThere(join(dir, "spare"))) return;
    const fresh = join(dir, "spare.new");
    await endProcessesIn(fresh); // A killed worker's git goes on without it.
    await removeTree(fresh);
    const treeDir = join(fresh, "tree");
    await mkdir(treeDir, { recursive: true, mode: 0o755 });
    const place = { gitDir: join(fresh, "store.git"), workTree: treeDir, indexFile: join(fresh, "index") };
    await makeStore(place.gitDir, { mirrorGitDir: mirror.gitDir, sha });
    const owner = await writeCheckout({ mirror, sha, place, treeDir }, signal);
    await settleIndex(place.indexFile, signal);
    await showIndex({ place, treeDir }, owner);
    await copyFile(place.indexFile, join(fresh, SPLIT));
    await splitIndex({ ...place, indexFile: join(fresh, SPLIT) }, signal);
    await moveShared(place.gitDir, fresh);
    await removeTree(place.gitDir);
    await writeFile(join(fresh, "commit"), sha);
    await rename(fresh, join(dir, "spare"));
  } finally {
    turn.release();
  }
}

/** Whether a tree is worth a copy that waits. Before sandboxed code has seen it: the visible index is read, since ours may be split. */
export async function deservesSpare(treeDir: string, filesMin = FILES_MIN): Promise<boolean> {
  await using index = await open(join(treeDir, ".git/index"));
  const { buffer } = await index.read(Buffer.alloc(INDEX_HEAD_BYTES), 0, INDEX_HEAD_BYTES, 0);
  const files = buffer.readUInt32BE(INDEX_COUNT_AT);
  return files >= filesMin;
}

/** Where an index says how many entries it has: gitformat-index(5). */
const INDEX_COUNT_AT = 8;
const INDEX_HEAD_BYTES = 12;

/** Beside the whole one, which workers of an earlier version take. */
const SPLIT = "split-index";

async function moveShared(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) if (SHARED_INDEX.test(name)) await rename(join(from, name), join(to, name));
}

function indexOf(place: GitPlace): string {
  return place.indexFile ?? join(place.gitDir, "index");
}

async function showIndex({ place, treeDir }: Pick<Wanted, "place" | "treeDir">, owner: number | null): Promise<void> {
  const visible = join(treeDir, ".git/index");
  await copyFile(indexOf(place), visible);
  if (owner !== null) await lchown(visible, owner, owner);
}

/** Null for a commit that the mirror no longer has. */
async function listDrift(place: GitPlace, from: string, to: string, signal: AbortSignal) {
  try {
    return splitNames(await gitPipe(place, ["diff-tree", "-r", "-z", "--name-only", from, to], { signal }));
  } catch (error) {
    if (error instanceof GitError) return null;
    throw error;
  }
}
