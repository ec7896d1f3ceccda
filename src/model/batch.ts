/**
 * A Model whose questions go through a vendor's batch API: half the price, and the answer within a day. What was asked is kept
 * outside of the process, so that the same request of a run is paid once, whoever asks it and however often.
 */
import { BatchCollector } from "./batch-collector.ts";
import { BatchWatches } from "./batch-watch.ts";
import {
  BATCH_TIMING,
  notYet,
  pause,
  type BatchStore,
  type BatchTiming,
  type BatchWire,
  type PlacedRequest,
} from "./batch-wire.ts";
import { ModelError, type Model, type ModelFacts, type ModelReply, type ModelRequest } from "./model.ts";
import { asCached, requestKey } from "./response-cache.ts";

export type BatchOptions = {
  readonly id: string;
  /** With the prices a batch has. */
  readonly facts: ModelFacts;
  readonly wire: BatchWire;
  readonly store: BatchStore;
  readonly now: () => number;
  readonly timing?: Partial<BatchTiming>;
};

/** How often a claim of another worker is looked at. */
const CLAIM_POLL_MS = 1_000;

/**
 * One for all runs of a process: those that ask within the window share a batch, each with a request of its own.
 * Throws NotYet when the vendor takes longer than the hold.
 */
export function batchModel(options: BatchOptions): Model {
  const desk = new BatchDesk(options);
  return { id: options.id, facts: options.facts, reply: (request, signal) => desk.reply(request, signal) };
}

class BatchDesk {
  readonly #options: BatchOptions;
  readonly #timing: BatchTiming;
  readonly #collector: BatchCollector;
  readonly #watches: BatchWatches;

  constructor(options: BatchOptions) {
    const { wire, store, now, timing } = options;
    this.#options = options;
    this.#timing = { ...BATCH_TIMING, ...timing };
    this.#collector = new BatchCollector({ wire, store, windowMs: this.#timing.windowMs });
    this.#watches = new BatchWatches({ wire, store, now, timing: this.#timing });
  }

  async reply(request: ModelRequest, signal: AbortSignal): Promise<ModelReply> {
    const { store, wire, now } = this.#options;
    // By run: two runs that ask alike are two questions, each on its own account. The response cache joins them, not we.
    const key = requestKey(this.#options, request, request.cacheKey);
    const holdUntil = now() + this.#timing.holdMsMax;
    // Ends with an answer, at the vendor's time limit, or with the hold.
    for (;;) {
      signal.throwIfAborted();
      const placed = await store.find(key);
      if (placed !== null && placed.result !== null) return await this.#deliver(key, placed.result, request);
      if (placed !== null && placed.batchId !== null) {
        await this.#await(key, { ...placed, batchId: placed.batchId, holdUntil }, signal);
      } else if (await this.#claim(key)) {
        await this.#collector.add({ key, line: await wire.toLine(key, request) }, signal);
      } else {
        if (now() >= holdUntil) throw notYet();
        await pause(Math.min(CLAIM_POLL_MS, this.#timing.pollMsMin), signal);
      }
    }
  }

  #claim(key: string): Promise<boolean> {
    const at = this.#options.now();
    return this.#options.store.claim(key, { at, staleBefore: at - this.#timing.claimMsMax });
  }

  /** Until the batch has ended, or the hold has. */
  async #await(
    key: string,
    placed: PlacedRequest & { readonly batchId: string; readonly holdUntil: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { store, now } = this.#options;
    const holdMs = placed.holdUntil - now();
    try {
      await this.#watches.ended({ batchId: placed.batchId, since: placed.claimedAt, holdMs }, signal);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      // Another worker may have fetched the results and cleared the batch away.
      if ((await store.find(key))?.result != null) return;
      throw await this.#giveUp(key, error);
    }
  }

  async #deliver(key: string, result: string, request: ModelRequest): Promise<ModelReply> {
    const { store, wire } = this.#options;
    try {
      const reply = await wire.read(result, request);
      return (await store.take(key)) ? reply : asCached(reply);
    } catch (error) {
      if (error instanceof ModelError) await store.forget(key); // Asked again, it is a new question.
      throw error;
    }
  }

  /** A key that is refused or an account without money can be mended, and the batch is still there then. */
  async #giveUp(key: string, error: ModelError): Promise<ModelError> {
    if (error.fault === "authentication" || error.fault === "quota") return error;
    await this.#options.store.forget(key);
    if (error.fault !== "invalid-request") return error;
    return new ModelError("server", `The vendor no longer knows the batch. ${error.message}`, { cause: error });
  }
}
