/** The batch door of a vendor, where it has one. The SDKs are loaded at the first question. */
import type { ProviderSettings } from "../settings.ts";
import { batchModel } from "./batch.ts";
import type { BatchStore, BatchTiming, BatchWire } from "./batch-wire.ts";
import type { Model, ModelFacts, Prices } from "./model.ts";

export type BatchDesk = {
  /** By provider; null or absent where there is no key. */
  readonly accounts: { readonly [provider in ProviderName]?: ProviderSettings | null };
  readonly store: BatchStore;
  readonly now: () => number;
  readonly timing?: Partial<BatchTiming>;
};

type ProviderName = "anthropic" | "openai";

type Load = (options: ProviderSettings & { readonly name: string; readonly facts: ModelFacts }) => Promise<BatchWire>;

type Provider = { readonly load: Load; readonly prices: (prices: Prices) => Prices };

const PROVIDERS: Readonly<Record<ProviderName, Provider>> = {
  anthropic: {
    load: async (options) => (await import("./anthropic-batch.ts")).anthropicBatches(options),
    // The adapter asks for the cache that lives an hour, and writing that costs twice the input.
    prices: (prices) => half(mapRates(prices, (rates) => ({ ...rates, cacheWrite: rates.input * 2 }))),
  },
  openai: { load: async (options) => (await import("./openai-batch.ts")).openaiBatches(options), prices: half },
};

/**
 * The same model through its vendor's batches; the model itself where there are none. Made once for a process: runs share a
 * batch only if they share the model that comes out of here.
 */
export function throughBatches(desk: BatchDesk): (direct: Model) => Model {
  const open = new Map<string, Model>(); // As many as there are models in the settings.
  return (direct) => {
    const model = open.get(direct.id) ?? openBatchModel(direct, desk) ?? direct;
    open.set(direct.id, model);
    return model;
  };
}

/** Null where the vendor has no batches or we have no account with it. */
function openBatchModel(direct: Model, { accounts, ...desk }: BatchDesk): Model | null {
  const [, provider, name] = /^(anthropic|openai)\/(.+)$/s.exec(direct.id) ?? [];
  if (name === undefined || (provider !== "anthropic" && provider !== "openai")) return null;
  const account = accounts[provider];
  if (!account) return null;
  const { load, prices } = PROVIDERS[provider];
  const pricesSource = `${direct.facts.pricesSource}; half of it for a batch`;
  const facts = { ...direct.facts, prices: prices(direct.facts.prices), pricesSource };
  return batchModel({ id: direct.id, facts, wire: lazily(() => load({ ...account, name, facts })), ...desk });
}

type Rates = Pick<Prices, "input" | "cachedRead" | "cacheWrite" | "output">;

/** "50% of the standard prices" at both vendors. */
function half(prices: Prices): Prices {
  return mapRates(prices, ({ input, cachedRead, cacheWrite, output }) => ({
    input: input / 2,
    cachedRead: cachedRead / 2,
    cacheWrite: cacheWrite / 2,
    output: output / 2,
  }));
}

function mapRates(prices: Prices, map: (rates: Rates) => Rates): Prices {
  const { longPrompt } = prices;
  if (!longPrompt) return map(prices);
  return { ...map(prices), longPrompt: { aboveTokens: longPrompt.aboveTokens, ...map(longPrompt) } };
}

function lazily(load: () => Promise<BatchWire>): BatchWire {
  let loading: Promise<BatchWire> | null = null;
  const wire = () => (loading ??= load());
  return {
    toLine: async (key, request) => (await wire()).toLine(key, request),
    submit: async (lines, signal) => (await wire()).submit(lines, signal),
    results: async (batchId, signal) => (await wire()).results(batchId, signal),
    cancel: async (batchId, signal) => (await wire()).cancel(batchId, signal),
    discard: async (batchId, signal) => (await wire()).discard(batchId, signal),
    read: async (result, request) => (await wire()).read(result, request),
  };
}
