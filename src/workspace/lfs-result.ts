/**
 * What of a run's change belongs to Git LFS: the tree to commit has pointers, and the files themselves go along as blobs of a commit
 * that no branch ever gets, so that whatever keeps the one keeps the other.
 */
import { createHash } from "node:crypto";
import { type GitPlace, GitError } from "./git-command.ts";
import { gitPipe, joinNames, splitNames } from "./git-pipe.ts";
import { keptByLfs, withIndex } from "./lfs-paths.ts";
import { type LfsObject, readPointer, renderPointer } from "./lfs-pointer.ts";
import { type RawChange, readRawDiff, weighBlobs } from "./raw-diff.ts";

/** Held in memory while it is sent. What is larger stays in git, whose forge says what it thinks of it. */
const OBJECT_BYTES_MAX = 256 * 1024 * 1024;

/** Of the commit that holds the objects of a tree. */
function objectsRef(tree: string): string {
  return `refs/pullwright/lfs/${tree}`;
}

/** The reference of what goes with a commit of ours; null when nothing does. */
export async function findObjects(place: GitPlace, commit: string, signal?: AbortSignal): Promise<string | null> {
  const options = signal ? { signal } : {};
  const args = ["rev-parse", "--verify", "--end-of-options", `${commit}^{tree}`];
  const ref = objectsRef((await gitPipe(place, args, options)).toString().trim());
  try {
    await gitPipe(place, ["show-ref", "--verify", "--quiet", ref], options);
    return ref;
  } catch (error) {
    if (error instanceof GitError) return null;
    throw error;
  }
}

type Change = { readonly base: string; readonly tree: string };

/** `tree` as git-lfs would commit it on `base`. Resolves to its id, which is `tree` where nothing belongs to Git LFS. */
export async function pointTree(place: GitPlace, { base, tree }: Change, signal: AbortSignal): Promise<string> {
  const lines: string[] = [];
  const held = new Map<string, string>();
  for (const { id, mode, path } of await listWritten(place, { base, tree }, signal)) {
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
  const ref = await findObjects(place, commit, signal);
  if (ref === null) return null;
  const listed = splitNames(await gitPipe(place, ["ls-tree", "-l", "-z", ref], { signal }));
  const objects = listed.flatMap((line): LfsObject[] => {
    const [, size, oid] = / (\d+)\t([0-9a-f]{64})$/.exec(line) ?? [];
    return oid === undefined ? [] : [{ oid, bytes: Number(size) }];
  });
  return { objects, read: (oid) => gitPipe(place, ["cat-file", "blob", `${ref}:${oid}`], { signal }) };
}

/** Files of `tree` that `base` has not, as Git LFS takes them: an empty one is its own pointer (spec.md). */
async function listWritten(
  place: GitPlace,
  { base, tree }: Change,
  signal: AbortSignal,
): Promise<readonly RawChange[]> {
  const changes = await readRawDiff(place, { from: base, to: tree }, signal);
  const written = changes.filter(({ mode }) => mode.startsWith("100"));
  const paths = written.map(({ path }) => path);
  const kept = await keptByLfs(place, { commit: base, paths }, signal);
  const files = written.filter(({ path }) => kept.has(path));
  if (files.length === 0) return [];
  const ids = files.map(({ id }) => id);
  const sizes = await weighBlobs(place, ids, signal);
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
