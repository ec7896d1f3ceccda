import { expect, test } from "vitest";
import { costUsd, modelFacts } from "../../src/model/catalog.ts";
import { effortFor } from "../../src/model/quirks.ts";

const usage = { input: 1_000, cachedRead: 90_000, cacheWrite: 9_000, output: 2_000, reasoning: 500 };

test.each([
  ["anthropic/claude-opus-5-5", 0.004 + 0.018 + 0.045 + 0.04],
  ["openai/gpt-6.1-sol", 0.002 + 0.009 + 0.0225 + 0.02],
  ["anthropic/claude-haiku-5-5", 0.0001 + 0.0009 + 0.001125 + 0.001],
])("a reply of %s costs each kind of token its price, reasoning within the output", (id, usd) => {
  expect(costUsd(usage, modelFacts(id).prices)).toBeCloseTo(usd, 10);
});

test("a prompt above the vendor's step is dearer as a whole", () => {
  const { prices } = modelFacts("anthropic/claude-haiku-5-5");
  const long = { ...usage, input: 1_001 };
  expect(costUsd(long, prices)).toBeCloseTo((1_001 * 0.5 + 90_000 * 0.05 + 9_000 * 0.625 + 2_000 * 2.5) / 1e6, 10);
});

test("a dated snapshot has the facts of its model", () => {
  expect(modelFacts("openai/gpt-6.1-sol-2026-09-29")).toEqual(modelFacts("openai/gpt-6.1-sol"));
  expect(modelFacts("anthropic/claude-haiku-4-5-20251001")).toEqual(modelFacts("anthropic/claude-haiku-4-5"));
});

test.each(["anthropic/claude-next", "openai/gpt-6.1-sol-pro", "elsewhere/some-model"])(
  "the unknown model %s works, at prices above every known one",
  (id) => {
    const facts = modelFacts(id);
    expect(facts.pricesSource).toBe("unknown, set high on purpose");
    expect(facts.outputTokensMax).toBeLessThan(facts.contextTokensMax);
    expect(costUsd(usage, facts.prices)).toBeGreaterThan(costUsd(usage, modelFacts("openai/gpt-6-astra").prices));
    expect(costUsd(usage, facts.prices)).toBeGreaterThan(costUsd(usage, modelFacts("anthropic/claude-fable-5").prices));
  },
);

test.each([
  ["bedrock/us.anthropic.claude-opus-4-8-20260101-v1:0", "anthropic/claude-opus-4-8"],
  ["bedrock/anthropic.claude-haiku-5-5", "anthropic/claude-haiku-5-5"],
  ["vertex/claude-sonnet-5@20260301", "anthropic/claude-sonnet-5"],
  ["azure/gpt-6.1-sol", "openai/gpt-6.1-sol"],
])("%s is %s, a tenth dearer", (id, own) => {
  const [cloud, vendor] = [modelFacts(id), modelFacts(own)];
  expect({ ...cloud, prices: 0, pricesSource: 0 }).toEqual({ ...vendor, prices: 0, pricesSource: 0 });
  expect(costUsd(usage, cloud.prices)).toBeCloseTo(costUsd(usage, vendor.prices) * 1.1, 10);
});

test("what a person says of prices and windows goes before what we know", () => {
  const overrides = {
    "compatible/*": { input: 0, output: 0, contextTokensMax: 64_000 },
    "compatible/big": { input: 1, cachedRead: 0.5, output: 2, outputTokensMax: 32_000 },
  };
  expect(modelFacts("compatible/small", overrides)).toMatchObject({
    prices: { input: 0, cachedRead: 0, cacheWrite: 0, output: 0 },
    contextTokensMax: 64_000,
    pricesSource: "PULLWRIGHT_PRICES",
  });
  expect(modelFacts("compatible/big", overrides)).toMatchObject({
    prices: { input: 1, cachedRead: 0.5, cacheWrite: 1, output: 2 },
    outputTokensMax: 32_000,
  });
  expect(modelFacts("openai/gpt-6-sol", overrides)).toEqual(modelFacts("openai/gpt-6-sol"));
});

test.each([
  ["anthropic/claude-opus-5-5", "xhigh", "xhigh"],
  ["anthropic/claude-opus-4-8", "xhigh", "high"],
  ["anthropic/claude-opus-4-5-20251101", "max", "high"],
  ["anthropic/claude-haiku-4-5", "high", null],
  ["openai/gpt-6.1-sol", "max", "max"],
  ["openai/gpt-5.1", "max", "high"],
  ["openai/gpt-4.1", "low", null],
  ["compatible/qwen3", "low", null],
] as const)("%s asked for effort %s gets %s", (id, wish, effort) => {
  expect(effortFor(wish, modelFacts(id).quirks)).toBe(effort);
});

test.each([
  ["openai/gpt-5.1", "native"],
  ["openai/gpt-5.1-codex", "native"],
  ["openai/gpt-6.1-sol", "grammar"],
  ["openai/gpt-4.1", "function"],
  ["compatible/gpt-6.1-sol", "function"],
])("%s is offered apply_patch as %s", (id, patchTool) => {
  expect(modelFacts(id).quirks.patchTool).toBe(patchTool);
});
