/** What a batch is made of: the vendor's side, the store's side and the limits. No vendor's shape is known here. */
import { setTimeout as delay } from "node:timers/promises";
import { NotYet } from "../failure.ts";
import type { ModelError, ModelReply, ModelRequest } from "./model.ts";

/** One request of a batch. `line` is JSON as the vendor wants it, with the key in it as its custom id. */
export type BatchItem = { readonly key: string; readonly line: string };

/** The vendor's word on one request, as it came: only the adapter that asked reads it. */
export type BatchResult = { readonly key: string; readonly result: string };

export type BatchResults = {
  readonly items: AsyncIterable<BatchResult>;
  /** What to take as the result of a request that is not among them. */
  readonly rest: string;
};

/** A vendor's batch API. Everything throws ModelError or the signal's reason. */
export type BatchWire = {
  /** The same request gives the same line. */
  readonly toLine: (key: string, request: ModelRequest) => Promise<string>;
  /**
   * Resolves to the batch's id once the vendor has taken it. Neither vendor knows a batch by a name of ours, so a worker that is
   * lost between the vendor's yes and our note of it leaves a batch that is paid and never read.
   */
  readonly submit: (lines: readonly string[], signal: AbortSignal) => Promise<string>;
  /** Null while the vendor is at work. */
  readonly results: (batchId: string, signal: AbortSignal) => Promise<BatchResults | null>;
  /** Ends it early; what was answered by then is paid. */
  readonly cancel: (batchId: string, signal: AbortSignal) => Promise<void>;
  /** Takes what the vendor keeps of an ended batch away: it holds the repository's code. */
  readonly discard: (batchId: string, signal: AbortSignal) => Promise<void>;
  readonly read: (result: string, request: ModelRequest) => Promise<ModelReply>;
};

/** `batchId` is null from the claim until the vendor has taken the batch, `result` until it has ended. Times are epoch milliseconds. */
export type PlacedRequest = {
  readonly claimedAt: number;
  readonly batchId: string | null;
  readonly result: string | null;
};

/** Outlives the worker, so that the next one finds what was asked. */
export type BatchStore = {
  readonly find: (key: string) => Promise<PlacedRequest | null>;
  /** True for exactly one asker; a claim older than `staleBefore` that led to no batch is another's to take. */
  readonly claim: (key: string, times: { readonly at: number; readonly staleBefore: number }) => Promise<boolean>;
  readonly place: (keys: readonly string[], batchId: string) => Promise<void>;
  readonly settle: (batchId: string, result: BatchResult) => Promise<void>;
  /** For every request of the batch that has no result yet. */
  readonly settleRest: (batchId: string, result: string) => Promise<void>;
  /** True the first time: then the answer is to be charged, and never again. */
  readonly take: (key: string) => Promise<boolean>;
  /** Takes claims back that led to no batch; what has been sent stands. */
  readonly unclaim: (keys: readonly string[]) => Promise<void>;
  readonly forget: (key: string) => Promise<void>;
};

export type BatchTiming = {
  /** How long the first request of a batch waits for company. Against hours at the vendor it is nothing. */
  readonly windowMs: number;
  readonly pollMsMin: number;
  readonly pollMsMax: number;
  /** Both vendors end a batch after 24 hours; the margin is for their clocks and for writing the results. */
  readonly waitMsMax: number;
  /** How long a reply waits for a batch before it throws NotYet: a worker and its sandbox wait with it. */
  readonly holdMsMax: number;
  /** A claim this old without a batch belonged to a worker that was lost. Longer than a window and an upload together. */
  readonly claimMsMax: number;
};

export const BATCH_TIMING: BatchTiming = {
  windowMs: 5_000,
  pollMsMin: 10_000,
  pollMsMax: 120_000,
  waitMsMax: 25 * 60 * 60_000,
  holdMsMax: 2 * 60_000,
  claimMsMax: 10 * 60_000,
};

/** Each time a task is taken up again it needs a workspace and a sandbox; the queue gives a task out a thousand times at most. */
const ASK_AGAIN_MS = 10 * 60_000;

/** The question stands: whoever asks the exact same again, in this process or another, gets the answer when it is there. */
export function notYet(): NotYet {
  return new NotYet("The vendor's batch has not ended yet.", ASK_AGAIN_MS);
}

/** One call of a vendor's SDK: an abort is the signal's reason, anything else a ModelError. */
export async function callVendor<T>(
  call: () => Promise<T>,
  readFault: (error: unknown) => ModelError,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  try {
    return await call();
  } catch (error) {
    signal.throwIfAborted();
    throw readFault(error);
  }
}

/** Rejects with the signal's reason when aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
