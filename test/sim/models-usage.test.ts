/** What the models stand-in counts and records: tokens, caches, requests. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";

const idle: Script = { conversations: [{ name: "any", turns: [] }] };

const open = async (script: Script = idle) => {
  const models = await startModels({ script });
  return {
    models,
    anthropic: new Anthropic({ apiKey: "sk-ant-0123456789", baseURL: models.anthropicBaseUrl, maxRetries: 0 }),
    openai: new OpenAI({ apiKey: "sk-proj-0123456789", baseURL: models.openaiBaseUrl, maxRetries: 0 }),
    [Symbol.asyncDispose]: () => models.close(),
  };
};

const asked = {
  model: "claude-opus-5-5",
  max_tokens: 4096,
  system: "You are a developer who fixes what is broken and leaves the rest alone.",
  messages: [{ role: "user", content: "go" }],
} satisfies Anthropic.MessageCreateParamsNonStreaming;

const requested = { model: "gpt-5.6", input: "go" } satisfies OpenAI.Responses.ResponseCreateParamsNonStreaming;

test("usage tells cached tokens from fresh ones, by exact prefix", async () => {
  await using world = await open();
  const cache_control = { type: "ephemeral" } as const;
  const ask = async (system: string, marked = true) => {
    const block = { type: "text" as const, text: system, ...(marked ? { cache_control } : {}) };
    const { usage } = await world.anthropic.messages.create({ ...asked, system: [block] });
    return [usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens].map(
      (n) => Number(n) > 0,
    );
  };
  const long = "rule ".repeat(2_000);
  expect(await ask(long)).toEqual([true, false, true]);
  expect(await ask(long)).toEqual([true, true, false]);
  expect(await ask(long, false)).toEqual([true, false, false]);
  expect(await ask(`!${long}`)).toEqual([true, false, true]);
  expect(await ask("short")).toEqual([true, false, false]);

  const cached = async (key: string) => {
    const response = await world.openai.responses.create({ ...requested, instructions: long, prompt_cache_key: key });
    return response.usage?.input_tokens_details.cached_tokens ?? 0;
  };
  expect(await cached("a")).toBe(0);
  expect(await cached("a")).toBeGreaterThan(2_000);
  expect(await cached("b")).toBe(0);
});

test("scripted usage is reported in each vendor's terms", async () => {
  const usage = { input: 10, cachedRead: 200, cacheWrite: 30, output: 50, reasoning: 20 };
  await using world = await open({ conversations: [{ name: "any", turns: [{ text: "Hi.", usage }] }] });
  const message = await world.anthropic.messages.stream(asked).finalMessage();
  expect(message.usage).toMatchObject({
    input_tokens: 10,
    cache_read_input_tokens: 200,
    cache_creation_input_tokens: 30,
    output_tokens: 50,
    output_tokens_details: { thinking_tokens: 20 },
  });
  const { usage: billed } = await world.openai.responses.create(requested);
  expect(billed).toEqual({
    input_tokens: 240,
    input_tokens_details: { cached_tokens: 200, cache_write_tokens: 30 },
    output_tokens: 50,
    output_tokens_details: { reasoning_tokens: 20 },
    total_tokens: 290,
  });
});

test("both vendors count tokens without playing a turn", async () => {
  await using world = await open();
  const { max_tokens: _, ...counted } = asked;
  const { input_tokens } = await world.anthropic.messages.countTokens(counted);
  expect(input_tokens).toBeGreaterThan(20);
  expect(await world.openai.responses.inputTokens.count(requested)).toEqual({
    object: "response.input_tokens",
    input_tokens: expect.any(Number),
  });
  expect(world.models.requests.map(({ conversation }) => conversation)).toEqual([null, null]);
});

test("no record holds a key", async () => {
  await using world = await open();
  await world.anthropic.messages.create(asked);
  await world.openai.responses.create(requested);
  expect(JSON.stringify(world.models.requests)).not.toMatch(/0123456789/);
  expect(world.models.requests.map(({ headers }) => headers["x-api-key"] ?? headers["authorization"])).toEqual([
    "…6789",
    "…6789",
  ]);
});
