/**
 * The clouds' own clients over the stand-in's wire: AWS's request signing and event frames, Google's exchange of an identity for a
 * token, Azure's paths and key. Not run against the real services.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Models } from "../../sim/models/models.ts";
import { vertexModel } from "../../src/model/anthropic-cloud.ts";
import type { Model } from "../../src/model/model.ts";
import { answerTo, ask, callsOf, converse, opus, qwen, said, sol, startScript, work } from "./adapters.ts";
import { azure, azureAt, bedrock, stubClouds, vertex, type OpenCloud } from "./clouds.ts";
import { user } from "./transcripts.ts";

let stubbed: AsyncDisposable;
beforeAll(async () => {
  stubbed = await stubClouds();
});
afterAll(() => stubbed[Symbol.asyncDispose]());

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
  await using models = await startScript(work);
  const model = await open(models);
  const { replies } = await converse([model, model, model], [user("Fix the typo.")]);
  expect(replies.map(({ stop }) => stop)).toEqual(["tool-calls", "tool-calls", "finished"]);
  expect(replies.map((reply) => callsOf(reply).length)).toEqual([3, 1, 0]);
  expect(models.requests.map(({ status, turn }) => [status, turn])).toEqual([0, 1, 2].map((turn) => [200, turn]));
  for (const request of models.requests) expect(request.path).toMatch(path);
  expect(JSON.stringify(models.requests)).not.toMatch(/sim-secret|azure-key|who-I-am/);
});

test.each<[string, OpenCloud, (models: Models) => Model]>([
  ["Vertex to Anthropic", vertex, opus],
  ["Bedrock to Anthropic", bedrock, opus],
  ["Azure to OpenAI", azure, sol],
])("thoughts stay behind when a run moves: %s", async (_, from, to) => {
  await using models = await startScript([...work.slice(0, 2), { text: "Done." }]);
  const first = await ask(await from(models), [user("Fix the typo.")]);
  const next = [user("Fix the typo."), said(first), answerTo(first)];
  expect((await ask(to(models), next)).stop).toBe("tool-calls");
  expect(JSON.stringify(models.requests[1]?.body)).not.toMatch(/signature|encrypted_content":/);
});

test("no credentials at all is a fault of its own kind, not a crash", async () => {
  await using models = await startScript([{ text: "Hello." }]);
  const model = await vertex(models);
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", join(tmpdir(), "nobody-wrote-this.json"));
  const other = await vertexModel({
    account: { projectId: "acme", region: "global", baseUrl: `${models.url}/v1` },
    ...{ name: "claude-opus-5-5", facts: model.facts },
  });
  // Opened and not yet asked: the search for credentials ends meanwhile, and must not bring down the process.
  await ask(qwen(models), [user("Hi")]);
  await expect(ask(other, [user("Hi")])).rejects.toMatchObject({ fault: "authentication" });
});
