/** Brings mirrors up to date ahead of any task, one at a time, when a push or an installation says that they will be wanted. */
import type { Logger } from "pino";
import { TransientError, UserError } from "../failure.ts";
import type { ForgeReader } from "../forge/forge.ts";
import type { MirrorWish } from "../repo-event.ts";
import { GitError } from "../workspace/git-command.ts";
import type { Mirrors } from "../workspace/mirror.ts";

/** Repositories that wait; one more is left to its first task. */
const WAITING_MAX = 100;

export type WarmingParts = {
  readonly mirrors: Mirrors;
  readonly reader: Pick<ForgeReader, "readAccess">;
  readonly hear: (hear: (wish: MirrorWish) => void) => Promise<() => Promise<void>>;
  readonly log: Pick<Logger, "info" | "warn">;
};

/** Goes on until it is disposed of. What fails is logged: a task that needs the mirror will tell its asker. */
export async function warmMirrors(parts: WarmingParts): Promise<AsyncDisposable> {
  const ending = new AbortController();
  // The newest wish for a repository holds: ten pushes in a row are one fetch.
  const waiting = new Map<number, MirrorWish>();
  let working: Promise<void> | null = null;
  const work = async () => {
    for (let next = takeFirst(waiting); next && !ending.signal.aborted; next = takeFirst(waiting)) {
      await warm(parts, next, ending.signal);
    }
    working = null;
  };
  const unlisten = await parts.hear((wish) => {
    if (waiting.size >= WAITING_MAX && !waiting.has(wish.repo.id)) return;
    waiting.set(wish.repo.id, wish);
    working ??= work();
  });
  const close = async () => {
    ending.abort(new Error("the worker stops"));
    await unlisten();
    await working;
  };
  return { [Symbol.asyncDispose]: close };
}

function takeFirst(waiting: Map<number, MirrorWish>): MirrorWish | undefined {
  const [first] = waiting.values();
  if (first) waiting.delete(first.repo.id);
  return first;
}

async function warm({ mirrors, reader, log }: WarmingParts, wish: MirrorWish, signal: AbortSignal): Promise<void> {
  const { repo, defaultBranch, onlyWhereMirrored } = wish;
  try {
    if (onlyWhereMirrored && !(await mirrors.has(repo))) return;
    const access = await reader.readAccess({ ...repo, defaultBranch: defaultBranch ?? "" });
    await mirrors.warm({ ...repo, defaultBranch }, access, signal);
    log.info({ repo: repo.id }, "mirror is up to date");
  } catch (error) {
    if (signal.aborted) return;
    const isExpected = error instanceof TransientError || error instanceof UserError || error instanceof GitError;
    if (!isExpected) throw error;
    log.warn({ repo: repo.id, err: error }, "mirror could not be brought up to date");
  }
}
