/** Chores of a process that lives long: done at the start and then again and again, never twice at once. */

/** What a chore throws is for `onError`; the next comes all the same. `stopping` is aborted when the process ends, which waits for it. */
export function keepDoing(it: {
  readonly chore: (stopping: AbortSignal) => Promise<void>;
  readonly everyMs: number;
  readonly onError: (error: unknown) => void;
}): AsyncDisposable {
  const stop = new AbortController();
  const doIt = () =>
    it.chore(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) it.onError(error);
    });
  let doing = doIt();
  const timer = setInterval(() => {
    doing = doing.then(doIt);
  }, it.everyMs);
  timer.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      stop.abort();
      await doing;
    },
  };
}
