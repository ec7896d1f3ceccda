/**
 * The result of a run, kept before it is pushed anywhere: packed out of the mirror into durable storage, and put back into the
 * mirror of a machine that does not have it.
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import type { Kept, Result } from "../store/results.ts";
import type { TaskId } from "../task.ts";
import { git } from "../workspace/git.ts";
import { GitError } from "../workspace/git-command.ts";
import { gitPipe } from "../workspace/git-pipe.ts";
import { findObjects } from "../workspace/lfs-result.ts";
import { hasCommit, type Mirror } from "../workspace/mirror.ts";
import { readParent } from "./push-git.ts";

/** The results of one task, in durable storage. */
export type ResultShelf = {
  readonly save: (result: Result) => Promise<void>;
  readonly find: () => Promise<Result | null>;
  /** Of a bundle, and of a patch: larger ones the database does not take. */
  readonly bytesMax: number;
  /** Where such bundles lie. */
  readonly dir: string;
};

/** A file that the database does not know may be on its way into it for so long: packing takes minutes at most. */
const PACKING_MS_MAX = 24 * 3_600_000;

type Work = { readonly mirror: Mirror; readonly taskId: TaskId; readonly commit: string };

/** Resolves when the commit, which `keepCommit` has brought into the mirror, is durable. */
export async function keepResult(shelf: ResultShelf, work: Work): Promise<void> {
  const { commit, mirror } = work;
  const earlier = await shelf.find();
  if (earlier?.commit === commit) return;
  await mkdir(shelf.dir, { recursive: true, mode: 0o700 });
  const scratch = await mkdtemp(join(shelf.dir, "packing-"));
  try {
    const [bundleFile, patchFile] = [join(scratch, "bundle"), join(scratch, "patch")];
    await writeBundle(work, bundleFile);
    await writePatch(work, patchFile);
    const base = await readParent(mirror, commit);
    const [bundle, patch] = [await readKept(bundleFile, shelf), await readKept(patchFile, shelf)];
    const file = join(shelf.dir, `${work.taskId}-${commit.slice(0, 12)}.bundle`);
    if (bundle.bytes === null) await rename(bundleFile, file);
    await shelf.save({ commit, base, bundle, patch, place: bundle.bytes === null ? `${hostname()}:${file}` : null });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Whether the commit is in the mirror now: from before, or out of its bundle. False when its base is gone from the forge. */
export async function restoreResult(shelf: ResultShelf, { mirror, commit }: Omit<Work, "taskId">): Promise<boolean> {
  if (await hasCommit(mirror, commit)) return true;
  const kept = await shelf.find();
  if (kept?.commit !== commit) return false;
  const bundle = kept.bundle.bytes ?? (kept.place === null ? null : await readPlace(kept.place));
  if (bundle === null || !(await hasCommit(mirror, kept.base))) return false;
  const pack = bundle.subarray(bundle.indexOf(HEADER_END) + HEADER_END.length);
  try {
    await gitPipe(placeOf(mirror), ["index-pack", "--stdin", "--fix-thin", "--strict"], { input: pack });
    const [, objects, ref] = OBJECTS.exec(headerOf(bundle)) ?? [];
    if (objects !== undefined && ref !== undefined) await git(placeOf(mirror), ["update-ref", ref, objects]);
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  }
  return hasCommit(mirror, commit);
}

/** gitformat-bundle(5): lines, an empty one, then the pack. */
const HEADER_END = "\n\n";

/** The reference under which a bundle of ours has its commit. */
export function readBundleRef(bundle: Buffer): string {
  return /^[0-9a-f]{40,64} (refs\/pullwright\/result\/\S+)$/m.exec(headerOf(bundle))?.[1] ?? "HEAD";
}

/** What goes with the commit for Git LFS: lfs-result.ts. */
const OBJECTS = /^([0-9a-f]{40,64}) (refs\/pullwright\/lfs\/[0-9a-f]{40,64})$/m;

function headerOf(bundle: Buffer): string {
  return bundle.subarray(0, bundle.indexOf(HEADER_END)).toString();
}

/** A bundle on this machine; null when it lies on another or was removed. */
export async function readPlace(place: string): Promise<Buffer | null> {
  const host = `${hostname()}:`;
  if (!place.startsWith(host)) return null;
  return readFile(place.slice(host.length)).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  });
}

/** Removes what no result names any more, and what killed workers left. `places` are those of all results, `now` is epoch milliseconds. */
export async function sweepBundles(dir: string, places: readonly string[], now: number): Promise<number> {
  const known = new Set(places.map((place) => basename(place)));
  let removed = 0;
  for (const name of await readdir(dir).catch(() => [])) {
    if (!/^packing-|\.bundle$/.test(name) || known.has(name)) continue;
    const file = join(dir, name);
    const stats = await stat(file).catch(() => null); // Another worker may have removed it.
    if (stats === null || now - stats.mtimeMs < PACKING_MS_MAX) continue;
    await rm(file, { recursive: true, force: true });
    removed += 1;
  }
  return removed;
}

async function writeBundle({ mirror, taskId, commit }: Work, file: string): Promise<void> {
  // A bundle takes references, no commits; another attempt may move ours meanwhile, and must not be taken for this one.
  const ref = `refs/pullwright/result/${taskId}-${commit}`;
  const place = placeOf(mirror);
  const objects = await findObjects(place, commit);
  const refs = [ref, ...(objects === null ? [] : [objects])];
  await git(place, ["update-ref", ref, commit]);
  try {
    await git(place, ["bundle", "create", "--quiet", file, ...refs, "--not", `${commit}^`]);
  } finally {
    await git(place, ["update-ref", "-d", ref]);
  }
}

/** As git-format-patch(1) has it, binary files included: for `git am` and `git apply` alike. */
async function writePatch({ mirror, commit }: Work, file: string): Promise<void> {
  const args = ["format-patch", "-1", `--output=${file}`, "--no-signature", "--binary", "--full-index"];
  await git(placeOf(mirror), [...args, "--no-ext-diff", "--no-textconv", "--end-of-options", commit]);
}

async function readKept(file: string, { bytesMax }: ResultShelf): Promise<Kept> {
  const { size } = await stat(file);
  return { bytes: size <= bytesMax ? await readFile(file) : null, size };
}

function placeOf({ gitDir }: Mirror) {
  return { gitDir, workTree: null };
}
