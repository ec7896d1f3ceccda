/**
 * Asks the models of a run: again after what passes, and the next model, another vendor's included, when one cannot go on. The
 * transcript stays the same; only what one vendor alone understands is left behind. A reply is journaled, then charged.
 */
import type { Journal, JournalEntry } from "../journal.ts";
import { costUsd } from "../model/catalog.ts";
import {
  ModelError,
  type Model,
  type ModelChain,
  type ModelFault,
  type ModelReply,
  type ModelRequest,
} from "../model/model.ts";
import { replyWithRetry } from "../model/retry.ts";
import type { ModelSwitch } from "../outcome.ts";
import type { Purse } from "./purse.ts";

/** A reply with what it cost; `model` is who gave it. */
export type Asked = ModelReply & {
  readonly turn: number;
  readonly model: string;
  readonly costUsd: number;
  readonly wallMs: number;
};

export type Asker = {
  readonly model: () => Model;
  readonly switches: () => readonly ModelSwitch[];
  /**
   * The reply, journaled as `toEntry` says and paid. Throws ModelError when no model of the chain can answer, or the signal's reason.
   */
  readonly ask: <E extends JournalEntry>(
    question: Question,
    toEntry: (asked: Asked) => E,
    signal: AbortSignal,
  ) => Promise<E>;
};

export type Question = Omit<ModelRequest, "outputTokensMax"> & { readonly turn: number };

/** A turn's reply as the journal keeps it. */
export function toReplied(asked: Asked): Extract<JournalEntry, { kind: "model-replied" }> {
  const { turn, model, parts, stop, usage, costUsd, wallMs, opaque, cacheMiss, isUsageEstimated } = asked;
  return {
    ...({ kind: "model-replied", turn, model, parts, stop, usage, costUsd, wallMs, opaque } as const),
    ...(typeof cacheMiss === "string" ? { cacheMiss } : {}),
    ...(isUsageEstimated === true ? { isUsageEstimated } : {}),
  };
}

/** Output tokens of one reply, thinking included: enough for a large file in one call, little enough to stream in minutes. */
const OUTPUT_TOKENS_MAX = 32_000;

/** Of one reply, three tries of it included: the longest takes a quarter of an hour at a slow vendor. */
const REPLY_MS_MAX = 30 * 60_000;

/** Another model does not mend a request that is wrong, nor one that is too long: compaction does. */
const STAYS: ReadonlySet<ModelFault> = new Set(["invalid-request", "window-exceeded"]);

type AskerParts = {
  readonly models: ModelChain;
  readonly journal: Journal;
  readonly purse: Purse;
  /** What earlier attempts have switched already. */
  readonly switched: readonly ModelSwitch[];
  readonly now: () => number;
};

export function openAsker({ models, journal, purse, switched, now }: AskerParts): Asker {
  // There is no way back within a run: a vendor that failed three times in a row is not asked at each turn.
  let [model, ...others] = chainAfter(models, switched);
  const switches: ModelSwitch[] = [...switched];

  const moveOn = async (turn: number, error: ModelError, next: Model): Promise<void> => {
    const change = { turn, from: model.id, to: next.id, reason: error.fault };
    await journal.append({ kind: "model-switched", ...change });
    switches.push(change);
    model = next;
    others = others.slice(1);
  };

  return {
    model: () => model,
    switches: () => switches,
    async ask({ turn, ...request }, toEntry, signal) {
      // Each round uses up one model of the chain.
      for (;;) {
        const asked = model;
        const askedAt = now();
        try {
          const outputTokensMax = Math.min(OUTPUT_TOKENS_MAX, asked.facts.outputTokensMax);
          const reply = await inTime(signal, (inside) =>
            replyWithRetry(
              asked,
              { ...request, outputTokensMax },
              {
                signal: inside,
                onRetry: ({ reason, waitMs }) =>
                  journal.append({ kind: "model-retried", model: asked.id, reason, waitMs }),
              },
            ),
          );
          const cost = costUsd(reply.usage, asked.facts.prices);
          const entry = toEntry({ ...reply, turn, model: asked.id, costUsd: cost, wallMs: now() - askedAt });
          await record(journal, entry, () => purse.pay(turn, asked.id, reply.usage, cost));
          return entry;
        } catch (error) {
          const [next] = others;
          if (!(error instanceof ModelError) || !next || STAYS.has(error.fault)) throw error;
          await moveOn(turn, error, next);
        }
      }
    },
  };
}

/** Paid also when the task is another worker's by now: the vendor wants it all the same. */
async function record(journal: Journal, entry: JournalEntry, pay: () => Promise<unknown>): Promise<void> {
  try {
    await journal.append(entry);
  } finally {
    await pay();
  }
}

async function inTime<T>(signal: AbortSignal, ask: (inside: AbortSignal) => Promise<T>): Promise<T> {
  const limit = AbortSignal.timeout(REPLY_MS_MAX);
  try {
    return await ask(AbortSignal.any([signal, limit]));
  } catch (error) {
    if (signal.aborted || !limit.aborted) throw error;
    throw new ModelError("stalled", `The model took longer than ${REPLY_MS_MAX / 60_000} minutes for one reply.`);
  }
}

/** From the model on that was switched to last; the whole chain where settings have changed since. */
function chainAfter(models: ModelChain, switched: readonly ModelSwitch[]): ModelChain {
  const to = switched.at(-1)?.to;
  const [model, ...others] = models.slice(models.findIndex(({ id }) => id === to));
  return to === undefined || !models.some(({ id }) => id === to) || !model ? models : [model, ...others];
}
