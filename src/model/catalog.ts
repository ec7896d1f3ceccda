/** What we know of each model: its window, its prices and where they were read. Wrong prices make wrong limits, so the unknown is set high. */
import type { Usage } from "../journal.ts";
import type { ModelOverride, ModelOverrides } from "../model-settings.ts";
import type { ImageRule, ModelFacts, Prices, Quirks } from "./model.ts";
import { claudeQuirks, gptQuirks, OPEN_IMAGES, PLAIN_QUIRKS } from "./quirks.ts";

const ANTHROPIC_DOCS = "platform.claude.com/docs, models and pricing, read 2026-11-21";
const OPENAI_DOCS = "developers.openai.com/api/docs, models and pricing, read 2026-11-21";
const REPORTED = "release notes of third parties that read the vendor's price page, read 2026-11-21";
const UNKNOWN = "unknown, set high on purpose";

type Entry = Omit<ModelFacts, "quirks">;

/** As [input, cached read, cache write for 5 minutes, output]. */
type Rates = readonly [number, number, number, number];

const CATALOG: ReadonlyMap<string, Entry> = new Map([
  ["anthropic/claude-fable-5-2", claude([8, 0.2, 10, 40], { source: REPORTED })],
  ["anthropic/claude-fable-5-1", claude([10, 0.25, 12.5, 50])],
  ["anthropic/claude-fable-5", claude([10, 1, 12.5, 50])],
  ["anthropic/claude-opus-5-5", claude([4, 0.2, 5, 20])],
  ["anthropic/claude-opus-5", claude([5, 0.5, 6.25, 25])],
  ["anthropic/claude-opus-4-8", claude([5, 0.5, 6.25, 25], { context: 200_000, output: 64_000 })],
  // The vendor's page still showed 0.20 for cached reads; the cut to 0.10 of 2026-10-07 is reported by others.
  ["anthropic/claude-sonnet-5-5", claude([2, 0.2, 2.5, 10])],
  ["anthropic/claude-sonnet-5", claude([2, 0.2, 2.5, 10])],
  ["anthropic/claude-sonnet-4-6", claude([3, 0.3, 3.75, 15], { context: 200_000, output: 64_000 })],
  [
    "anthropic/claude-haiku-5-5",
    claude([0.1, 0.01, 0.125, 0.5], { long: { aboveTokens: 100_000, rates: [0.5, 0.05, 0.625, 2.5] } }),
  ],
  ["anthropic/claude-haiku-4-5", claude([1, 0.1, 1.25, 5], { context: 200_000, output: 64_000 })],
  ["openai/gpt-6-astra", gpt([10, 1, 12.5, 50], REPORTED)],
  ["openai/gpt-6.1-sol", gpt([2, 0.1, 2.5, 10], REPORTED)],
  ["openai/gpt-6.1-terra", gpt([1, 0.05, 1.25, 5], REPORTED)],
  ["openai/gpt-6-sol", gpt([2, 0.2, 2.5, 10], REPORTED)],
  ["openai/gpt-6-luna", gpt([0.1, 0.01, 0.125, 0.5], REPORTED)],
  // List prices: the vendor promised the lower ones (4 and 20) only until 2026-11-21.
  ["openai/gpt-5.6-sol", gpt([5, 0.5, 6.25, 30])],
  ["openai/gpt-5.6", gpt([5, 0.5, 6.25, 30])],
  ["openai/gpt-5.6-terra", gpt([2, 0.2, 2.5, 12], REPORTED)],
  ["openai/gpt-5.6-luna", gpt([0.2, 0.02, 0.25, 1.2])],
]);

/** Twice the dearest Claude we know, and what OpenAI asks for its "pro" models, which do not discount cached reads. */
const UNKNOWN_CLAUDE = claude([20, 2, 25, 100], { context: 200_000, output: 32_000, source: UNKNOWN });
const UNKNOWN_OTHER: Entry = {
  contextTokensMax: 128_000,
  outputTokensMax: 16_000,
  prices: toPrices([30, 30, 37.5, 180]),
  pricesSource: UNKNOWN,
  editing: "patch",
};
/** A server of one's own may be small, and its model may never have seen our patch format. */
const UNKNOWN_COMPATIBLE: Entry = {
  ...UNKNOWN_OTHER,
  contextTokensMax: 32_000,
  outputTokensMax: 8_000,
  editing: "replace",
};

/** Regional endpoints of Claude at both clouds cost a tenth more than Anthropic's own; which endpoint it is we do not know. */
const CLOUD_FACTOR = 1.1;

/**
 * `id` is "provider/name"; a dated snapshot has the facts of its model, and so has the model at a cloud. Unknown models get small
 * windows and high prices. `overrides` is what the person who runs us knows better.
 */
export function modelFacts(id: string, overrides: ModelOverrides = {}): ModelFacts {
  const { vendor, name } = readModelName(id);
  const known = CATALOG.get(`${vendor}/${name}`) ?? unknownOf(vendor);
  const isCloud = !id.startsWith(`${vendor}/`);
  const facts = { ...(isCloud ? atCloud(known) : known), quirks: quirksOf(vendor, name, isCloud) };
  const override = overrides[id] ?? overrides[id.replace(/\/.*$/s, "/*")];
  return override ? overridden(facts, override) : facts;
}

/**
 * "bedrock/us.anthropic.claude-opus-4-8-20260101-v1:0" and "vertex/claude-opus-4-8@20260101" are Anthropic's "claude-opus-4-8";
 * "azure/…" is a deployment that someone named, most often after its model.
 */
function readModelName(id: string): { readonly vendor: string; readonly name: string } {
  const provider = id.slice(0, id.indexOf("/"));
  const bare = id
    .slice(provider.length + 1)
    .replace(/^.*\banthropic\./, "")
    .replace(/-v\d+(:\d+)?$/, "");
  const name = bare.replace(/[-@]\d{4}-?\d{2}-?\d{2}$/, "");
  if (provider === "bedrock" || provider === "vertex") return { vendor: "anthropic", name };
  return { vendor: provider === "azure" ? "openai" : provider, name };
}

function unknownOf(vendor: string): Entry {
  if (vendor === "anthropic") return UNKNOWN_CLAUDE;
  return vendor === "compatible" ? UNKNOWN_COMPATIBLE : UNKNOWN_OTHER;
}

function quirksOf(vendor: string, name: string, isCloud: boolean): Quirks {
  if (vendor === "anthropic") return claudeQuirks(name);
  if (vendor !== "openai") return PLAIN_QUIRKS;
  const quirks = gptQuirks(name);
  // Which versions of Azure's API and which deployments take the vendor's shell tool its page leaves open (read 2026-11-21).
  return isCloud ? { ...quirks, shellTool: "function" } : quirks;
}

function atCloud(entry: Entry): Entry {
  if (entry.pricesSource === UNKNOWN) return entry;
  const { longPrompt, ...prices } = entry.prices;
  const long = longPrompt ? { longPrompt: { ...dearer(longPrompt), aboveTokens: longPrompt.aboveTokens } } : {};
  return {
    ...entry,
    prices: { ...dearer(prices), ...long },
    pricesSource: `the vendor's own and a tenth, as clouds ask at most: ${entry.pricesSource}`,
  };
}

function dearer({ input, cachedRead, cacheWrite, output }: Prices) {
  const times = (price: number) => price * CLOUD_FACTOR;
  return {
    input: times(input),
    cachedRead: times(cachedRead),
    cacheWrite: times(cacheWrite),
    output: times(output),
  };
}

function overridden(facts: ModelFacts, override: ModelOverride): ModelFacts {
  const { input, output, cachedRead = input, cacheWrite = input } = override;
  const contextTokensMax = override.contextTokensMax ?? facts.contextTokensMax;
  return {
    ...facts,
    contextTokensMax,
    outputTokensMax: Math.min(override.outputTokensMax ?? facts.outputTokensMax, contextTokensMax),
    prices: { input, cachedRead, cacheWrite, output },
    pricesSource: "PULLWRIGHT_PRICES",
    quirks: { ...facts.quirks, images: imageRule(override, facts) },
  };
}

function imageRule({ vision }: ModelOverride, { quirks: { images } }: ModelFacts): ImageRule | null {
  if (vision === undefined) return images;
  return vision ? (images ?? OPEN_IMAGES) : null;
}

/** `usage.reasoning` is part of `usage.output` at both vendors and is not charged again. */
export function costUsd(usage: Usage, prices: Prices): number {
  const { longPrompt } = prices;
  const promptTokens = usage.input + usage.cachedRead + usage.cacheWrite;
  const rates = longPrompt && promptTokens > longPrompt.aboveTokens ? longPrompt : prices;
  return (
    (usage.input * rates.input +
      usage.cachedRead * rates.cachedRead +
      usage.cacheWrite * rates.cacheWrite +
      usage.output * rates.output) /
    1_000_000
  );
}

type ClaudeOptions = {
  readonly context?: number;
  readonly output?: number;
  readonly source?: string;
  readonly long?: { readonly aboveTokens: number; readonly rates: Rates };
};

function claude(rates: Rates, options: ClaudeOptions = {}): Entry {
  const { context = 1_000_000, output = 128_000, source = ANTHROPIC_DOCS, long } = options;
  const prices = toPrices(rates);
  return {
    contextTokensMax: context,
    outputTokensMax: output,
    prices: long ? { ...prices, longPrompt: { aboveTokens: long.aboveTokens, ...toPrices(long.rates) } } : prices,
    pricesSource: source,
    editing: "replace",
  };
}

/** "Prompts with >272K input tokens are priced at 2x input and 1.5x output for the full request", on each page since gpt-5.6. */
function gpt(rates: Rates, source = OPENAI_DOCS): Entry {
  const [input, cachedRead, cacheWrite, output] = rates;
  const long = toPrices([input * 2, cachedRead * 2, cacheWrite * 2, output * 1.5]);
  return {
    contextTokensMax: 1_050_000,
    outputTokensMax: 128_000,
    prices: { ...toPrices(rates), longPrompt: { aboveTokens: 272_000, ...long } },
    pricesSource: source,
    editing: "patch",
  };
}

function toPrices([input, cachedRead, cacheWrite, output]: Rates) {
  return { input, cachedRead, cacheWrite, output };
}
