/**
 * The clouds' own clients over the stand-in's wire: AWS's request signing and event frames, Google's exchange of an identity for a
 * token, Azure's paths and key. Not run against the real services.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Models } from "../../sim/models/models.ts";
import type { Model, ModelFault } from "../../src/model/model.ts";
import { answerTo, ask, callsOf, converse, opus, said, sol, startScript, textOf, work, type Turn } from "./adapters.ts";
import { azure, azureAt, bedrock, identifyAtGoogle, vertex, type OpenCloud } from "./clouds.ts";
import { user } from "./transcripts.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "clouds-"));
  await writeFile(join(dir, "subject"), "who-I-am");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIASIM");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "sim-secret");
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", join(dir, "google.json"));
  vi.stubEnv("GOOGLE_CLOUD_PROJECT", "acme");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true });
});

const startAt = async (...script: Parameters<typeof startScript>) => {
  const models = await startScript(...script);
  await identifyAtGoogle(dir, models);
  return models;
};

const clouds: readonly (readonly [string, OpenCloud, RegExp])[] = [
  ["bedrock", bedrock, /^\/model\/us\.anthropic\.claude-opus-5-5-v1:0\/invoke-with-response-stream$/],
  [
    "vertex",
    vertex,
    /^\/v1\/projects\/acme\/locations\/global\/publishers\/anthropic\/models\/claude-opus-5-5:streamRawPredict$/,
  ],
  ["azure", azure, /^\/openai\/v1\/responses$/],
  ["azure at a dated version", azureAt("2025-04-01-preview"), /^\/openai\/responses$/],
];

test.each(clouds)("%s works through a conversation with tools and thoughts", async (_, open, path) => {
  await using models = await startAt(work);
  const model = await open(models);
  const { replies } = await converse([model, model, model], [user("Fix the typo.")]);
  expect(replies.map(({ stop }) => stop)).toEqual(["tool-calls", "tool-calls", "finished"]);
  expect(replies.map((reply) => callsOf(reply).length)).toEqual([3, 1, 0]);
  expect(models.requests.map(({ status, turn }) => [status, turn])).toEqual([0, 1, 2].map((turn) => [200, turn]));
  for (const request of models.requests) expect(request.path).toMatch(path);
  expect(JSON.stringify(models.requests)).not.toMatch(/sim-secret|azure-key|who-I-am/);
});

test.each<[string, NonNullable<Turn["fault"]>, ModelFault]>([
  ["a broken-off stream", { kind: "error-event", type: "overloaded_error", afterEvents: 3 }, "overloaded"],
  ["a rate limit in the stream", { kind: "error-event", type: "rate_limit_error", afterEvents: 3 }, "rate-limited"],
  ["a connection that breaks", { kind: "drop", afterEvents: 4 }, "connection"],
  ["a stream that ends too early", { kind: "truncate" }, "connection"],
  ["a stall", { kind: "stall", afterEvents: 4 }, "stalled"],
  ["status 403", { kind: "status", status: 403 }, "authentication"],
  ["status 429", { kind: "status", status: 429, retryAfter: 7 }, "rate-limited"],
  ["status 503", { kind: "status", status: 503 }, "overloaded"],
])("at every cloud %s is an error in our words", async (_, fault, expected) => {
  for (const [name, open] of clouds) {
    await using models = await startAt([{ thinking: "Hm.", text: "Hello.", fault }]);
    const model = await open(models, fault.kind === "stall" ? 300 : 10_000);
    await expect(ask(model, [user("Hi")]), name).rejects.toMatchObject({ name: "ModelError", fault: expected });
    expect(textOf(await ask(model, [user("Hi")])), name).toBe("Hello.");
  }
});

test("a prompt too long for Bedrock is told apart", async () => {
  await using models = await startAt([{ text: "Hello." }], { windowMax: 2_000 });
  await expect(ask(await bedrock(models), [user("long ".repeat(5_000))])).rejects.toMatchObject({
    fault: "window-exceeded",
  });
});

test.each<[string, OpenCloud, (models: Models) => Model]>([
  ["Vertex to Anthropic", vertex, opus],
  ["Bedrock to Anthropic", bedrock, opus],
  ["Azure to OpenAI", azure, sol],
])("thoughts stay behind when a run moves: %s", async (_, from, to) => {
  await using models = await startAt([...work.slice(0, 2), { text: "Done." }]);
  const first = await ask(await from(models), [user("Fix the typo.")]);
  const next = [user("Fix the typo."), said(first), answerTo(first)];
  expect((await ask(to(models), next)).stop).toBe("tool-calls");
  expect(JSON.stringify(models.requests[1]?.body)).not.toMatch(/signature|encrypted_content":/);
});

test("no credentials at all is a connection that could not be made, not a crash", async () => {
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", join(dir, "subject"));
  await using models = await startScript([{ text: "Hello." }]);
  await expect(ask(await vertex(models), [user("Hi")])).rejects.toMatchObject({ name: "ModelError" });
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", join(dir, "google.json"));
});
