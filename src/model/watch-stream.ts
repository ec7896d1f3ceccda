/** Puts a limit on silence: a vendor's stream that stops speaking ends as a ModelError, and an abort ends it at once. */
import { ModelError } from "./model.ts";

export type Watch = {
  /** Longest wait for the first event and between two events. */
  readonly idleMsMax: number;
  /** Tells what a thrown error of the vendor's SDK means. Errors of our own code never pass through it. */
  readonly readFault: (error: unknown) => ModelError;
};

/** Opens a stream and yields its events. Throws the signal's reason after an abort, otherwise only ModelError. */
export async function* watchStream<T>(
  open: (signal: AbortSignal) => Promise<AsyncIterable<T>>,
  watch: Watch,
  signal: AbortSignal,
): AsyncGenerator<T, void, void> {
  signal.throwIfAborted();
  const silence = new AbortController();
  const both = AbortSignal.any([signal, silence.signal]);
  const ended = Promise.withResolvers<never>();
  // The SDKs may end quietly or late after an abort, so each wait races with it.
  ended.promise.catch(() => {});
  const onAbort = () => ended.reject(both.reason);
  both.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => {
    const seconds = Math.ceil(watch.idleMsMax / 1000);
    silence.abort(new ModelError("stalled", `The model's stream was silent for ${seconds} s.`));
  }, watch.idleMsMax);

  const step = async <R>(work: Promise<R>): Promise<R> => {
    try {
      const value = await Promise.race([work, ended.promise]);
      both.throwIfAborted();
      timer.refresh();
      return value;
    } catch (error) {
      if (both.aborted) throw both.reason;
      throw watch.readFault(error);
    }
  };

  try {
    const events = (await step(open(both)))[Symbol.asyncIterator]();
    // Ends with the stream, the caller's signal or the limit on silence.
    for (;;) {
      const next = await step(events.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    clearTimeout(timer);
    both.removeEventListener("abort", onAbort);
    silence.abort(); // Closes the connection when the consumer has what it needs.
  }
}
