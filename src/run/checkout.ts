/** From a task to the commits it is about: the forge is asked, the mirror brought up to date, base and head pinned. */
import type { ForgeReader, PullFacts } from "../forge/forge.ts";
import type { Task } from "../task.ts";
import { fillCommits } from "../workspace/blobless.ts";
import { mergeBase, resolveCommit, type Mirrors, type OpenMirror } from "../workspace/mirror.ts";

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
};

export async function openCheckout(
  parts: { readonly reader: ForgeReader; readonly mirrors: Mirrors },
  task: Task,
  signal: AbortSignal,
): Promise<Checkout> {
  const { repo, thread } = task;
  const pull = thread.kind === "pull" ? await parts.reader.pull(repo, thread.number) : null;
  const access = await parts.reader.readAccess(repo);
  using undo = new DisposableStack();
  const mirror = undo.use(await parts.mirrors.fetch(repo, pull ? [pull.number] : [], access, signal));
  const baseSha = await resolveCommit(mirror, `refs/heads/${pull?.baseBranch ?? repo.defaultBranch}`);
  if (pull === null) {
    await fillCommits(mirror, [baseSha], access, signal);
    undo.move();
    return { mirror, pull, baseSha, headSha: baseSha, forkSha: baseSha };
  }
  const headSha = await resolveCommit(mirror, `refs/pull/${pull.number}/head`);
  const forkSha = await mergeBase(mirror, baseSha, headSha);
  await fillCommits(mirror, [baseSha, headSha, forkSha], access, signal);
  undo.move();
  return { mirror, pull: { ...pull, headSha }, baseSha, headSha, forkSha };
}
