/**
 * What of a run's change belongs to Git LFS: the tree to commit has pointers, and the files themselves go along as blobs of a commit
 * that no branch ever gets, so that whatever keeps the one keeps the other.
 */
import { createHash } from "node:crypto";
import { type GitPlace, GitError } from "./git-command.ts";
import { gitPipe, joinNames, splitNames } from "./git-pipe.ts";
import { keptByLfs, withIndex, type TreeFile } from "./lfs-paths.ts";
import { type LfsObject, readPointer, renderPointer } from "./lfs-pointer.ts";

/** Held in memory while it is sent. What is larger stays in git, whose forge says what it thinks of it. */
const OBJECT_BYTES_MAX = 256 * 1024 * 1024;

/** Of the commit that holds the objects of a tree. */
export function objectsRef(tree: string): string {
  return `refs/pullwright/lfs/${tree}`;
}

/** `tree` as git-lfs would commit it on `base`. Resolves to its id, which is `tree` where nothing belongs to Git LFS. */
export async function pointTree(
  place: GitPlace,
  { base, tree }: { readonly base: string; readonly tree: string },
  signal: AbortSignal,
): Promise<string> {
  const changed = await listWritten(place, { base, tree }, signal);
  const kept = await keptByLfs(place, { commit: base, paths: changed.map(({ path }) => path) }, signal);
  const files = changed.filter(({ path }) => kept.has(path));
  if (files.length === 0) return tree;
  const lines: string[] = [];
  const held = new Map<string, string>();
  for (const { id, mode, path } of await weigh(place, files, signal)) {
    const bytes = await gitPipe(place, ["cat-file", "blob", id], { signal });
    if (readPointer(bytes.toString("latin1")) !== null) continue;
    const oid = createHash("sha256").update(bytes).digest("hex");
    const input = renderPointer({ oid, bytes: bytes.length });
    const pointer = (await gitPipe(place, ["hash-object", "-w", "--stdin"], { input, signal })).toString().trim();
    lines.push(`${mode} ${pointer}\t${path}`);
    held.set(oid, id);
  }
  if (lines.length === 0) return tree;
  const pointed = await withIndex(place, async (own) => {
    await gitPipe(own, ["read-tree", tree], { signal });
    await gitPipe(own, ["update-index", "-z", "--index-info"], { input: joinNames(lines), signal });
    return (await gitPipe(own, ["write-tree"], { signal })).toString().trim();
  });
  await hold(place, { tree: pointed, held }, signal);
  return pointed;
}

export type HeldObjects = {
  readonly objects: readonly LfsObject[];
  readonly read: (oid: string) => Promise<Uint8Array>;
};

/** What goes with a commit of ours; null when nothing does. */
export async function readObjects(place: GitPlace, commit: string, signal: AbortSignal): Promise<HeldObjects | null> {
  const tree = (await gitPipe(place, ["rev-parse", "--verify", "--end-of-options", `${commit}^{tree}`], { signal }))
    .toString()
    .trim();
  if (!(await hasRef(place, objectsRef(tree), signal))) return null;
  const listed = splitNames(await gitPipe(place, ["ls-tree", "-l", "-z", objectsRef(tree)], { signal }));
  const objects = listed.flatMap((line): LfsObject[] => {
    const [, size, oid] = / (\d+)\t([0-9a-f]{64})$/.exec(line) ?? [];
    return oid === undefined ? [] : [{ oid, bytes: Number(size) }];
  });
  return { objects, read: (oid) => gitPipe(place, ["cat-file", "blob", `${objectsRef(tree)}:${oid}`], { signal }) };
}

export async function hasRef(place: GitPlace, ref: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await gitPipe(place, ["show-ref", "--verify", "--quiet", ref], signal ? { signal } : {});
    return true;
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  }
}

type Written = Omit<TreeFile, "bytes">;

async function listWritten(
  place: GitPlace,
  { base, tree }: { readonly base: string; readonly tree: string },
  signal: AbortSignal,
): Promise<readonly Written[]> {
  const args = ["diff-tree", "-r", "-z", "--no-renames", "--raw", "--diff-filter=d", base, tree];
  const fields = splitNames(await gitPipe(place, args, { signal }));
  return fields.flatMap((field, i) => {
    const [, mode = "", , id = ""] = i % 2 === 0 ? field.split(" ") : [];
    return mode.startsWith("100") ? [{ mode, id, path: fields[i + 1] ?? "" }] : [];
  });
}

/** Those that Git LFS takes: an empty file is its own pointer (spec.md). */
async function weigh(place: GitPlace, files: readonly Written[], signal: AbortSignal): Promise<readonly Written[]> {
  const input = files.map(({ id }) => `${id}\n`).join("");
  const said = await gitPipe(place, ["cat-file", "--batch-check=%(objectsize)"], { input, signal });
  const sizes = said.toString().split("\n").map(Number);
  return files.filter((_, i) => (sizes[i] ?? 0) > 0 && (sizes[i] ?? 0) <= OBJECT_BYTES_MAX);
}

type Held = { readonly tree: string; readonly held: ReadonlyMap<string, string> };

/** The same objects make the same commit. */
async function hold(place: GitPlace, { tree, held }: Held, signal: AbortSignal): Promise<void> {
  const input = [...held].map(([oid, id]) => `100644 blob ${id}\t${oid}\0`).join("");
  const folder = (await gitPipe(place, ["mktree", "-z"], { input, signal })).toString().trim();
  const identity = { name: "Pullwright", email: "pullwright@localhost", date: "@0 +0000" };
  const args = ["commit-tree", folder, "-m", "Files that Git LFS keeps"];
  const commit = (await gitPipe(place, args, { identity, signal })).toString().trim();
  await gitPipe(place, ["update-ref", objectsRef(tree), commit], { signal });
}
