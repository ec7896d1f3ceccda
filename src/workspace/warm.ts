/**
 * Warm checkouts: trees that are already written, beside the mirror they come from, so that a run of a large repository
 * writes what differs only. A run never writes one; while any run borrows it, nobody does.
 */
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type FileLock, lockExclusive, tryExclusive, tryShared } from "../file-lock.ts";
import { GitError } from "./git-command.ts";
import { gitPipe, splitNames } from "./git-pipe.ts";
import { endProcessesIn } from "./left-git.ts";
import type { Mirror } from "./mirror.ts";
import { canMountOverlay } from "./overlay.ts";
import { LOOSE_STAT, makeStore, showHistory } from "./stores.ts";

/** Below this many files writing them takes less time than keeping a second copy is worth. */
export const FILES_MIN = 2000;
/** Per repository: the base branch, and one more while runs hold the first. Each is as large as the tree. */
const SLOTS_MAX = 2;
/** Files that may differ before a run's overlay would write more than it saves, and the checkout is brought up to date first. */
export const DRIFT_FILES_MAX = 2000;
/** Writing a checkout of a very large repository to a slow disk takes minutes. */
const BUILD_MS_MAX = 900_000;

export type Warm = {
  readonly treeDir: string;
  readonly indexFile: string;
  readonly commit: string;
  /** Files that differ between `commit` and what was asked for. */
  readonly driftFiles: number;
  release(): void;
};

type Wanted = { readonly mirror: Mirror; readonly sha: string };
type Slot = { readonly dir: string; readonly commit: string | null; readonly driftFiles: number };

/** Whether a run of `sha` should be shown a warm checkout. Asks git once per repository, and the kernel at `scratchDir`. */
export async function deservesWarm(
  {
    mirror,
    sha,
    scratchDir,
    filesMin = FILES_MIN,
  }: Wanted & { readonly scratchDir: string; readonly filesMin?: number | undefined },
  signal: AbortSignal,
): Promise<boolean> {
  if (process.getuid?.() !== 0 || filesMin === Infinity) return false;
  if ((await listSlots(warmDirOf(mirror))).length > 0) return true;
  return (await countFiles({ mirror, sha }, signal)) >= filesMin && (await canMountOverlay(scratchDir));
}

export async function countFiles({ mirror, sha }: Wanted, signal: AbortSignal): Promise<number> {
  const place = { gitDir: mirror.gitDir, workTree: null };
  return splitNames(await gitPipe(place, ["ls-tree", "-r", "-z", "--name-only", sha], { signal })).length;
}

/** The checkout nearest to `sha`, written or brought up to date when none is near. The caller releases it. */
export async function borrowWarm(wanted: Wanted, signal: AbortSignal): Promise<Warm> {
  const dir = warmDirOf(wanted.mirror);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  // Held while a checkout is written, too: a second run waits for it rather than writing the same one.
  const turn = await lockExclusive(join(dir, "turn"), BUILD_MS_MAX);
  try {
    const slots = await Promise.all((await listSlots(dir)).map((name) => readSlot(join(dir, name), wanted, signal)));
    const near = slots.toSorted((a, b) => a.driftFiles - b.driftFiles)[0];
    if (near && near.driftFiles <= DRIFT_FILES_MAX) return borrow(near);
    const free = await takeFreeSlot(dir, slots);
    // All are in use: the nearest one will do.
    if (free === null) return borrow(near ?? fail());
    try {
      await writeSlot(free.dir, wanted, signal);
    } finally {
      free.lock.release();
    }
    return borrow({ dir: free.dir, commit: wanted.sha, driftFiles: 0 });
  } finally {
    turn.release();
  }
}

/** Brings the checkout a run borrowed up to the run's own start, unless another run holds it. */
export async function refreshWarm(wanted: Wanted, treeDir: string, signal: AbortSignal): Promise<void> {
  const dir = warmDirOf(wanted.mirror);
  const slot = join(treeDir, "..");
  const turn = tryExclusive(join(dir, "turn"));
  if (turn === null) return;
  try {
    const lock = tryExclusive(`${slot}.use`);
    if (lock === null) return;
    try {
      await writeSlot(slot, wanted, signal);
    } finally {
      lock.release();
    }
  } finally {
    turn.release();
  }
}

export function warmDirOf({ gitDir }: Mirror): string {
  return gitDir.replace(/(\.git)?$/, ".warm");
}

async function listSlots(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir).catch(() => []);
  return names.filter((name) => /^\d+$/.test(name));
}

async function readSlot(dir: string, { sha }: Wanted, signal: AbortSignal): Promise<Slot> {
  const commit = await readFile(join(dir, "commit"), "utf8").catch(() => null);
  if (commit === null) return { dir, commit, driftFiles: Infinity };
  if (commit === sha) return { dir, commit, driftFiles: 0 };
  const place = { gitDir: join(dir, "store.git"), workTree: null };
  // A commit that the mirror no longer has, after a repair, cannot be compared.
  const differing = await gitPipe(place, ["diff-tree", "-r", "-z", "--name-only", commit, sha], { signal }).catch(
    () => null,
  );
  return { dir, commit, driftFiles: differing === null ? Infinity : splitNames(differing).length };
}

function borrow({ dir, commit, driftFiles }: Slot): Warm {
  const lock = tryShared(`${dir}.use`);
  if (lock === null || commit === null) return fail();
  const release = () => lock.release();
  return { treeDir: join(dir, "tree"), indexFile: join(dir, "index"), commit, driftFiles, release };
}

function fail(): never {
  throw new Error("A warm checkout is in use while nobody may use it.");
}

/** A new one, or the one least like what is wanted that nobody holds. */
async function takeFreeSlot(
  dir: string,
  slots: readonly Slot[],
): Promise<{ readonly dir: string; readonly lock: FileLock } | null> {
  for (const slot of slots.toSorted((a, b) => b.driftFiles - a.driftFiles)) {
    if (slots.length < SLOTS_MAX && slot.commit !== null) continue;
    const lock = tryExclusive(`${slot.dir}.use`);
    if (lock) return { dir: slot.dir, lock };
  }
  if (slots.length >= SLOTS_MAX) return null;
  const used = slots.map((slot) => slot.dir);
  const fresh = ["0", "1"].map((name) => join(dir, name)).find((path) => !used.includes(path)) ?? fail();
  const lock = tryExclusive(`${fresh}.use`);
  return lock && { dir: fresh, lock };
}

/** Without its `commit` file a slot is rubbish: that is how one that a dead worker left half-written is known. */
async function writeSlot(dir: string, wanted: Wanted, signal: AbortSignal): Promise<void> {
  const before = await readFile(join(dir, "commit"), "utf8").catch(() => null);
  await endProcessesIn(dir); // The git of a killed worker may still be writing it.
  await rm(join(dir, "commit"), { force: true });
  if (before === null || !(await moveSlot(dir, { ...wanted, before }, signal))) await fillSlot(dir, wanted, signal);
  await settle(dir, signal);
  await writeFile(join(dir, "commit.new"), wanted.sha);
  await rename(join(dir, "commit.new"), join(dir, "commit"));
}

async function fillSlot(dir: string, { mirror, sha }: Wanted, signal: AbortSignal): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir);
  await mkdir(join(dir, "tree"), { mode: 0o755 });
  await makeStore(join(dir, "store.git"), { mirrorGitDir: mirror.gitDir, sha });
  await gitPipe(placeOf(dir), ["read-tree", "-u", "--reset", sha], { signal });
  await showHistory(placeOf(dir), join(dir, "tree"), signal);
}

/** Writes what differs only. False when that did not work, which leaves the slot for `fillSlot`. */
async function moveSlot(
  dir: string,
  { sha, before }: Wanted & { readonly before: string },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await gitPipe(placeOf(dir), ["update-ref", "refs/heads/run", sha], { signal });
    await gitPipe(placeOf(dir), ["read-tree", "-m", "-u", before, sha], { signal, settings: LOOSE_STAT });
    await showHistory(placeOf(dir), join(dir, "tree"), signal);
    return true;
  } catch (error) {
    if (error instanceof GitError && !signal.aborted) return false;
    throw error;
  }
}

/**
 * git hashes again what was written in the same second as the index ("racy"). So the index is made a second younger than the
 * newest file; then it also becomes the index of the visible .git.
 */
async function settle(dir: string, signal: AbortSignal): Promise<void> {
  const index = join(dir, "index");
  await settleIndex(index, signal);
  await writeFile(join(dir, "tree/.git/index"), await readFile(index));
}

/** Waits for the next second, at most one, and gives the index that time. */
export async function settleIndex(index: string, signal: AbortSignal): Promise<void> {
  const { mtimeMs } = await stat(index);
  const nextSecondMs = (Math.floor(mtimeMs / 1000) + 1) * 1000;
  await delay(Math.max(0, nextSecondMs - Date.now() + 5), undefined, { signal });
  const now = new Date();
  await utimes(index, now, now);
}

function placeOf(dir: string) {
  return { gitDir: join(dir, "store.git"), workTree: join(dir, "tree"), indexFile: join(dir, "index") };
}
