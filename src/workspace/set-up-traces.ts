/** What a set-up leaves in a tree: what it made, which is no part of the run's change, what it did to tracked files, and its secrets. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { splitNames } from "./git-pipe.ts";
import type { GitPlace } from "./git-command.ts";
import { layAgain, withoutLaid } from "./lfs-tree.ts";
import { giveTo, ownerOf } from "./ownership.ts";
import { removeTree } from "./remove-tree.ts";
import { listChanged, readKnown, writeFiles } from "./run-index.ts";
import { findStrange } from "./strange.ts";
import { findDisplaced } from "./touched.ts";
import { joinPath, readFolder, toPath, type TreePath } from "./walk.ts";
import type { Workspace } from "./workspace.ts";

/** Some gigabytes; a tree that takes longer was made to take longer. */
const SEARCH_MS_MAX = 60_000;

/** Tracked files as the commit has them: what a set-up did to them is neither kept nor part of a change. Resolves to their names. */
export async function putBackTracked(workspace: Workspace, signal: AbortSignal): Promise<readonly string[]> {
  const { treeDir, layers } = workspace;
  const owner = await ownerOf(treeDir);
  const displaced = await withoutLaid(workspace, await findDisplaced(workspace, signal));
  await writeFiles(workspace, displaced, signal);
  const changed = layers === null ? await withoutLaid(workspace, await listChanged(workspace, signal)) : [];
  await writeFiles(workspace, changed, signal);
  const names = [...displaced, ...changed];
  await giveTo(treeDir, owner, names);
  await layAgain(workspace, names, signal);
  return names;
}

/**
 * Files and folders of the tree that the index does not know, ignored or not, each as high as it can be named. Found without git, which
 * would open repositories among them. Names are latin1 (walk.ts).
 */
export async function listMade(workspace: Workspace, signal: AbortSignal): Promise<readonly string[]> {
  const { treeDir, memory } = workspace;
  const known = await readKnown(workspace, signal);
  const made = [...(await findStrange({ treeDir, seen: memory.seen }, known, signal))];
  for (const folder of known.submodules)
    for (const { name, kind } of (await readFolder(treeDir, folder)) ?? [])
      made.push({ path: joinPath(folder, name), kind });
  return made
    .filter(({ kind }) => kind !== "other")
    .map(({ path }) => path)
    .sort();
}

/**
 * Removes each file that holds one of `values` as it is, also in the throw-away .git; when the tree cannot be searched whole, all that
 * was made. What a set-up encoded is not found. Resolves to whether anything was removed.
 */
export async function removeSecrets(
  { treeDir, made }: { readonly treeDir: string; readonly made: readonly string[] },
  values: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const { isWhole, paths } = await search(treeDir, values, signal);
  const doomed = isWhole ? paths : [...paths, ...made, ".git"];
  for (const path of doomed) await remove(toPath(treeDir, path));
  return doomed.length > 0;
}

async function remove(path: TreePath): Promise<void> {
  // Only a name in bytes names every file; only removeTree opens closed folders.
  await rm(path, { recursive: true, force: true }).catch(() => removeTree(path.toString()));
}

/** As grep finds files by itself, it follows no links. The values come by a pipe: others may read a process's arguments. */
async function search(treeDir: string, values: readonly string[], signal: AbortSignal) {
  const args = ["-rlZF", "--binary-files=text", "--devices=skip", "--file=-", "--", "."];
  const child = spawn("grep", args, {
    ...{ cwd: treeDir, env: { PATH: "/usr/bin:/bin", LC_ALL: "C" }, stdio: ["pipe", "pipe", "ignore"] },
    ...{ timeout: SEARCH_MS_MAX, killSignal: "SIGKILL", signal },
  });
  child.stdin.on("error", () => {}).end(values.join("\n"));
  const [found, ended] = await Promise.all([buffer(child.stdout), once(child, "close")]);
  return { isWhole: ended[0] === 0 || ended[0] === 1, paths: splitNames(found) };
}

/** Files that no .gitignore names would else become part of the change. Names are latin1 (walk.ts). */
export async function leaveOut({ gitDir }: GitPlace, made: readonly string[]): Promise<void> {
  // A pattern ends with its line, so a name that has a new line in it cannot be one.
  const lines = made
    .filter((path) => !path.includes("\n"))
    .map((path) => `/${path.replaceAll(/[\\*?[\]#! ]/g, "\\$&")}\n`);
  await appendFile(join(gitDir, "info/exclude"), Buffer.from(lines.join(""), "latin1"));
}
