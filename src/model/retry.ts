/** Asks again after faults that pass. Three tries in all; the waits are bounded, whatever the vendor wishes. */
import { setTimeout as delay } from "node:timers/promises";
import { ModelError, type Model, type ModelFault, type ModelReply, type ModelRequest } from "./model.ts";

/** A vendor that failed three times in a row is down for longer than a turn should wait. */
const TRIES_MAX = 3;

const BACKOFF_MS = 1_000;

/** Runs that failed together must not come back together; the vendor's own wish is waited for in full. */
const JITTER_SHARE = 0.25;

/** Rate limits refill by the minute, so a longer wait than that gains nothing a later retry of the task would not. */
const WAIT_MS_MAX = 60_000;

const PASSING: ReadonlySet<ModelFault> = new Set(["rate-limited", "overloaded", "connection", "stalled", "server"]);

export type Retry = { readonly fault: ModelFault; readonly reason: string; readonly waitMs: number };

export type RetryOptions = {
  readonly signal: AbortSignal;
  /** Called before each wait, which starts when it has resolved. */
  readonly onRetry?: (retry: Retry) => void | Promise<void>;
  /** Rejects with the signal's reason when aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** From 0 to 1. */
  readonly random?: () => number;
};

/** Throws the last ModelError, or the signal's reason. */
export async function replyWithRetry(model: Model, request: ModelRequest, options: RetryOptions): Promise<ModelReply> {
  const { signal, onRetry, sleep = sleepMs, random = Math.random } = options;
  for (let tried = 1; ; tried += 1) {
    try {
      return await model.reply(request, signal);
    } catch (error) {
      if (!(error instanceof ModelError) || !PASSING.has(error.fault) || tried >= TRIES_MAX) throw error;
      const wished = Math.max(error.retryAfterMs ?? 0, BACKOFF_MS * 2 ** (tried - 1));
      const waitMs = Math.round(Math.min(wished * (1 + JITTER_SHARE * random()), WAIT_MS_MAX));
      await onRetry?.({ fault: error.fault, reason: error.message, waitMs });
      await sleep(waitMs, signal);
    }
  }
}

/** Rejects with the signal's reason when aborted. */
export async function sleepMs(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
