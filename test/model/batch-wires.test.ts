/** What the two batch wires make of a request and of the vendors' words, without a server. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { anthropicBatches } from "../../src/model/anthropic-batch.ts";
import { toMessageParams } from "../../src/model/anthropic-request.ts";
import { throughBatches } from "../../src/model/batch-open.ts";
import type { BatchWire } from "../../src/model/batch-wire.ts";
import { modelFacts } from "../../src/model/catalog.ts";
import type { Model } from "../../src/model/model.ts";
import { openaiBatches } from "../../src/model/openai-batch.ts";
import { toResponseParams } from "../../src/model/openai-request.ts";
import { askWith, observe, user } from "./transcripts.ts";

const account = { apiKey: "sk-none", baseUrl: "http://127.0.0.1:9" };
const claude = { name: "claude-opus-5-5", facts: modelFacts("anthropic/claude-opus-5-5") };
const gpt = { name: "gpt-6.1-sol", facts: modelFacts("openai/gpt-6.1-sol") };
const call = { id: "1", tool: "shell", input: { command: "ls", cache_control: { type: "ephemeral" } } };
const request = askWith([
  user("Fix it."),
  { kind: "model", parts: [{ kind: "call", call }], opaque: null },
  observe(["1", "a"]),
]);

const wires: readonly (readonly [string, BatchWire])[] = [
  ["anthropic", anthropicBatches({ ...account, ...claude })],
  ["openai", openaiBatches({ ...account, ...gpt })],
];

test("Claude's line is the adapter's request without the stream, its marks kept for an hour, nothing else touched", async () => {
  const line = await anthropicBatches({ ...account, ...claude }).toLine("key", request);
  const { stream: _, ...params } = toMessageParams(request, { ...claude, asksWhyMissed: false });
  const parsed = z.object({ custom_id: z.literal("key"), params: z.unknown() }).parse(JSON.parse(line));
  const marks = line.match(/"cache_control":\{"type":"ephemeral","ttl":"1h"\}/g) ?? [];
  expect(marks.length).toBeGreaterThanOrEqual(2);
  // The only mark left as it was is the one that the model wrote into its own call.
  expect(line.match(/"cache_control":\{"type":"ephemeral"\}/g)).toHaveLength(1);
  expect(JSON.parse(line.replaceAll(',"ttl":"1h"', "")).params).toEqual(JSON.parse(JSON.stringify(params)));
  expect(parsed.params).not.toHaveProperty("stream");
});

test("OpenAI's line calls the Responses API with the adapter's request without the stream", async () => {
  const line = await openaiBatches({ ...account, ...gpt }).toLine("key", request);
  const { stream: _, ...body } = toResponseParams(request, { ...gpt, summaries: false });
  const expected = { custom_id: "key", method: "POST", url: "/v1/responses", body };
  expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(expected)));
  expect(line).not.toContain("\n");
});

describe.each(wires)("%s", (_, wire) => {
  test.each(["null", "{}", '{"type":"something_new"}', "[]", "not JSON", '{"type":"succeeded","message":{}}'])(
    "the result %s is the vendor's fault, and may be asked again",
    async (result) => {
      await expect(wire.read(result, request)).rejects.toMatchObject({ name: "ModelError", fault: "server" });
    },
  );
});

test.each([
  [{ error: { code: "insufficient_quota", message: "No money." } }, "quota"],
  [
    { response: { status_code: 401, body: { error: { message: "No key.", code: "invalid_api_key" } } } },
    "authentication",
  ],
  [{ response: { status_code: 503, body: {} } }, "overloaded"],
  [
    { response: { status_code: 200, body: { status: "failed", error: { code: "invalid_prompt" } } } },
    "invalid-request",
  ],
  [{ response: { status_code: 200, body: { status: "cancelled" } } }, "connection"],
])("OpenAI's result %j is told in our words", async (result, fault) => {
  const read = openaiBatches({ ...account, ...gpt }).read(JSON.stringify(result), request);
  await expect(read).rejects.toMatchObject({ name: "ModelError", fault });
});

test("a model whose server has no batches, or whose account we lack, is asked directly; others are opened once", () => {
  const store = {
    find: never,
    claim: never,
    place: never,
    settle: never,
    settleRest: never,
    unclaim: never,
    forget: never,
    take: never,
  };
  const open = throughBatches({ accounts: { anthropic: account, openai: null }, store, now: Date.now });
  const direct = (id: string): Model => ({ id, facts: claude.facts, reply: never });
  for (const id of ["compatible/qwen", "bedrock/anthropic.claude-opus-5-5", "openai/gpt-6.1-sol"]) {
    const model = direct(id);
    expect(open(model)).toBe(model);
  }
  const batched = open(direct("anthropic/claude-opus-5-5"));
  expect(batched.facts.prices.output).toBe(claude.facts.prices.output / 2);
  expect(open(direct("anthropic/claude-opus-5-5"))).toBe(batched);
});

const never = () => Promise.reject(new Error("not asked for here"));
