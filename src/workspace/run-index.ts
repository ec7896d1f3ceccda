/**
 * A run's own index: what it holds, kept in step here so that git is asked once, and the ways in which it is changed. git is never led to
 * a pipe, nor into a git directory that sandboxed code wrote where the index has a submodule.
 */
import { lstat, rm } from "node:fs/promises";
import { UserError } from "../failure.ts";
import { type GitPlace, GitError } from "./git-command.ts";
import { gitPipe, joinNames, splitNames } from "./git-pipe.ts";
import { parentOf, toPath } from "./walk.ts";
import type { TreeMemory } from "./workspace.ts";

/** Names are latin1 (walk.ts). */
export type Known = {
  /** Links and submodules among them. */
  readonly files: Set<string>;
  /** Those that files lie in, or once lay in. */
  readonly folders: Set<string>;
  readonly submodules: ReadonlySet<string>;
  /** Files with a new line in their names: then git's words about files may say anything. */
  readonly lined: Set<string>;
};

type Indexed = { readonly place: GitPlace; readonly treeDir: string; readonly memory: TreeMemory };

/** Only what differs from the first index is written each time: of 50,000 files the whole takes 20 ms more for each command. */
const SETTINGS = ["core.splitIndex=true"];
/** Names by what differs from the one before, which makes a third less to read. Sandboxed tools see another index, of git's default version. */
const VERSION = ["--index-version", "4"];

export async function readKnown({ place, memory }: Indexed, signal: AbortSignal): Promise<Known> {
  if (memory.known) return memory.known;
  const files = new Set<string>();
  const submodules = new Set<string>();
  const lined = new Set<string>();
  for (const entry of splitNames(await gitPipe(place, ["ls-files", "-z", "--stage"], { signal }))) {
    const path = entry.slice(entry.indexOf("\t") + 1);
    files.add(path);
    if (path.includes("\n")) lined.add(path);
    if (entry.startsWith("160000 ")) submodules.add(path);
  }
  const folders = new Set<string>();
  for (const path of files) foldersAbove(path, folders);
  // Else git reads the HEAD of whatever repository lies in a submodule's folder, in whatever it is told about ignoring them.
  const args = ["update-index", ...VERSION, "--assume-unchanged", "-z", "--stdin"];
  if (submodules.size > 0)
    await gitPipe(place, args, { input: joinNames([...submodules]), settings: SETTINGS, signal });
  return (memory.known = { files, folders, submodules, lined });
}

/** Writes an index ahead as this file's functions would with the first change; its bulk goes into the git directory (`SHARED_INDEX`). */
export async function splitIndex(place: GitPlace, signal: AbortSignal): Promise<void> {
  await gitPipe(place, ["update-index", ...VERSION], { signal }); // What changes the version is written whole.
  await gitPipe(place, ["update-index", "--split-index"], { settings: SETTINGS, signal });
}

/** Writes an index as git does of itself, for everyone to read. */
export async function joinIndex(place: GitPlace, signal: AbortSignal): Promise<void> {
  await gitPipe(place, ["update-index", "--no-split-index", "--index-version", "2", "--refresh", "-q"], { signal });
}

/** What a split index goes by: gitrepository-layout(5). */
export const SHARED_INDEX = /^sharedindex\.[0-9a-f]+$/;

/** Tracked files that may have been changed or removed, by what the index says of them. No folder may stand where it has a file. */
export async function listChanged({ place }: Pick<Indexed, "place">, signal: AbortSignal): Promise<readonly string[]> {
  const args = ["diff-files", "-z", "--name-only", "--ignore-submodules=all"];
  return splitNames(await gitPipe(place, args, { settings: SETTINGS, signal }));
}

/**
 * Takes in whatever tracked files hold by now, and takes out those that are gone: one command for two, each of which reads the index. False
 * when git refuses any of it, and nothing has been taken in then. No folder may stand where the index has a file.
 */
export async function takeChanged({ place, memory }: Indexed, signal: AbortSignal): Promise<boolean> {
  try {
    const said = await gitPipe(place, ["add", "--update", "--sparse", "--verbose"], { settings: SETTINGS, signal });
    if (said.length === 0) return true;
    memory.tree = null;
    const lines = said.toString("latin1").split("\n").slice(0, -1);
    const named = lines.map((line) => /^(add|remove) '(.+)'$/.exec(line));
    const paths = (verb: string) => named.flatMap((match) => (match?.[1] === verb ? [match[2] ?? ""] : []));
    for (const path of [...paths("add"), ...paths("remove")]) memory.recorded.set(path, null);
    if (memory.known?.lined.size === 0) forget(memory, paths("remove"));
    else memory.known = null;
    return true;
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  }
}

/** Removes what is known from the index. */
export async function takeOut(tree: Indexed, paths: readonly string[], signal: AbortSignal): Promise<void> {
  const { files } = await readKnown(tree, signal);
  const held = paths.filter((path) => files.has(path));
  await update(tree, ["--force-remove", "-z", "--stdin"], joinNames(held), signal);
  forget(tree.memory, held);
}

/** Puts files and links in, as they are in the tree; folders on their way are real ones. Throws UserError for what git refuses. */
export async function takeIn(tree: Indexed, paths: readonly string[], signal: AbortSignal): Promise<void> {
  await readKnown(tree, signal);
  await unblock(tree.treeDir, paths);
  await update(tree, ["--add", "--remove", "--replace", "-z", "--stdin"], joinNames(paths), signal);
  learn(tree.memory, paths);
}

export type Entries = {
  readonly removed: readonly string[];
  readonly written: readonly string[];
  /** As update-index --index-info reads them. */
  readonly lines: Buffer;
};

/** Changes the index alone. */
export async function takeEntries(tree: Indexed, { removed, written, lines }: Entries, signal: AbortSignal) {
  await readKnown(tree, signal);
  await update(tree, ["--replace", "-z", "--index-info"], lines, signal);
  forget(tree.memory, removed);
  learn(tree.memory, written);
}

/** Writes files of the tree as the index has them, over whatever is there. */
export async function writeFiles({ place, treeDir }: Indexed, paths: readonly string[], signal: AbortSignal) {
  if (paths.length === 0) return;
  await unblock(treeDir, paths);
  const args = ["checkout-index", "--force", "--index", "-z", "--stdin"];
  await gitPipe(place, args, { input: joinNames(paths), settings: SETTINGS, signal });
}

/** The index as a tree, whose id it resolves to. */
export async function writeTree({ place, memory }: Indexed, signal: AbortSignal): Promise<string> {
  const ask = async () => (await gitPipe(place, ["write-tree"], { settings: SETTINGS, signal })).toString().trim();
  return (memory.tree ??= await ask());
}

async function update({ place, memory }: Indexed, args: readonly string[], input: Buffer, signal: AbortSignal) {
  if (input.length === 0) return;
  memory.tree = null;
  try {
    await gitPipe(place, ["update-index", ...VERSION, ...args], { input, settings: SETTINGS, signal });
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new UserError(
      "git could not take the run's files in. Most often a `.gitattributes` asks for an encoding that a file does not have, or a name is " +
        "one that git refuses, such as `git~1` or a link called `.gitmodules`. Put it right or ignore the file, and ask again.",
      { cause: error },
    );
  }
}

/** Folders that hold something new are looked at again. */
function learn({ known, seen }: TreeMemory, paths: readonly string[]): void {
  for (const path of paths) {
    if (!known || known.files.has(path)) continue;
    known.files.add(path);
    if (path.includes("\n")) known.lined.add(path);
    seen.delete(parentOf(path));
    for (const folder of foldersAbove(path, known.folders)) seen.delete(parentOf(folder));
  }
}

function forget({ known, seen }: TreeMemory, paths: readonly string[]): void {
  for (const path of paths) {
    known?.files.delete(path);
    seen.delete(parentOf(path));
  }
}

/** Adds the folders above `path` to `folders`. Those that were new. */
function foldersAbove(path: string, folders: Set<string>): readonly string[] {
  const fresh: string[] = [];
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const folder = path.slice(0, end);
    if (folders.has(folder)) break;
    folders.add(folder);
    fresh.push(folder);
  }
  return fresh;
}

/** A pipe called .gitattributes above a file would hold git for ever, also one in a folder that is ignored by now. */
async function unblock(treeDir: string, paths: readonly string[]): Promise<void> {
  const folders = new Set<string>();
  for (const path of paths) foldersAbove(path, folders);
  const isReal = new Map<string, boolean>([["", true]]);
  // Those above first: behind a link lies nothing of ours.
  for (const folder of ["", ...[...folders].sort()]) {
    const stats = isReal.get(parentOf(folder)) ? await lstat(toPath(treeDir, folder)).catch(() => null) : null;
    isReal.set(folder, stats?.isDirectory() ?? false);
    if (!isReal.get(folder)) continue;
    const attributes = toPath(treeDir, folder === "" ? ".gitattributes" : `${folder}/.gitattributes`);
    const found = await lstat(attributes).catch(() => null);
    if (found && !found.isFile() && !found.isSymbolicLink() && !found.isDirectory()) await rm(attributes);
  }
}
