/**
 * Pushes one commit to one branch, once, and never over someone else's work: a branch that moved gets the commit made again on its
 * new head, one that refuses it leaves the work on a branch of our own.
 */
import { TransientError, UserError } from "../failure.ts";
import type { GitAccess, PushFacts, Written } from "../forge/forge.ts";
import type { Publication } from "../publication.ts";
import { requireSafeRef } from "../workspace/git.ts";
import { readObjects } from "../workspace/lfs-result.ts";
import { LfsRefused, upload } from "../workspace/lfs-transfer.ts";
import type { Mirror } from "../workspace/mirror.ts";
import {
  fetchBranch,
  isAncestor,
  readBranch,
  readParent,
  readPushed,
  replay,
  tryPush,
  type Remote,
} from "./push-git.ts";
import { commitsOf, noteCommit, type PushRecord } from "./push-record.ts";
import { classifyRefusal, PushRefused, readClosedDoor } from "./refusal.ts";

export type Push = Extract<Publication, { kind: "push" }>;

export type Pushing = {
  readonly mirror: Mirror;
  readonly openAccess: () => Promise<GitAccess>;
  readonly readFacts: (branch: string) => Promise<PushFacts>;
  /** Appended to a branch name that is already taken by someone else. */
  readonly fallbackSuffix: string;
  readonly earlier: PushRecord | null;
  readonly intend: (record: PushRecord) => Promise<void>;
  readonly assertCurrent: () => Promise<void>;
};

/** Whoever pushes more often than this while we do is a machine, and will go on. */
const TRIES_MAX = 4;
/** Many large files on a slow line. */
const UPLOAD_MS_MAX = 1_800_000;

/** Resolves to the branch pushed (`ref`) and where to see the commit. Throws PushRefused with the reason, TransientError to be tried again. */
export async function pushCommit(push: Push, pushing: Pushing): Promise<Written> {
  const { branch } = push.to;
  const remote = { mirror: pushing.mirror, access: await openAccess(pushing, branch) };
  let record = pushing.earlier;
  let isCut = false;
  let isComplete = false;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const step = await orClosed(pushing, branch, () => nextStep(push, { ...pushing, remote, record }));
    if (step.kind === "done") return written(remote.access, step.branch, step.commit);
    if (step.kind === "moved") continue;
    if (!isComplete) await orClosed(pushing, branch, () => sendObjects(push, { ...pushing, remote }));
    isComplete = true;
    record = noteCommit(record, { branch: step.branch, commit: step.commit, work: push.commit });
    await pushing.intend(record);
    await pushing.assertCurrent();
    const end = await tryPush(remote, step);
    if (end === "pushed") return written(remote.access, step.branch, step.commit);
    // The forge knows better than the answer that did or did not come.
    const now = await orClosed(pushing, branch, () => readBranch(remote, step.branch));
    if (now === step.commit) return written(remote.access, step.branch, step.commit);
    if (end === "refused" && now === step.found) throw await explain(pushing, step);
    isCut = end === "cut";
    if (isCut) await refuseIfShut(pushing, branch);
  }
  if (isCut) throw new TransientError("GitHub broke off every push");
  throw new PushRefused({ kind: "moving", branch });
}

/** What of the commit Git LFS keeps: once it is there a branch may point to it. Sent again it changes nothing. */
async function sendObjects({ commit, to }: Push, { assertCurrent, readFacts, remote }: Sending): Promise<void> {
  const signal = AbortSignal.timeout(UPLOAD_MS_MAX);
  const held = await readObjects({ gitDir: remote.mirror.gitDir, workTree: null }, commit, signal);
  if (held === null) return;
  await assertCurrent();
  try {
    await upload(remote.access, held, signal);
  } catch (error) {
    if (signal.aborted) throw new TransientError("sending files to Git LFS took too long");
    if (!(error instanceof LfsRefused)) throw error;
    const closed = readClosedDoor(await readFacts(to.branch));
    throw new PushRefused(closed ?? { kind: "lfs", status: error.status });
  }
}

type Sending = Pick<Pushing, "assertCurrent" | "readFacts"> & { readonly remote: Remote };

type Step =
  | { readonly kind: "done"; readonly branch: string; readonly commit: string }
  | { readonly kind: "push"; readonly branch: string; readonly commit: string; readonly found: string | null }
  /** While we looked. */
  | { readonly kind: "moved" };

type Looking = Pushing & { readonly remote: Remote; readonly record: PushRecord | null };

function nextStep(push: Push, looking: Looking): Promise<Step> {
  requireSafeRef(push.to.branch);
  return push.to.kind === "own-branch" ? stepOwn(push, looking) : stepHead(push, looking);
}

/** The branch an earlier attempt took, else the first that is free. Only there may a commit of ours be replaced by another. */
async function stepOwn(push: Push, { remote, record, fallbackSuffix }: Looking): Promise<Step> {
  const { branch: wanted } = push.to;
  const names = [...(record ? [record.branch] : []), wanted, `${wanted}-${fallbackSuffix}`];
  for (const branch of new Set(names)) {
    const found = await readBranch(remote, branch);
    if (found === push.commit) return { kind: "done", branch, commit: push.commit };
    const isOurs = found === null || (record?.branch === branch && record.commits.includes(found));
    if (isOurs) return { kind: "push", branch, commit: push.commit, found };
    const commit = await findBelow(push, { remote, record, branch, found });
    if (commit !== null) return { kind: "done", branch, commit };
  }
  throw new PushRefused({ kind: "taken", branch: wanted });
}

/** Onto the head as it is now: as it was, or by the same change made again on top of what others pushed. */
async function stepHead(push: Push, { remote, record }: Looking): Promise<Step> {
  const { branch } = push.to;
  const found = await readBranch(remote, branch);
  if (found === null) throw new PushRefused({ kind: "branch-gone", branch });
  if (commitsOf(record, push.commit).includes(found)) return { kind: "done", branch, commit: found };
  if (!(await fetchBranch(remote, branch, found))) return { kind: "moved" };
  const below = await findBelow(push, { remote, record, branch, found });
  if (below !== null) return { kind: "done", branch, commit: below };
  // Nothing but its parent will do: below a head that was set back, its history would bring back what was taken out.
  const parent = await readParent(remote.mirror, push.commit);
  if (found === parent) return { kind: "push", branch, commit: push.commit, found };
  const again = await replay(remote.mirror, push.commit, found);
  if (again.kind === "conflict") {
    const isRewritten = !(await isAncestor(remote.mirror, parent, found));
    throw new PushRefused({ kind: "moved", branch, conflicts: again.paths, isRewritten });
  }
  if (again.kind === "empty") return { kind: "done", branch, commit: found };
  return { kind: "push", branch, commit: again.commit, found };
}

type Below = Pick<Looking, "remote" | "record"> & { readonly branch: string; readonly found: string };

/** Our commit of this work in a branch that went on after we had pushed it and were lost; null when it is not there. */
async function findBelow(push: Push, { remote, record, branch, found }: Below): Promise<string | null> {
  const ours = record?.branch === branch ? commitsOf(record, push.commit) : [];
  if (ours.length === 0 || !(await fetchBranch(remote, branch, found))) return null;
  for (const commit of ours) if (await isAncestor(remote.mirror, commit, found)) return commit;
  return null;
}

/** A token that is refused may be a permission that was taken away, or a repository that went. */
async function openAccess(pushing: Pushing, branch: string): Promise<GitAccess> {
  try {
    return await pushing.openAccess();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    await refuseIfShut(pushing, branch);
    throw error;
  }
}

/** git cannot say why it was not let in; when the API does not know a reason either, it was the network. */
async function orClosed<T>(pushing: Pushing, branch: string, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof TransientError)) throw error;
    await refuseIfShut(pushing, branch);
    throw error;
  }
}

async function refuseIfShut(pushing: Pushing, branch: string): Promise<void> {
  const closed = readClosedDoor(await pushing.readFacts(branch));
  if (closed !== null) throw new PushRefused(closed);
}

async function explain(pushing: Pushing, step: Extract<Step, { kind: "push" }>): Promise<PushRefused> {
  const { branch, commit, found } = step;
  const facts = await pushing.readFacts(branch);
  const touched = await readPushed(pushing.mirror, commit);
  return new PushRefused(classifyRefusal(facts, { branch, isNew: found === null, ...touched }));
}

function written(access: GitAccess, branch: string, commit: string): Written {
  return { ref: branch, url: `${access.url.replace(/\.git$/, "")}/commit/${commit}` };
}
