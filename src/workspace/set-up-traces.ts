/** Takes a set-up's secrets out of a tree again, and what it made out of the run's change. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { splitNames } from "./git-pipe.ts";
import type { GitPlace } from "./git-command.ts";
import { removeTree } from "./remove-tree.ts";
import { toPath } from "./walk.ts";

/** Some gigabytes; a tree that takes longer was made to take longer. */
const SEARCH_MS_MAX = 60_000;

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

async function remove(path: Buffer): Promise<void> {
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
