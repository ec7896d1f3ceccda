/** Replaces a mirror that cannot be used any more by a fresh clone, in one step, so that no run sees half of one. */
import { rename, rm } from "node:fs/promises";
import { git } from "./git.ts";
import { GitError } from "./git-command.ts";

/** `fill` makes the new mirror. Kept commits that were never pushed come along where they can still be read. */
export async function rebuildMirror(gitDir: string, fill: (freshGitDir: string) => Promise<void>): Promise<void> {
  const fresh = `${gitDir}.fresh`;
  const broken = `${gitDir}.broken`;
  for (const left of [fresh, broken]) await rm(left, { recursive: true, force: true });
  try {
    await fill(fresh);
    await saveCommits({ from: gitDir, to: fresh });
    await rename(gitDir, broken);
    await rename(fresh, gitDir);
  } finally {
    for (const left of [fresh, broken]) await rm(left, { recursive: true, force: true });
  }
}

async function saveCommits({ from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  const refs = "+refs/pullwright/*:refs/pullwright/*";
  const args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", `file://${from}`, refs];
  try {
    await git({ gitDir: to, workTree: null }, args, { allowsFile: true });
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
  }
}
