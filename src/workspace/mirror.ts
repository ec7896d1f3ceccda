/** One bare mirror per repository and machine, so that a run fetches only what is new. It holds no remote and no credential. */
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { GitAccess } from "../forge/forge.ts";
import type { RepoRef } from "../repo-event.ts";
import { git, gitOverNetwork } from "./git.ts";

export type Mirror = { readonly gitDir: string };

/** Fetches serialised per mirror: two git processes that move the same refs fail on each other's locks. */
export class Mirrors {
  readonly #dir: string;
  readonly #busy = new Map<number, Promise<unknown>>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Brings the branches, and the heads of `pulls`, up to date. Throws TransientError when the forge cannot be reached. */
  async fetch(repo: RepoRef, pulls: readonly number[], gitAccess: GitAccess, signal: AbortSignal): Promise<Mirror> {
    const before = this.#busy.get(repo.id) ?? Promise.resolve();
    const mine = before.then(() => this.#fetch(repo, pulls, gitAccess, signal));
    // A failed fetch must not fail the next one in the row.
    const settled = mine.catch(() => undefined);
    this.#busy.set(repo.id, settled);
    try {
      return await mine;
    } finally {
      if (this.#busy.get(repo.id) === settled) this.#busy.delete(repo.id);
    }
  }

  async #fetch(repo: RepoRef, pulls: readonly number[], gitAccess: GitAccess, signal: AbortSignal): Promise<Mirror> {
    const gitDir = join(this.#dir, `${repo.id}.git`);
    const place = { gitDir, workTree: null };
    await mkdir(gitDir, { recursive: true, mode: 0o700 });
    if (!(await isThere(join(gitDir, "HEAD"))))
      await git(place, ["init", "--quiet", "--bare", "--template="], { signal });
    const heads = pulls.map((number) => `+refs/pull/${number}/head:refs/pull/${number}/head`);
    await gitOverNetwork(
      place,
      [
        ...["fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--end-of-options", gitAccess.url],
        ...["+refs/heads/*:refs/heads/*", ...heads],
      ],
      { access: gitAccess, signal },
    );
    return { gitDir };
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

/** Keeps a run's commit in the mirror, under a ref of its own, before anything is pushed: a failed push never loses work. */
export async function keepCommit(mirror: Mirror, fromGitDir: string, commit: string, taskId: string): Promise<void> {
  await git({ gitDir: fromGitDir, workTree: null }, ["update-ref", "refs/heads/result", commit]);
  await git(
    { gitDir: mirror.gitDir, workTree: null },
    [
      "fetch",
      "--quiet",
      "--no-tags",
      "--no-write-fetch-head",
      `file://${fromGitDir}`,
      `+refs/heads/result:refs/pullwright/${taskId}`,
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

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
