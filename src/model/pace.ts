/**
 * Keeps the runs of one worker within a vendor's limits a minute: requests, input tokens, output tokens. Runs wait in the order they
 * came, for a bounded time, and an abort ends the wait. A budget belongs to one model of one account, as the vendors count.
 */
import type { RateLimits } from "../model-settings.ts";
import { imageTokensOf, textBytes } from "./image-tokens.ts";
import {
  ModelError,
  type ImageRule,
  type Message,
  type Model,
  type ModelFacts,
  type ModelReply,
  type ModelRequest,
  type RatesLeft,
  type ToolSpec,
} from "./model.ts";
import { sleepMs } from "./retry.ts";
import { fullBucket, observe, take, waitMs, type Bucket } from "./token-bucket.ts";
import { untilAborted } from "./until-aborted.ts";

/** Longer than any bucket takes to fill up; who waits in a longer queue is better off with another model. */
const WAIT_MS_MAX = 120_000;

/** A vendor that wants quiet for longer has another reason than a minute's limit, and retrying it is decided elsewhere. */
const PAUSE_MS_MAX = 60_000;

/** English and code in the tokenizers of today. */
const BYTES_PER_TOKEN = 4;

/** What an ordinary turn of a coding agent writes; the reply sets it right. */
const OUTPUT_TOKENS_GUESS = 2_000;

type Kind = keyof RateLimits;
const KINDS: readonly Kind[] = ["requests", "inputTokens", "outputTokens"];
type Amounts = Readonly<Record<Kind, number>>;

export type PaceOptions = {
  readonly now: () => number;
  /** Rejects with the signal's reason when aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
};

/** One model's budget. Without a limit of ours a bucket comes into being when the vendor first tells of one. */
export class PaceBudget {
  readonly #buckets = new Map<Kind, Bucket>();
  readonly #now: () => number;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  #pausedUntilMs = 0;
  /** The last in the queue; who comes next waits for it. */
  #tail: Promise<void> = Promise.resolve();

  constructor(limits: RateLimits, { now, sleep = sleepMs }: PaceOptions) {
    this.#now = now;
    this.#sleep = sleep;
    for (const kind of KINDS) {
      const limit = limits[kind];
      if (limit !== null) this.#buckets.set(kind, fullBucket(limit, now()));
    }
  }

  /** Resolves when all of it is there, and takes it. Throws ModelError "rate-limited" after two minutes, or the signal's reason. */
  async enter(amounts: Amounts, signal: AbortSignal): Promise<void> {
    const deadlineMs = this.#now() + WAIT_MS_MAX;
    const before = this.#tail;
    const { promise: done, resolve: leave } = Promise.withResolvers<void>();
    this.#tail = before.then(() => done);
    try {
      await untilAborted(before, signal);
      await this.#wait(amounts, deadlineMs, signal);
      this.charge(amounts);
    } finally {
      leave();
    }
  }

  /** Whether it is worth counting. */
  limits(kind: Kind): boolean {
    return this.#buckets.has(kind);
  }

  charge(amounts: Amounts): void {
    const now = this.#now();
    for (const [kind, bucket] of this.#buckets) this.#buckets.set(kind, take(bucket, amounts[kind], now));
  }

  observe(left: RatesLeft): void {
    const now = this.#now();
    for (const kind of KINDS) {
      const told = left[kind];
      if (told) this.#buckets.set(kind, observe(this.#buckets.get(kind) ?? fullBucket(told.limit, now), told, now));
    }
  }

  /** The vendor has asked for quiet: it asks all runs, not only the one it told. */
  pause(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#now() + Math.min(ms, PAUSE_MS_MAX));
  }

  async #wait(amounts: Amounts, deadlineMs: number, signal: AbortSignal): Promise<void> {
    // Ends at the deadline at the latest: each round sleeps, or throws, or returns.
    for (;;) {
      signal.throwIfAborted();
      const now = this.#now();
      const waits = [...this.#buckets].map(([kind, bucket]) => waitMs(bucket, amounts[kind], now));
      const ms = Math.max(0, this.#pausedUntilMs - now, ...waits);
      if (ms === 0) return;
      if (now + ms > deadlineMs) {
        throw new ModelError("rate-limited", "Our own limit a minute would let this request wait for too long.");
      }
      await this.#sleep(ms, signal);
    }
  }
}

/** Claude's cached reads do not count toward its limits, at Anthropic and at the clouds; everyone else counts them. */
const countsCachedReads = ({ id }: Model): boolean => !/^(anthropic|bedrock|vertex)\//.test(id);

/** The same model, held to the budget. What it waits for is an estimate, set right by what the reply turns out to have cost. */
export function paceModel(model: Model, budget: PaceBudget): Model {
  const countsReads = countsCachedReads(model);
  const sizeOf = memoSize(model.facts);
  return {
    id: model.id,
    facts: model.facts,
    async reply(request, signal) {
      const inputTokens = budget.limits("inputTokens") ? guessInput(request, { countsReads, sizeOf }) : 0;
      const outputTokens = Math.min(request.outputTokensMax, OUTPUT_TOKENS_GUESS);
      const guess = { requests: 1, inputTokens, outputTokens };
      await budget.enter(guess, signal);
      try {
        const reply = await model.reply(request, signal);
        settle(budget, { guess, reply, countsReads });
        return reply;
      } catch (error) {
        if (error instanceof ModelError && error.fault === "rate-limited") budget.pause(error.retryAfterMs ?? 0);
        throw error;
      }
    },
  };
}

/** Where cached reads do not count only what came after the model's last words does: the rest was sent before. */
function guessInput({ system, tools, messages }: ModelRequest, { countsReads, sizeOf }: Guessing): number {
  const last = messages.findLastIndex(({ kind }) => kind === "model");
  const isWhole = countsReads || last === -1;
  const counted = isWhole ? [...tools, ...messages] : messages.slice(last + 1);
  const bytes = counted.reduce((sum, part) => sum + sizeOf(part), isWhole ? Buffer.byteLength(system) : 0);
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

type Guessing = { readonly countsReads: boolean; readonly sizeOf: (part: ToolSpec | Message) => number };

/** A transcript only grows: each part of it is measured once. */
function memoSize({ quirks: { images } }: ModelFacts): (part: ToolSpec | Message) => number {
  const sizes = new WeakMap<object, number>();
  return (part) => {
    const known = sizes.get(part);
    if (known !== undefined) return known;
    const bytes = "kind" in part ? sizeOfMessage(part, images) : Buffer.byteLength(JSON.stringify(part));
    sizes.set(part, bytes);
    return bytes;
  };
}

/** Bytes; what its images weigh in tokens is made bytes as well. */
function sizeOfMessage(message: Message, rule: ImageRule | null): number {
  return textBytes(message) + imageTokensOf(message, rule) * BYTES_PER_TOKEN;
}

type Settling = { readonly guess: Amounts; readonly reply: ModelReply; readonly countsReads: boolean };

function settle(budget: PaceBudget, { guess, reply, countsReads }: Settling): void {
  const { usage, ratesLeft } = reply;
  const inputTokens = usage.input + usage.cacheWrite + (countsReads ? usage.cachedRead : 0);
  budget.charge({
    requests: 0,
    inputTokens: inputTokens - guess.inputTokens,
    outputTokens: usage.output - guess.outputTokens,
  });
  if (ratesLeft) budget.observe(ratesLeft);
}
