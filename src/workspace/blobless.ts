/**
 * Mirrors of very large repositories hold commits and trees, and of the files only those of commits that a run works on, fetched at once
 * before git meets them. Nothing is ever fetched because git missed it: the remote that git knows of has no address.
 */
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { TransientError } from "../failure.ts";
import type { GitAccess } from "../forge/forge.ts";
import { GitError, type GitOptions, type GitPlace } from "./git-command.ts";
import { gitPipe } from "./git-pipe.ts";
import type { Mirror } from "./mirror.ts";

/** Of what the forge says a repository takes: from here on a clone takes a quarter of an hour on a usual line, and most of it is old files. */
export const BLOBLESS_KILOBYTES_MIN = 1_000_000;

/** git-config(1): a repository with such a remote may lack what the remote has promised. */
const PROMISED =
  '[extensions]\n\tpartialClone = forge\n[remote "forge"]\n\tpromisor = true\n\tpartialCloneFilter = blob:none\n';

/** To be called on a repository that is still empty. */
export async function makeBlobless(gitDir: string): Promise<void> {
  const path = join(gitDir, "config");
  const text = await readFile(path, "utf8");
  if (!/^\s*repositoryformatversion = 0$/m.test(text)) throw new Error("A new repository has an unknown format.");
  await appendFile(path, `[core]\n\trepositoryformatversion = 1\n${PROMISED}`);
}

export async function isBlobless({ gitDir }: Mirror): Promise<boolean> {
  return (await readFile(join(gitDir, "config"), "utf8")).includes("partialClone");
}

/** What stands for the forge in `git fetch`, and the settings that give it an address for this one command. */
export function promisedFrom(url: string) {
  return { name: "forge", filter: "--filter=blob:none", settings: [`remote.forge.url=${url}`] } as const;
}

/** Fetches all files of `commits` that the mirror lacks. Nothing happens on a whole mirror. Throws TransientError. */
export async function fillCommits(mirror: Mirror, commits: readonly string[], access: GitAccess, signal: AbortSignal) {
  if (!(await isBlobless(mirror))) return;
  try {
    await fetchMissing({ gitDir: mirror.gitDir, workTree: null }, { commits, url: access.url }, { access, signal });
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new TransientError("git could not fetch the files of a commit", { cause: error });
  }
}

/** As `fillCommits`, from any repository that allows it. */
export async function fetchMissing(
  place: GitPlace,
  { commits, url }: { readonly commits: readonly string[]; readonly url: string },
  options: GitOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const list = ["rev-list", "--objects", "--no-object-names", "--missing=print", "--no-walk", "--stdin"];
  const listed = await gitPipe(place, list, { input: `${commits.join("\n")}\n`, signal: options.signal });
  const missing = listed
    .toString("latin1")
    .split("\n")
    .flatMap((line) => (line.startsWith("?") ? [line.slice(1)] : []));
  if (missing.length === 0) return;
  const { name, filter, settings } = promisedFrom(url);
  const fetch = [
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--recurse-submodules=no",
    filter,
    "--stdin",
  ];
  await gitPipe(place, [...fetch, name], {
    ...options,
    // What is here says nothing of which files are: without that question to the server each one is sent.
    settings: [...(options.settings ?? []), ...settings, "fetch.negotiationAlgorithm=noop"],
    input: `${missing.join("\n")}\n`,
  });
}
