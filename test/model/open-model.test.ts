import { expect, test } from "vitest";
import { UserError } from "../../src/failure.ts";
import { defaultModels, openModel } from "../../src/model/open-model.ts";

const key = { apiKey: "key", baseUrl: null };
const none = { anthropic: null, openai: null, authorModel: null, reviewerModel: null };
const claude = "anthropic/claude-opus-5-5";
const gpt = "openai/gpt-6.1-sol";

test.each([
  ["both keys", { anthropic: key, openai: key }, { author: claude, reviewer: gpt }],
  ["only Anthropic's key", { anthropic: key }, { author: claude, reviewer: claude }],
  ["only OpenAI's key", { openai: key }, { author: gpt, reviewer: gpt }],
  [
    "an author of the second vendor",
    { anthropic: key, openai: key, authorModel: "openai/gpt-6-luna" },
    { author: "openai/gpt-6-luna", reviewer: claude },
  ],
  [
    "both models set",
    { anthropic: key, authorModel: "anthropic/claude-sonnet-5", reviewerModel: claude },
    { author: "anthropic/claude-sonnet-5", reviewer: claude },
  ],
])("with %s the models are chosen", (_, settings, chosen) => {
  expect(defaultModels({ ...none, ...settings })).toEqual(chosen);
});

test.each([
  ["no key at all", none, /ANTHROPIC_API_KEY or OPENAI_API_KEY/],
  ["an author without a key", { ...none, openai: key, authorModel: claude }, /needs an API key: set ANTHROPIC_API_KEY/],
  ["a reviewer without a key", { ...none, anthropic: key, reviewerModel: gpt }, /needs an API key: set OPENAI_API_KEY/],
  ["a provider nobody knows", { ...none, openai: key, authorModel: "acme/x" }, /`acme\/x` has no provider we know/],
])("with %s the asker is told what to set", (_, settings, message) => {
  expect(() => defaultModels(settings)).toThrow(UserError);
  expect(() => defaultModels(settings)).toThrow(message);
});

test("opening a model names it and knows its facts without asking anyone", () => {
  const model = openModel(claude, { anthropic: key, openai: null });
  expect([model.id, model.facts.editing]).toEqual([claude, "replace"]);
  expect(() => openModel(gpt, { anthropic: key, openai: null })).toThrow(/OPENAI_API_KEY/);
});
