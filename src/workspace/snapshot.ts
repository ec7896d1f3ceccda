/** What a run did to its tree, as git objects in our own store: the tree id, the files changed, the diff, the commit. */
import type { FileChange } from "../outcome.ts";
import { takeCheckpoint } from "./checkpoint.ts";
import { git } from "./git.ts";
import type { GitPlace } from "./git-command.ts";
import { pointTree } from "./lfs-result.ts";
import { refuseTraps } from "./traps.ts";
import type { Workspace } from "./workspace.ts";

/** A diff longer than this (characters) is cut in what people and models read; the commit holds it all. */
export const DIFF_CHARS_MAX = 200_000;

/**
 * Records the tree as it stands, ignored files left out, those that Git LFS keeps as pointers. Refuses what must not leave a sandbox.
 * Resolves to the tree's id.
 */
export async function snapshot(workspace: Workspace, signal: AbortSignal): Promise<string> {
  const { place, baseSha: base } = workspace;
  const { tree: recorded } = await takeCheckpoint(workspace, signal);
  const tree = await pointTree(place, { base, tree: recorded }, signal);
  await refuseTraps(place, base, tree, signal);
  return tree;
}

/** What changed from `base` to `tree`, renames found by similarity. */
export async function listChanges(place: GitPlace, base: string, tree: string): Promise<readonly FileChange[]> {
  const args = ["diff-tree", "-r", "-z", "--find-renames", "--no-ext-diff", "--no-textconv"];
  const names = (await git(place, [...args, "--name-status", base, tree])).split("\0");
  const numbers = (await git(place, [...args, "--numstat", base, tree])).split("\0");
  const counts = readCounts(numbers);
  const changes: FileChange[] = [];
  for (let i = 0; i + 1 < names.length;) {
    const status = names[i] ?? "";
    const isRename = status.startsWith("R");
    const path = names[i + (isRename ? 2 : 1)] ?? "";
    i += isRename ? 3 : 2;
    const [linesAdded, linesDeleted] = counts.get(path) ?? [0, 0];
    changes.push({ path, change: CHANGES[status[0] ?? "M"] ?? "modified", linesAdded, linesDeleted });
  }
  return changes;
}

const CHANGES: Readonly<Record<string, FileChange["change"]>> = {
  A: "added",
  M: "modified",
  T: "modified",
  D: "deleted",
  R: "renamed",
};

/** The unified diff of two commits or trees, from git alone, with `context` lines around each change. */
export async function readDiff(place: GitPlace, base: string, head: string, context = 3): Promise<string> {
  const args = ["diff", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", `--unified=${context}`];
  return git(place, [...args, "--end-of-options", base, head, "--"]);
}

export type CommitText = {
  readonly message: string;
  readonly identity: { readonly name: string; readonly email: string };
  /** Epoch milliseconds. With the same date the same commit has the same id. */
  readonly at?: number;
};

/** Commits `tree` on top of the workspace's base and resolves to the commit's id. Nothing is pushed. */
export async function commitTree(workspace: Workspace, tree: string, text: CommitText): Promise<string> {
  const args = ["commit-tree", tree, "-p", workspace.baseSha, "-m", text.message];
  const { identity, at } = text;
  const dated = at === undefined ? identity : { ...identity, date: `@${Math.floor(at / 1000)} +0000` };
  return (await git(workspace.place, args, { identity: dated })).trim();
}

/** `--numstat -z` gives "added TAB deleted TAB path NUL", for a rename "added TAB deleted TAB NUL old NUL new NUL". */
function readCounts(fields: readonly string[]): Map<string, readonly [number, number]> {
  const counts = new Map<string, readonly [number, number]>();
  for (let i = 0; i < fields.length; i++) {
    const match = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(fields[i] ?? "");
    if (!match) continue;
    const path = match[3] !== "" ? (match[3] ?? "") : (fields[i + 2] ?? "");
    if (match[3] === "") i += 2;
    // "-" stands for a binary file, which has no lines.
    counts.set(path, [Number(match[1]) || 0, Number(match[2]) || 0]);
  }
  return counts;
}
