/** The batch door of a vendor, where it has one. The SDKs are loaded at the first question. */
import type { ProviderSettings } from "../settings.ts";
import { batchModel } from "./batch.ts";
import type { BatchStore, BatchTiming, BatchWire } from "./batch-wire.ts";
import type { Model, ModelFacts, Prices } from "./model.ts";

export type BatchDesk = {
  readonly account: ProviderSettings;
  readonly store: BatchStore;
  readonly now: () => number;
  readonly timing?: Partial<BatchTiming>;
};

type Load = (options: ProviderSettings & { readonly name: string; readonly facts: ModelFacts }) => Promise<BatchWire>;

type Provider = { readonly load: Load; readonly prices: (prices: Prices) => Prices };

const PROVIDERS: ReadonlyMap<string, Provider> = new Map<string, Provider>([
  [
    "anthropic",
    {
      load: async (options) => (await import("./anthropic-batch.ts")).anthropicBatches(options),
      // The adapter asks for the cache that lives an hour, and writing that costs twice the input.
      prices: (prices) => half(mapRates(prices, (rates) => ({ ...rates, cacheWrite: rates.input * 2 }))),
    },
  ],
  ["openai", { load: async (options) => (await import("./openai-batch.ts")).openaiBatches(options), prices: half }],
]);

/**
 * The same model through its vendor's batches, null where the vendor has none. Make one for a process, not one for a run: runs
 * share a batch only if they share the model.
 */
export function openBatchModel(direct: Pick<Model, "id" | "facts">, desk: BatchDesk): Model | null {
  const slash = direct.id.indexOf("/");
  const provider = PROVIDERS.get(direct.id.slice(0, slash));
  if (!provider) return null;
  const prices = provider.prices(direct.facts.prices);
  const facts = { ...direct.facts, prices, pricesSource: `${direct.facts.pricesSource}; half of it for a batch` };
  const name = direct.id.slice(slash + 1);
  const { account, ...rest } = desk;
  return batchModel({ id: direct.id, facts, wire: lazily(() => provider.load({ ...account, name, facts })), ...rest });
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
