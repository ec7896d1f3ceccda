/** What follows when refs move, by a push or by a merge: pull requests follow their heads, and deliveries say so. */
import { askGit, branchTip, git, ZERO_SHA } from "./git.ts";
import { findAnchor, followLine, readDiff } from "./diff.ts";
import { emit, emitSynchronize } from "./events.ts";
import { noreplyEmail } from "./json/accounts.ts";
import { pushCommitJson, readCommits } from "./json/code.ts";
import { pushRepositoryJson, repoHtmlUrl } from "./json/repository.ts";
import type { Account, PullStats, PullThread, Repo, ReviewComment } from "./records.ts";
import { openPulls, pullsFrom, type Sim } from "./sim.ts";
import { setMerged, setState } from "./threads.ts";

/** GitHub lists up to 2048; each costs a git process here. */
const PUSH_COMMITS_MAX = 20;

export type RefChange = { readonly ref: string; readonly before: string; readonly after: string };

export function diffRefs(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly RefChange[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names]
    .map((ref) => ({ ref, before: before.get(ref) ?? ZERO_SHA, after: after.get(ref) ?? ZERO_SHA }))
    .filter((change) => change.before !== change.after);
}

type Push = { readonly repo: Repo; readonly sender: Account };

export async function applyPush(sim: Sim, { repo, sender }: Push, changes: readonly RefChange[]): Promise<void> {
  for (const change of changes) {
    repo.pushedAt = sim.time();
    await emitPush(sim, { repo, sender }, change);
    if (!change.ref.startsWith("refs/heads/")) continue;
    const branch = change.ref.slice("refs/heads/".length);
    for (const pull of pullsFrom(sim, repo, branch)) {
      if (change.after === ZERO_SHA) setState(sim, { ...pull, sender }, { state: "closed" });
      else await moveHead(sim, { ...pull, sender }, change.after);
    }
    if (change.after !== ZERO_SHA) await mergeContained(sim, { repo, sender }, { branch, tip: change.after });
  }
}

/** Puts a pull request's head at refs/pull/N/head of the repository it was opened in, from a fork if need be. */
export async function writePullRef(
  repo: Repo,
  number: number,
  head: { repo: Repo; ref: string; sha: string },
): Promise<void> {
  const target = `refs/pull/${number}/head`;
  if (head.repo !== repo)
    await git(repo.gitDir, ["fetch", "--quiet", "--no-tags", head.repo.gitDir, `refs/heads/${head.ref}`]);
  await git(repo.gitDir, ["update-ref", target, head.sha]);
}

export async function readStats(repo: Repo, base: string, head: string): Promise<PullStats> {
  const [count, files, merged] = await Promise.all([
    git(repo.gitDir, ["rev-list", "--count", `${base}..${head}`]),
    readDiff(repo.gitDir, base, head),
    askGit(repo.gitDir, ["merge-tree", "--write-tree", base, head]),
  ]);
  return {
    commits: Number(count),
    additions: files.reduce((sum, file) => sum + file.additions, 0),
    deletions: files.reduce((sum, file) => sum + file.deletions, 0),
    files: files.length,
    mergeable: merged !== null,
  };
}

type Moved = Push & { readonly thread: PullThread };

async function moveHead(sim: Sim, { repo, thread, sender }: Moved, sha: string): Promise<void> {
  const { pull } = thread;
  const before = pull.headSha;
  await writePullRef(repo, thread.number, { repo: pull.headRepo, ref: pull.headRef, sha });
  pull.headSha = sha;
  pull.baseSha = (await branchTip(repo.gitDir, pull.baseRef)) ?? pull.baseSha;
  pull.stats = await readStats(repo, pull.baseSha, sha);
  thread.updatedAt = sim.time();
  await moveComments(repo, thread);
  emitSynchronize(sim, { repo, thread, sender, before });
}

/** Comments move with their line; one whose line changed, or left the diff, is outdated. */
async function moveComments(repo: Repo, thread: PullThread): Promise<void> {
  const roots = repo.reviewComments.filter((comment) => comment.thread === thread && !comment.root && comment.place);
  if (roots.length === 0) return;
  const files = await readDiff(repo.gitDir, thread.pull.baseSha, thread.pull.headSha);
  for (const root of roots) {
    const place = await movePlace(repo, root, files);
    for (const comment of repo.reviewComments.filter((one) => one === root || one.root === root)) {
      comment.place = place;
      if (place) comment.commit = thread.pull.headSha;
    }
  }
}

async function movePlace(repo: Repo, comment: ReviewComment, files: Awaited<ReturnType<typeof readDiff>>) {
  const { place, path, side, startSide } = comment;
  if (!place || side === "LEFT") return place;
  const follow = (line: number) =>
    followLine(repo.gitDir, { from: comment.commit, to: comment.thread.pull.headSha, path, line });
  const line = await follow(place.line);
  const startLine = place.startLine === null ? null : await follow(place.startLine);
  if (line === null || (place.startLine !== null && startLine === null)) return null;
  const anchor = findAnchor(files, { path, line, side, startLine, startSide });
  return anchor.kind === "anchored" ? anchor.place : null;
}

/** Pushing a pull request's commits to its base merges it, without anyone pressing the button. */
async function mergeContained(sim: Sim, { repo, sender }: Push, base: { branch: string; tip: string }): Promise<void> {
  for (const { repo: owner, thread } of openPulls(sim, (pull) => pull.baseRef === base.branch)) {
    if (owner !== repo) continue;
    const isInside = await askGit(repo.gitDir, ["merge-base", "--is-ancestor", thread.pull.headSha, base.tip]);
    if (isInside !== null) setMerged(sim, { repo, thread, sender }, { sha: base.tip, messages: [] });
  }
}

async function emitPush(sim: Sim, { repo, sender }: Push, change: RefChange): Promise<void> {
  const { ref, before, after } = change;
  const isCreated = before === ZERO_SHA;
  const isDeleted = after === ZERO_SHA;
  const isForced =
    !isCreated && !isDeleted && (await askGit(repo.gitDir, ["merge-base", "--is-ancestor", before, after])) === null;
  const commits = isDeleted ? [] : await pushedCommits(sim, repo, change);
  const range = isCreated || isDeleted ? ref.replace(/^refs\/(heads|tags)\//, "") : `${before}...${after}`;
  const payload = {
    ref,
    before,
    after,
    repository: pushRepositoryJson(sim, repo),
    pusher: { name: sender.login, email: noreplyEmail(sender) },
    created: isCreated,
    deleted: isDeleted,
    forced: isForced,
    base_ref: null,
    compare: `${repoHtmlUrl(sim, repo)}/compare/${range}`,
    commits,
    head_commit: commits.at(-1) ?? null,
  };
  emit(sim, { event: "push", action: null, repo, sender, payload });
}

async function pushedCommits(sim: Sim, repo: Repo, { ref, before, after }: RefChange) {
  const isDefault = ref === `refs/heads/${repo.defaultBranch}`;
  const known = before !== ZERO_SHA ? before : isDefault ? null : await branchTip(repo.gitDir, repo.defaultBranch);
  const range = [`--max-count=${PUSH_COMMITS_MAX}`, after, ...(known ? [`^${known}`] : [])];
  const commits = await readCommits(repo, range);
  return Promise.all(
    commits.map(async (commit) => {
      const parent = commit.parents[0];
      const files = parent ? await readDiff(repo.gitDir, parent, commit.sha) : [];
      return pushCommitJson(sim, repo, { commit, files });
    }),
  );
}
