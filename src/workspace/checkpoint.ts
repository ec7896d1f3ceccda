/**
 * The work tree at one moment, as a git tree in the run's own store: to go back to, and to go on from on another machine.
 * Modes, links, deletions and names are exact; ignored files and empty folders are left out, as in any commit.
 */
import { chmod, lstat, rmdir, unlink } from "node:fs/promises";
import { gitPipe, joinNames } from "./git-pipe.ts";
import { layAgain } from "./lfs-tree.ts";
import { giveTo, ownerOf } from "./ownership.ts";
import { GONE, readRawDiff } from "./raw-diff.ts";
import { recordTree } from "./record.ts";
import { type Entries, takeEntries, writeFiles } from "./run-index.ts";
import { toPath } from "./walk.ts";
import type { Workspace } from "./workspace.ts";

export type Checkpoint = {
  /** Id of the git tree. */
  readonly tree: string;
  /** What its packs borrow from: every machine has it from the forge. */
  readonly baseSha: string;
};

/** Between two commands of the sandbox, never during one. */
export async function takeCheckpoint(workspace: Workspace, signal: AbortSignal): Promise<Checkpoint> {
  return { tree: await recordTree(workspace, signal), baseSha: workspace.baseSha };
}

/** Of a tree that nobody has touched. */
export async function readBaseTree({ place, baseSha }: Workspace, signal: AbortSignal): Promise<string> {
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${baseSha}^{tree}`];
  return (await gitPipe(place, args, { signal })).toString().trim();
}

/** Makes the work tree what it was, ignored files left as they are. Between two commands of the sandbox. */
export async function restoreCheckpoint(
  workspace: Workspace,
  checkpoint: Checkpoint,
  signal: AbortSignal,
): Promise<void> {
  const { treeDir, memory } = workspace;
  const now = await recordTree(workspace, signal);
  if (now === checkpoint.tree) return;
  const wanted = await readDifference(workspace, { from: now, to: checkpoint.tree }, signal);
  const owner = await ownerOf(treeDir);
  for (const path of wanted.removed) await removeFile(treeDir, path);
  // By its entries: read-tree would look at every file, or forget the ids of all folders, which the next checkpoint needs.
  await takeEntries(workspace, wanted, signal);
  if (process.getuid?.() !== 0) for (const path of wanted.written) await openFolderOf(treeDir, path);
  await writeFiles(workspace, wanted.written, signal);
  for (const path of wanted.written) memory.recorded.set(path, null);
  await giveTo(treeDir, owner, wanted.written);
  await layAgain(workspace, wanted.written, signal);
}

/** The objects that `previous` (or else the base) does not have. Empty when there are none. */
export async function packCheckpoint(
  workspace: Workspace,
  { checkpoint, previous }: { readonly checkpoint: Checkpoint; readonly previous: Checkpoint | null },
  signal: AbortSignal,
): Promise<Buffer> {
  const without = [`${checkpoint.baseSha}^{tree}`, ...(previous ? [previous.tree] : [])];
  const input = [checkpoint.tree, ...without.map((id) => `^${id}`), ""].join("\n");
  const args = ["pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset", "-q"];
  const pack = await gitPipe(workspace.place, args, { input, signal });
  return pack.readUInt32BE(PACK_COUNT_AT) === 0 ? Buffer.alloc(0) : pack;
}

/** Where a pack says how many objects it has: gitformat-pack(5). */
const PACK_COUNT_AT = 8;

/** Takes in what `packCheckpoint` made, in the order it was made. Throws GitError when a pack before it is missing. */
export async function unpackCheckpoint(workspace: Workspace, pack: Buffer, signal: AbortSignal): Promise<void> {
  if (pack.length === 0) return;
  await gitPipe(workspace.place, ["index-pack", "--stdin", "--fix-thin", "--strict"], { input: pack, signal });
}

async function readDifference(
  { place }: Workspace,
  { from, to }: { readonly from: string; readonly to: string },
  signal: AbortSignal,
): Promise<Entries> {
  const removed: string[] = [];
  const written: string[] = [];
  const lines: string[] = [];
  for (const { path, mode, id } of await readRawDiff(place, { from, to }, signal)) {
    const isRemoved = mode === GONE;
    (isRemoved ? removed : written).push(path);
    // What goes makes room for what comes: a folder where a file was.
    lines[isRemoved ? "unshift" : "push"](`${mode} ${id}\t${path}`);
  }
  return { removed, written, lines: joinNames(lines) };
}

/** And the folders that it leaves empty. Its folders are real: the index has just been brought up to date. */
async function removeFile(treeDir: string, path: string): Promise<void> {
  if (process.getuid?.() !== 0) await openFolderOf(treeDir, path);
  await unlink(toPath(treeDir, path));
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    try {
      await rmdir(toPath(treeDir, path.slice(0, end)));
    } catch (error) {
      if (error instanceof Error && "code" in error && (error.code === "ENOTEMPTY" || error.code === "EEXIST")) return;
      throw error;
    }
  }
}

/** Whoever owns a folder may change what is in it, once they allow it to themselves. */
async function openFolderOf(treeDir: string, path: string): Promise<void> {
  for (let end = path.indexOf("/"); end > 0; end = path.indexOf("/", end + 1)) {
    const folder = toPath(treeDir, path.slice(0, end));
    const stats = await lstat(folder).catch(() => null);
    if (!stats?.isDirectory()) return;
    if ((stats.mode & 0o700) !== 0o700) await chmod(folder, stats.mode | 0o700);
  }
}
