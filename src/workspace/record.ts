/** Brings a run's index up to what its work tree holds, and writes it as a tree: what checkpoints and snapshots are made of. */
import type { Stats } from "node:fs";
import { chmod, lstat } from "node:fs/promises";
import { UserError } from "../failure.ts";
import { listChanged, readKnown, takeChanged, takeIn, takeOut, writeTree } from "./run-index.ts";
import { findTouched } from "./touched.ts";
import { isUnchanged, stampOf } from "./tree-clock.ts";
import { toPath } from "./walk.ts";
import type { Workspace } from "./workspace.ts";

/** More files than this are a mistake (an unpacked archive, dependencies that no .gitignore names), not a change. */
const FILES_MAX = 100_000;

/** Ignored files are left out, and all that is not a file or a link. Resolves to the tree's id. */
export async function recordTree(workspace: Workspace, signal: AbortSignal): Promise<string> {
  const { memory, layers } = workspace;
  const { files } = await readKnown(workspace, signal);
  const { added, gone } = await findTouched(workspace, signal);
  // What was recorded once may be ignored by now, or have been removed without a trace in the upper layer.
  const again = [...memory.recorded.keys()].filter((path) => layers !== null || !files.has(path));
  await record(workspace, [...gone, ...again, ...added], signal);
  if (layers === null && !(await recordChanged(workspace, signal)))
    await record(workspace, await listChanged(workspace, signal), signal);
  return await writeTree(workspace, signal);
}

/** False when each changed file has to be looked at by itself: git takes them as they are, or all of them not. */
async function recordChanged(workspace: Workspace, signal: AbortSignal): Promise<boolean> {
  const { files } = await readKnown(workspace, signal);
  if (files.size > FILES_MAX || workspace.memory.objects.size > 0) return false;
  return await takeChanged(workspace, signal);
}

async function record(workspace: Workspace, touched: readonly string[], signal: AbortSignal): Promise<void> {
  const { treeDir, memory } = workspace;
  const { files, submodules } = await readKnown(workspace, signal);
  const paths = new Set(touched.filter((path) => !isBelow(submodules, path)));
  if (paths.size > FILES_MAX) {
    throw new UserError(
      `The run left ${paths.size} new or changed files, more than the ${FILES_MAX} that one change may have. ` +
        "Name what was generated or installed in `.gitignore`.",
    );
  }
  const { present, absent } = await sortPaths(treeDir, paths);
  const changed = [...present].filter(
    ([path, stats]) => !(files.has(path) && isUnchanged(memory.recorded.get(path), stats)),
  );
  const taken = changed.map(([path]) => path);
  for (const path of [...absent, ...taken]) memory.recorded.set(path, null);
  if (process.getuid?.() !== 0) await makeReadable(treeDir, changed);
  await takeOut(workspace, absent, signal);
  await takeIn(workspace, taken, signal);
  for (const [path, stats] of changed) memory.recorded.set(path, stampOf(stats, Date.now()));
}

/** A folder, pipe or device where a file was is as good as none, and so is what lies behind a link. */
async function sortPaths(treeDir: string, paths: ReadonlySet<string>) {
  const found = new Map<string, Promise<Stats | null>>();
  const look = (path: string): Promise<Stats | null> => {
    const known = found.get(path) ?? read(path);
    found.set(path, known);
    return known;
  };
  const read = async (path: string): Promise<Stats | null> => {
    const end = path.lastIndexOf("/");
    if (end > 0 && !(await look(path.slice(0, end)))?.isDirectory()) return null;
    return await lstat(toPath(treeDir, path)).catch(() => null);
  };
  const present = new Map<string, Stats>();
  const absent: string[] = [];
  for (const path of paths) {
    const stats = await look(path);
    if (stats?.isFile() || stats?.isSymbolicLink()) present.set(path, stats);
    else absent.push(path);
  }
  return { present, absent };
}

/** An ordinary user is refused what a command of the sandbox closed; but it is theirs, so they may open it again. */
async function makeReadable(treeDir: string, files: readonly (readonly [string, Stats])[]): Promise<void> {
  for (const [path, stats] of files) {
    if (stats.isFile() && (stats.mode & 0o400) === 0) await chmod(toPath(treeDir, path), stats.mode | 0o600);
  }
}

/** What lies in a submodule's folder belongs to another repository. */
function isBelow(submodules: ReadonlySet<string>, path: string): boolean {
  if (submodules.size === 0) return false;
  if (submodules.has(path)) return true;
  for (let end = path.indexOf("/"); end > 0; end = path.indexOf("/", end + 1))
    if (submodules.has(path.slice(0, end))) return true;
  return false;
}
