/** The vendors' own examples, where they give some, and the edges of their rules. */
import { expect, test } from "vitest";
import { modelFacts } from "../../src/model/catalog.ts";
import { imageTokens, textBytes } from "../../src/model/image-tokens.ts";
import { estimateUsage } from "../../src/model/wire.ts";

test.each([
  // Claude: patches of 28 pixels; larger images are scaled down first.
  ["anthropic/claude-opus-5-5", 200, 200, 64],
  ["anthropic/claude-opus-5-5", 1000, 1000, 1296],
  ["anthropic/claude-opus-5-5", 2000, 2000, 4784],
  ["anthropic/claude-sonnet-4-6", 1000, 1000, 1296],
  ["anthropic/claude-sonnet-4-6", 2000, 2000, 1568],
  ["bedrock/us.anthropic.claude-opus-4-8-20260101-v1:0", 1280, 800, 1334],
  // GPT, tiles: the vendor's guide has 765 and 1105.
  ["openai/gpt-4o", 1024, 1024, 765],
  ["openai/gpt-4o", 2048, 4096, 1105],
  ["openai/gpt-5.1", 1024, 1024, 630],
  // GPT, patches of 32: the guide has 1,024 and 1,452 before its factor.
  ["openai/gpt-6.1-sol", 1024, 1024, 1024],
  ["openai/gpt-6.1-sol", 2000, 2000, 2500],
  ["openai/gpt-4.1-mini", 1024, 1024, 1659],
  ["azure/gpt-4.1-mini", 1800, 2400, 2489],
])("%s takes %i x %i pixels for %i tokens at most", (id, width, height, tokens) => {
  const { images } = modelFacts(id).quirks;
  expect(images && imageTokens({ width, height }, images)).toBe(tokens);
});

test.each([
  ["openai/gpt-oss-120b", false],
  ["openai/o3-mini", false],
  ["compatible/qwen3-coder", false],
  ["openai/gpt-6-astra", true],
  ["vertex/claude-haiku-4-5@20260101", true],
])("whether %s sees is known: %s", (id, sees) => {
  expect(modelFacts(id).quirks.images !== null).toBe(sees);
});

test("who runs a model may say whether it sees", () => {
  const price = { input: 0, output: 0 };
  const sees = (id: string, vision?: boolean) => {
    const override = vision === undefined ? price : { ...price, vision };
    return modelFacts(id, { [id]: override }).quirks.images !== null;
  };
  expect([sees("compatible/a"), sees("compatible/a", true), sees("anthropic/claude-opus-5-5", false)]).toEqual([
    ...[false, true, false],
  ]);
  expect(sees("anthropic/claude-opus-5-5")).toBe(true);
});

test("an image's base64 is no text to be counted", () => {
  const image = { mediaType: "image/png", width: 10, height: 10, base64: "A".repeat(1_000_000) } as const;
  const observation = { callId: "c", text: "t", isError: false };
  const bytes = textBytes({ kind: "observations", observations: [{ ...observation, images: [image] }] });
  expect(bytes).toBeLessThan(200);
  const params = { messages: [{ content: [{ image_url: { url: `data:image/png;base64,${image.base64}` } }] }] };
  expect(estimateUsage(params, []).input).toBeLessThan(1_600);
});
