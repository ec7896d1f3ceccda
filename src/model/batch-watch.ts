/** Looks after batches at the vendor: one poller for each, however many runs wait for it, gone when none does. */
import { ModelError, type ModelFault } from "./model.ts";
import { notYet, pause, type BatchStore, type BatchTiming, type BatchWire } from "./batch-wire.ts";
import { untilAborted } from "./until-aborted.ts";

/** Polls grow apart by this much: most batches end within the hour, some take the day. */
const POLL_GROWTH = 1.5;

/** Asking again would not help. */
const FINAL: ReadonlySet<ModelFault> = new Set(["authentication", "quota", "invalid-request"]);

/** For what is done in passing: ending a batch that is too late, clearing one that is done. */
const CLEAR_MS_MAX = 15_000;

type Desk = {
  readonly wire: BatchWire;
  readonly store: BatchStore;
  readonly now: () => number;
  readonly timing: BatchTiming;
};

type Watched = {
  readonly batchId: string;
  /** Epoch milliseconds; the limit on the whole wait counts from here. */
  readonly since: number;
};

type Watch = {
  readonly ended: Promise<void>;
  /** The vendor has been asked once: nobody is told "not yet" before. */
  readonly looked: Promise<void>;
  readonly leave: AbortController;
  waiting: number;
};

export class BatchWatches {
  readonly #desk: Desk;
  readonly #open = new Map<string, Watch>();

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** Resolves when the batch has ended and the store holds its results. Throws NotYet after `holdMs`. */
  async ended(watched: Watched & { readonly holdMs: number }, signal: AbortSignal): Promise<void> {
    const watch = this.#watch(watched);
    const held = new AbortController();
    const hold = watch.looked.then(() => pause(Math.max(0, watched.holdMs), held.signal));
    const pending = hold.then(() => Promise.reject(notYet()));
    watch.waiting += 1;
    try {
      await untilAborted(Promise.race([watch.ended, pending]), signal);
    } finally {
      held.abort();
      watch.waiting -= 1;
      if (watch.waiting === 0) watch.leave.abort();
    }
  }

  #watch(watched: Watched): Watch {
    const known = this.#open.get(watched.batchId);
    if (known && !known.leave.signal.aborted) return known;
    const leave = new AbortController();
    const looked = Promise.withResolvers<void>();
    const ended = this.#poll(watched, looked.resolve, leave.signal);
    const watch: Watch = { ended, looked: looked.promise, leave, waiting: 0 };
    this.#open.set(watched.batchId, watch);
    const forget = () => {
      if (this.#open.get(watched.batchId) === watch) this.#open.delete(watched.batchId);
    };
    ended.then(forget, forget); // Those who wait have the error.
    return watch;
  }

  async #poll({ batchId, since }: Watched, looked: () => void, signal: AbortSignal): Promise<void> {
    const { wire, now, timing } = this.#desk;
    for (let waitMs = timing.pollMsMin; ; waitMs = Math.min(waitMs * POLL_GROWTH, timing.pollMsMax)) {
      if (await this.#fetch(batchId, signal)) return;
      if (now() - since > timing.waitMsMax) {
        await quietly((clearing) => wire.cancel(batchId, clearing));
        throw new ModelError("stalled", `The vendor's batch did not end within ${timing.waitMsMax / 3_600_000} h.`);
      }
      looked();
      await pause(waitMs, signal);
    }
  }

  /** True when the batch has ended and its results are kept. A fault that passes counts as "not yet". */
  async #fetch(batchId: string, signal: AbortSignal): Promise<boolean> {
    const { wire, store } = this.#desk;
    try {
      const results = await wire.results(batchId, signal);
      if (results === null) return false;
      for await (const result of results.items) await store.settle(batchId, result);
      await store.settleRest(batchId, results.rest);
    } catch (error) {
      if (!(error instanceof ModelError) || FINAL.has(error.fault)) throw error;
      return false;
    }
    await quietly((clearing) => wire.discard(batchId, clearing));
    return true;
  }
}

/** For what is good to have done and costs nothing when it was not. */
async function quietly(act: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const signal = AbortSignal.timeout(CLEAR_MS_MAX);
  try {
    await act(signal);
  } catch (error) {
    if (!(error instanceof ModelError) && !signal.aborted) throw error;
  }
}
