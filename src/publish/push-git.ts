/** What pushing takes of git: where a branch of the forge is, one push, our commit made again on another head. Told by exit and porcelain only. */
import type { GitAccess } from "../forge/forge.ts";
import { fillCommits, isBlobless, promisedFrom } from "../workspace/blobless.ts";
import { git, gitOverNetwork } from "../workspace/git.ts";
import { GitError } from "../workspace/git-command.ts";
import { gitPipe, splitNames } from "../workspace/git-pipe.ts";
import type { Mirror } from "../workspace/mirror.ts";
import { readRawDiff, weighBlobs } from "../workspace/raw-diff.ts";
import type { Pushed } from "./refusal.ts";

export type Remote = { readonly mirror: Mirror; readonly access: GitAccess };

/** A large repository on a slow line; a push that takes longer has hung. */
const PUSH_MS_MAX = 600_000;

/** The commit a branch of the forge points to now, null when there is none. Throws TransientError when the forge does not let us look. */
export async function readBranch({ mirror, access }: Remote, branch: string): Promise<string | null> {
  const args = ["ls-remote", "--refs", "--end-of-options", access.url, `refs/heads/${branch}`];
  const line = await gitOverNetwork(placeOf(mirror), args, { access });
  return /^([0-9a-f]{40,64})\t/.exec(line)?.[1] ?? null;
}

/** Brings a branch's commits into the mirror, with all files of `sha`. False when `sha` is not among them: it has moved again. */
export async function fetchBranch({ mirror, access }: Remote, branch: string, sha: string): Promise<boolean> {
  const promised = (await isBlobless(mirror)) ? promisedFrom(access.url) : null;
  const args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", ...(promised ? [promised.filter] : [])];
  const from = ["--end-of-options", promised?.name ?? access.url, `refs/heads/${branch}`];
  await gitOverNetwork(placeOf(mirror), [...args, ...from], { access, settings: promised?.settings ?? [] });
  if (!(await asks(mirror, ["cat-file", "-e", `${sha}^{commit}`]))) return false;
  await fillCommits(mirror, [sha], access, AbortSignal.timeout(PUSH_MS_MAX));
  return true;
}

export function isAncestor(mirror: Mirror, ancestor: string, commit: string): Promise<boolean> {
  return asks(mirror, ["merge-base", "--is-ancestor", ancestor, commit]);
}

export async function readParent(mirror: Mirror, commit: string): Promise<string> {
  return (await git(placeOf(mirror), ["rev-parse", "--verify", "--end-of-options", `${commit}^`])).trim();
}

/**
 * "refused": the forge took the commits and refused the branch. "stale": it is not where we saw it. "cut": no answer came, for whatever reason.
 */
export type PushEnd = "pushed" | "refused" | "stale" | "cut";

/** One push, to a branch that must be where `found` says; null stands for "must not exist". */
export async function tryPush(
  { mirror, access }: Remote,
  { branch, found, commit }: { readonly branch: string; readonly found: string | null; readonly commit: string },
): Promise<PushEnd> {
  const ref = `refs/heads/${branch}`;
  const pair = `${commit}:${ref}`;
  const lease = `--force-with-lease=${ref}:${found ?? ""}`;
  const signal = AbortSignal.timeout(PUSH_MS_MAX);
  try {
    const args = ["push", "--porcelain", "--quiet", lease, "--end-of-options", access.url, pair];
    await gitPipe(placeOf(mirror), args, { access, signal });
    return "pushed";
  } catch (error) {
    if (signal.aborted) return "cut";
    if (error instanceof GitError) return readPorcelain(error.stdout, pair);
    throw error;
  }
}

/** git-push(1), --porcelain: "flag TAB from:to TAB [summary] (reason)". The reason is the remote's, and is not looked at. */
function readPorcelain(stdout: string, pair: string): PushEnd {
  const lines = stdout.split("\n").map((line) => line.split("\t"));
  const [, , summary = ""] = lines.find(([flag, names]) => flag === "!" && names === pair) ?? [];
  if (summary.startsWith("[remote rejected]")) return "refused";
  return summary.startsWith("[rejected]") ? "stale" : "cut";
}

export type Replay =
  | { readonly kind: "clean"; readonly commit: string }
  /** The other head has it already. */
  | { readonly kind: "empty" }
  | { readonly kind: "conflict"; readonly paths: readonly string[] };

/** What `commit` did to its parent, done to `onto` by a three-way merge; the message and the author stay. */
export async function replay(mirror: Mirror, commit: string, onto: string): Promise<Replay> {
  const place = placeOf(mirror);
  const [name = "", email = "", message = ""] = (
    await git(place, ["show", "-s", "--format=%an%x00%ae%x00%B", "--end-of-options", commit])
  ).split("\0");
  const identity = { name, email };
  const merged = await mergeTrees(mirror, { base: `${commit}^`, ours: onto, theirs: commit }, identity);
  if (merged.kind === "conflict") return merged;
  const there = await git(place, ["rev-parse", "--verify", "--end-of-options", `${onto}^{tree}`]);
  if (merged.tree === there.trim()) return { kind: "empty" };
  const args = ["commit-tree", merged.tree, "-p", onto, "-m", message.trimEnd()];
  return { kind: "clean", commit: (await git(place, args, { identity })).trim() };
}

type Merged = { readonly kind: "merged"; readonly tree: string } | Extract<Replay, { kind: "conflict" }>;
type Sides = { readonly base: string; readonly ours: string; readonly theirs: string };

/**
 * merge-tree looks for the base in the history, which may have been rewritten, and cannot be told one before git 2.40: three commits
 * made of nothing but the trees have the base that we mean.
 */
async function mergeTrees(
  mirror: Mirror,
  { base, ours, theirs }: Sides,
  identity: { readonly name: string; readonly email: string },
): Promise<Merged> {
  const place = placeOf(mirror);
  const make = async (from: string, parents: readonly string[]) =>
    (await git(place, ["commit-tree", `${from}^{tree}`, ...parents, "-m", "side"], { identity })).trim();
  const root = await make(base, []);
  const [one, other] = [await make(ours, ["-p", root]), await make(theirs, ["-p", root])];
  try {
    const args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", one, other];
    const [tree = ""] = splitNames(await gitPipe(place, args, {}));
    return { kind: "merged", tree };
  } catch (error) {
    // 1 is git's word for a merge with conflicts; all else is an error.
    if (!(error instanceof GitError) || error.exitCode !== 1) throw error;
    const [, ...paths] = error.stdout.split("\0");
    return { kind: "conflict", paths: [...new Set(paths.filter(Boolean))].sort() };
  }
}

/** What the commit adds or changes that GitHub may mind. */
export async function readPushed(mirror: Mirror, commit: string): Promise<Pick<Pushed, "workflows" | "largest">> {
  const place = placeOf(mirror);
  const changes = await readRawDiff(place, { from: `${commit}^`, to: commit });
  const paths = changes.map(({ path }) => Buffer.from(path, "latin1").toString());
  const sizes = await weighBlobs(
    place,
    changes.map(({ id }) => id),
  );
  const weighed = paths.map((path, i) => ({ path, bytes: sizes[i] ?? 0 }));
  return {
    workflows: paths.filter((path) => path.startsWith(".github/workflows/")),
    largest: weighed.toSorted((a, b) => b.bytes - a.bytes)[0] ?? null,
  };
}

async function asks(mirror: Mirror, args: readonly string[]): Promise<boolean> {
  try {
    await git(placeOf(mirror), args);
    return true;
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  }
}

function placeOf({ gitDir }: Mirror) {
  return { gitDir, workTree: null };
}
