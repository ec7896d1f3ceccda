/** One bare mirror per repository and machine, so that a run fetches only what is new. It holds no remote and no credential. */
import { mkdir, readdir, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { GitAccess } from "../forge/forge.ts";
import { lockExclusive, tryExclusive, tryShared } from "../file-lock.ts";
import type { RepoRef } from "../repo-event.ts";
import { BLOBLESS_KILOBYTES_MIN, fillCommits, isBlobless, makeBlobless, promisedFrom } from "./blobless.ts";
import { git, gitOverNetwork } from "./git.ts";
import { GitError } from "./git-command.ts";
import { evictMirrors, isThere } from "./evict.ts";
import { gitPipe } from "./git-pipe.ts";
import { findObjects } from "./lfs-result.ts";
import { unmountBelow } from "./overlay.ts";
import { rebuildMirror } from "./rebuild.ts";
import { warmCheckout } from "./warm-checkout.ts";

export type Mirror = { readonly gitDir: string };

/** In use until it is disposed of: that long it is not removed to make room. */
export type OpenMirror = Mirror & Disposable;

/** The first fetch of a very large repository takes this long on a slow line; who waits for it gives the task back after. */
const TURN_MS_MAX = 1_800_000;

export type MirrorLimits = {
  /** Above it the repositories that were not used for longest are removed; null for half of the disk. */
  readonly bytesMax: number | null;
  /** What the forge calls at least as large is mirrored without its files (blobless.ts). */
  readonly bloblessKilobytesMin: number;
};
const LIMITS: MirrorLimits = { bytesMax: null, bloblessKilobytesMin: BLOBLESS_KILOBYTES_MIN };

type Wanted = {
  readonly repo: RepoRef;
  readonly pulls: readonly number[];
  readonly access: GitAccess;
  /** Of a mirror that is made anew; one that is there stays what it is. */
  readonly isBlobless: boolean;
};

/** Fetches are serialised per mirror, also between processes: two gits that move the same refs fail on each other's locks. */
export class Mirrors {
  readonly #dir: string;
  readonly #limits: MirrorLimits;

  constructor(dir: string, limits: Partial<MirrorLimits> = {}) {
    this.#dir = dir;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Brings the branches, and the heads of `pulls`, up to date. Throws TransientError when the forge cannot be reached. */
  async fetch(repo: RepoRef, pulls: readonly number[], access: GitAccess, signal: AbortSignal): Promise<OpenMirror> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const gitDir = join(this.#dir, `${repo.id}.git`);
    using undo = new DisposableStack();
    const isNew = !(await isThere(join(gitDir, "HEAD")));
    {
      using turn = new DisposableStack();
      const lock = await lockExclusive(join(this.#dir, `${repo.id}.turn`), TURN_MS_MAX);
      turn.defer(() => lock.release());
      const use = tryShared(join(this.#dir, `${repo.id}.use`));
      if (use === null) throw new Error("A mirror was being removed without its turn.");
      undo.defer(() => use.release());
      const isBlobless = (access.kilobytes ?? 0) >= this.#limits.bloblessKilobytesMin;
      await fetchOrRebuild(gitDir, { repo, pulls, access, isBlobless }, signal);
      const now = new Date();
      await utimes(join(this.#dir, `${repo.id}.use`), now, now);
    }
    // Later fetches add little; it is new repositories that fill a disk.
    if (isNew) await evictMirrors(this.#dir, this.#limits.bytesMax);
    const held = undo.move();
    return { gitDir, [Symbol.dispose]: () => held.dispose() };
  }

  /** Whether this machine has one. */
  async has({ id }: Pick<RepoRef, "id">): Promise<boolean> {
    return isThere(join(this.#dir, `${id}.git/HEAD`));
  }

  /** Ahead of any task: the mirror, and for a large repository the checkout that the next run will work on. */
  async warm(
    { defaultBranch, ...known }: Omit<RepoRef, "defaultBranch"> & { readonly defaultBranch: string | null },
    access: GitAccess,
    signal: AbortSignal,
  ): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const repo = { ...known, defaultBranch: defaultBranch ?? (await askDefaultBranch(this.#dir, access, signal)) };
    using mirror = await this.fetch(repo, [], access, signal);
    const sha = await resolveCommit(mirror, `refs/heads/${repo.defaultBranch}`);
    await fillCommits(mirror, [sha], access, signal);
    const scratchDir = join(this.#dir, `${repo.id}.probe`);
    const probing = tryExclusive(`${scratchDir}.turn`);
    if (probing === null) return; // Another worker of this machine is at it.
    try {
      await warmCheckout({ mirror, sha, scratchDir }, signal);
    } finally {
      probing.release();
    }
  }

  /** Unmounts and removes what a worker left that was killed while it tried whether overlays can be mounted. */
  async sweep(): Promise<void> {
    const names = await readdir(this.#dir).catch(() => []);
    for (const name of names.filter((each) => each.endsWith(".probe"))) {
      const path = join(this.#dir, name);
      const probing = tryExclusive(`${path}.turn`);
      if (probing === null) continue;
      await unmountBelow(path);
      await rm(path, { recursive: true, force: true });
      probing.release();
    }
  }
}

/** "main" for a repository that has no branch yet. */
async function askDefaultBranch(dir: string, access: GitAccess, signal: AbortSignal): Promise<string> {
  const args = ["ls-remote", "--symref", "--end-of-options", access.url, "HEAD"];
  const said = await gitOverNetwork({ gitDir: dir, workTree: null }, args, { access, signal });
  return /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(said)?.[1] ?? "main";
}

/** A mirror that a killed git or a bad disk broke is cloned anew; what the forge refuses is not the mirror's fault. */
async function fetchOrRebuild(gitDir: string, wanted: Wanted, signal: AbortSignal): Promise<void> {
  try {
    await fetchInto(gitDir, wanted, signal);
    return;
  } catch (error) {
    signal.throwIfAborted();
    if (!(await isForgeThere(gitDir, wanted, signal))) throw error;
  }
  await rebuildMirror(gitDir, (fresh) => fetchInto(fresh, wanted, signal));
}

async function fetchInto(gitDir: string, wanted: Wanted, signal: AbortSignal) {
  const { repo, pulls, access: gitAccess } = wanted;
  const place = { gitDir, workTree: null };
  await mkdir(gitDir, { recursive: true, mode: 0o700 });
  if (!(await isThere(join(gitDir, "HEAD")))) {
    await git(place, ["init", "--quiet", "--bare", "--template="], { signal });
    if (wanted.isBlobless) await makeBlobless(gitDir);
  }
  const promised = (await isBlobless({ gitDir })) ? promisedFrom(gitAccess.url) : null;
  const heads = pulls.map((number) => `+refs/pull/${number}/head:refs/pull/${number}/head`);
  await gitOverNetwork(
    place,
    [
      ...["fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", ...(promised ? [promised.filter] : [])],
      ...["--end-of-options", promised?.name ?? gitAccess.url, "+refs/heads/*:refs/heads/*", ...heads],
    ],
    { access: gitAccess, settings: promised?.settings ?? [], signal },
  );
  await requireReadable(gitDir, `refs/heads/${repo.defaultBranch}`, signal);
}

/** A fetch with nothing new looks at no object: that the newest tree is there says that the packs can be read. Throws GitError. */
async function requireReadable(gitDir: string, tip: string, signal: AbortSignal): Promise<void> {
  const place = { gitDir, workTree: null };
  const said = await gitPipe(place, ["cat-file", "--batch-check"], { input: `${tip}\n${tip}^{tree}\n`, signal });
  const [commit = "", tree = ""] = said.toString().split("\n");
  if (/^[0-9a-f]+ tree /.test(tree)) return;
  // A new repository has no branch yet.
  const isEmpty = commit.endsWith(" missing") && (await git(place, ["for-each-ref", tip], { signal })) === "";
  if (!isEmpty) throw new GitError("cat-file", 1, { stderr: `${tip} cannot be read` });
}

/** Whether the forge shows the repository, its pulls included, to this very access. */
async function isForgeThere(gitDir: string, { pulls, access: gitAccess }: Wanted, signal: AbortSignal) {
  const nowhere = `${gitDir}.nowhere`;
  await mkdir(nowhere, { recursive: true });
  try {
    const place = { gitDir: nowhere, workTree: null };
    const wanted = pulls.map((number) => `refs/pull/${number}/head`);
    const shown = await git(place, ["ls-remote", "--end-of-options", gitAccess.url], { access: gitAccess, signal });
    return wanted.every((ref) => shown.includes(`\t${ref}\n`));
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  } finally {
    await rm(nowhere, { recursive: true, force: true });
  }
}

/** The commit a branch or pull request head points to in the mirror. */
export async function resolveCommit(mirror: Mirror, ref: string): Promise<string> {
  const place = { gitDir: mirror.gitDir, workTree: null };
  return (await git(place, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`])).trim();
}

export async function mergeBase(mirror: Mirror, a: string, b: string): Promise<string> {
  return (await git({ gitDir: mirror.gitDir, workTree: null }, ["merge-base", a, b])).trim();
}

/**
 * Keeps a run's commit in the mirror, under a ref of its own, before anything is pushed: a failed push never loses work. What of it
 * Git LFS keeps comes along.
 */
export async function keepCommit(mirror: Mirror, fromGitDir: string, commit: string, taskId: string): Promise<void> {
  const from = { gitDir: fromGitDir, workTree: null };
  await git(from, ["update-ref", "refs/heads/result", commit]);
  const objects = await findObjects(from, commit);
  await git(
    { gitDir: mirror.gitDir, workTree: null },
    [
      "fetch",
      "--quiet",
      "--no-tags",
      "--no-write-fetch-head",
      `file://${fromGitDir}`,
      `+refs/heads/result:refs/pullwright/${taskId}`,
      ...(objects === null ? [] : [`+${objects}:${objects}`]),
    ],
    { allowsFile: true },
  );
}

/** Whether the commit is still here: another machine, or a cleared disk, does not have it. */
export async function hasCommit(mirror: Mirror, commit: string): Promise<boolean> {
  return git({ gitDir: mirror.gitDir, workTree: null }, ["cat-file", "-e", `${commit}^{commit}`]).then(
    () => true,
    () => false,
  );
}
