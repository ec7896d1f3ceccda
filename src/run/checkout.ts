/**
 * From a task to the commits it is about: the forge is asked, the mirror brought up to date, base and head pinned. Work that was begun
 * goes on from where it began, whatever has been pushed since.
 */
import type { ForgeReader, PullFacts } from "../forge/forge.ts";
import type { Task } from "../task.ts";
import { fillCommits } from "../workspace/blobless.ts";
import { hasCommit, mergeBase, resolveCommit, type Mirrors, type OpenMirror } from "../workspace/mirror.ts";

export type Checkout = {
  /** The caller's to dispose of. */
  readonly mirror: OpenMirror;
  readonly pull: PullFacts | null;
  /** Tip of the branch the work is based on or goes into: guidance and settings are read here. */
  readonly baseSha: string;
  /** What the workspace starts from: the base for an issue, the pull request's head otherwise. */
  readonly headSha: string;
  /** Where the pull request left its base; the same as baseSha for an issue. */
  readonly forkSha: string;
  /** What the head is on the forge now: the same as headSha, unless the work began before it moved. */
  readonly newestHeadSha: string;
  /** Base and head are those that were asked for. */
  readonly isPinned: boolean;
};

export type Pin = { readonly baseSha: string; readonly headSha: string };

export async function openCheckout(
  parts: { readonly reader: ForgeReader; readonly mirrors: Mirrors },
  { task, pin }: { readonly task: Task; readonly pin: Pin | null },
  signal: AbortSignal,
): Promise<Checkout> {
  const { repo, thread } = task;
  const pull = thread.kind === "pull" ? await parts.reader.pull(repo, thread.number) : null;
  const access = await parts.reader.readAccess(repo);
  using undo = new DisposableStack();
  const mirror = undo.use(await parts.mirrors.fetch(repo, pull ? [pull.number] : [], access, signal));
  const newestBase = await resolveCommit(mirror, `refs/heads/${pull?.baseBranch ?? repo.defaultBranch}`);
  const newestHeadSha = pull === null ? newestBase : await resolveCommit(mirror, `refs/pull/${pull.number}/head`);
  const isPinned = pin !== null && (await hasCommit(mirror, pin.baseSha)) && (await hasCommit(mirror, pin.headSha));
  const { baseSha, headSha } = isPinned ? pin : { baseSha: newestBase, headSha: newestHeadSha };
  const forkSha = pull === null ? baseSha : await mergeBase(mirror, baseSha, headSha);
  await fillCommits(mirror, [baseSha, headSha, forkSha], access, signal);
  undo.move();
  // What is pushed is pushed onto the head that the work was based on.
  return { mirror, pull: pull && { ...pull, headSha }, baseSha, headSha, forkSha, newestHeadSha, isPinned };
}
