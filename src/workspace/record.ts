/** Brings a run's index up to what its work tree holds, and writes it as a tree: what checkpoints and snapshots are made of. */
import { chmod, lstat } from "node:fs/promises";
import { UserError } from "../failure.ts";
import { type GitPlace, GitError } from "./git-command.ts";
import { gitPipe, joinNames, splitNames } from "./git-pipe.ts";
import { findTouched } from "./touched.ts";
import { toPath } from "./walk.ts";
import type { Workspace } from "./workspace.ts";

/** More files than this are a mistake (an unpacked archive, dependencies that no .gitignore names), not a change. */
const FILES_MAX = 100_000;

/** Ignored files are left out, and all that is not a file or a link. Resolves to the tree's id. */
export async function recordTree(workspace: Workspace, signal: AbortSignal): Promise<string> {
  const { place, treeDir, memory } = workspace;
  const [{ added, gone }, submodules] = await Promise.all([
    findTouched(workspace, signal),
    memory.submodules ?? listSubmodules(place, signal),
  ]);
  memory.submodules = submodules;
  // What was recorded once may have been removed without a trace in the upper layer.
  const paths = new Set([...gone, ...memory.recorded, ...added].filter((path) => !isBelow(submodules, path)));
  if (paths.size > FILES_MAX) {
    throw new UserError(
      `The run left ${paths.size} new or changed files, more than the ${FILES_MAX} that one change may have. ` +
        "Name what was generated or installed in `.gitignore`.",
    );
  }
  for (const path of paths) memory.recorded.add(path);
  const { present, absent } = await sortPaths(treeDir, paths);
  if (process.getuid?.() !== 0) await makeReadable(treeDir, present);
  await update(place, ["--force-remove", "-z", "--stdin"], absent, signal);
  await update(place, ["--add", "--remove", "--replace", "-z", "--stdin"], present, signal);
  return (await gitPipe(place, ["write-tree"], { signal })).toString().trim();
}

/** A folder, pipe or device where a file was is as good as none, and so is what lies behind a link. */
async function sortPaths(treeDir: string, paths: ReadonlySet<string>) {
  const kinds = new Map<string, Promise<Kind>>();
  const kindOf = (path: string): Promise<Kind> => {
    const known = kinds.get(path) ?? readKind(path);
    kinds.set(path, known);
    return known;
  };
  const readKind = async (path: string): Promise<Kind> => {
    const end = path.lastIndexOf("/");
    if (end > 0 && (await kindOf(path.slice(0, end))) !== "folder") return "absent";
    const stats = await lstat(toPath(treeDir, path)).catch(() => null);
    if (stats?.isDirectory()) return "folder";
    return stats?.isFile() || stats?.isSymbolicLink() ? "present" : "absent";
  };
  const present: string[] = [];
  const absent: string[] = [];
  for (const path of paths) ((await kindOf(path)) === "present" ? present : absent).push(path);
  return { present, absent };
}

type Kind = "present" | "folder" | "absent";

/** An ordinary user is refused what a command of the sandbox closed; but it is theirs, so they may open it again. */
async function makeReadable(treeDir: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const stats = await lstat(toPath(treeDir, path));
    if (stats.isFile() && (stats.mode & 0o400) === 0) await chmod(toPath(treeDir, path), stats.mode | 0o600);
  }
}

async function update(place: GitPlace, args: readonly string[], paths: readonly string[], signal: AbortSignal) {
  if (paths.length === 0) return;
  try {
    await gitPipe(place, ["update-index", ...args], { input: joinNames(paths), signal });
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new UserError(
      "git could not take the run's files in. Most often a `.gitattributes` asks for an encoding that a file does not have, or a name is " +
        "one that git refuses, such as `git~1` or a link called `.gitmodules`. Put it right or ignore the file, and ask again.",
      { cause: error },
    );
  }
}

async function listSubmodules(place: GitPlace, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const entries = splitNames(await gitPipe(place, ["ls-files", "-z", "--stage"], { signal }));
  const links = entries.filter((entry) => entry.startsWith("160000 "));
  return new Set(links.map((entry) => entry.slice(entry.indexOf("\t") + 1)));
}

/** What lies in a submodule's folder belongs to another repository. */
function isBelow(submodules: ReadonlySet<string>, path: string): boolean {
  if (submodules.size === 0) return false;
  if (submodules.has(path)) return true;
  for (let end = path.indexOf("/"); end > 0; end = path.indexOf("/", end + 1))
    if (submodules.has(path.slice(0, end))) return true;
  return false;
}
