import { expect, test } from "vitest";
import { costUsd, modelFacts } from "../../src/model/catalog.ts";

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
