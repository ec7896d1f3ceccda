/** The stand-in's batches, spoken to by the vendors' own SDKs: states, counts, order, and what is refused. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI, { toFile } from "openai";
import { describe, expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";

const script: Script = {
  conversations: [
    { name: "late", match: ["late"], turns: [{ fault: { kind: "unanswered", how: "expired" } }] },
    { name: "any", turns: [{ text: "Hello." }] },
  ],
  batch: { polls: 2 },
};

const open = async () => {
  const models = await startModels({ script });
  return {
    models,
    anthropic: new Anthropic({ apiKey: "sk-ant-0123456789", baseURL: models.anthropicBaseUrl, maxRetries: 0 }),
    openai: new OpenAI({ apiKey: "sk-proj-0123456789", baseURL: models.openaiBaseUrl, maxRetries: 0 }),
    [Symbol.asyncDispose]: () => models.close(),
  };
};

describe("Anthropic's", () => {
  const item = (custom_id: string, content: string) => ({
    custom_id,
    params: { model: "claude-opus-5-5", max_tokens: 100, messages: [{ role: "user", content } as const] },
  });

  test("batch ends after as many looks as the script says, with a result for each request", async () => {
    await using sim = await open();
    const { batches } = sim.anthropic.messages;
    const requests = [item("one", "hi"), item("two", "late"), { ...item("three", "hi") }];
    const made = await batches.create({
      requests: [...requests, { custom_id: "four", params: { ...item("", "").params, messages: [] } }],
    });
    expect([made.processing_status, made.results_url, made.request_counts.processing]).toEqual([
      "in_progress",
      null,
      4,
    ]);
    await expect(batches.results(made.id)).rejects.toThrow(/results_url/);
    expect((await batches.retrieve(made.id)).processing_status).toBe("in_progress");
    const ended = await batches.retrieve(made.id);
    expect([ended.processing_status, ended.request_counts]).toEqual([
      "ended",
      { processing: 0, succeeded: 2, errored: 1, canceled: 0, expired: 1 },
    ]);
    const ends = new Map<string, string>();
    for await (const { custom_id, result } of await batches.results(made.id)) ends.set(custom_id, result.type);
    expect([...ends]).toEqual([
      ["four", "errored"],
      ["three", "succeeded"],
      ["two", "expired"],
      ["one", "succeeded"],
    ]);
    await batches.delete(made.id);
    await expect(batches.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
  });

  test("batch that is cancelled ends with every request cancelled", async () => {
    await using sim = await open();
    const { batches } = sim.anthropic.messages;
    const { id } = await batches.create({ requests: [item("one", "hi")] });
    expect((await batches.cancel(id)).processing_status).toBe("canceling");
    expect((await batches.retrieve(id)).request_counts.canceled).toBe(1);
  });

  test.each([
    ["no requests", []],
    ["one custom id twice", [item("one", "hi"), item("one", "hi")]],
    ["a custom id with a space", [item("o n e", "hi")]],
    ["a custom id of 65 characters", [item("x".repeat(65), "hi")]],
  ])("batch with %s is refused", async (_, requests) => {
    await using sim = await open();
    await expect(sim.anthropic.messages.batches.create({ requests })).rejects.toMatchObject({ status: 400 });
  });
});

describe("OpenAI's", () => {
  const line = (custom_id: string, input: string, change: object = {}) =>
    JSON.stringify({
      custom_id,
      method: "POST",
      url: "/v1/responses",
      body: { model: "gpt-6.1-sol", input, ...change },
    });
  const create = async (client: OpenAI, lines: readonly string[]) => {
    const file = await toFile(Buffer.from(`${lines.join("\n")}\n`), "in.jsonl");
    const { id } = await client.files.create({ file, purpose: "batch" });
    return client.batches.create({ input_file_id: id, endpoint: "/v1/responses", completion_window: "24h" });
  };

  test("batch goes through its states and leaves its good and its bad lines in two files", async () => {
    await using sim = await open();
    const { batches, files } = sim.openai;
    const made = await create(sim.openai, [
      line("one", "hi"),
      line("two", "late"),
      line("three", "hi", { stream: true }),
    ]);
    const statuses = [made.status];
    for (let look = 0; look < 3; look++) statuses.push((await batches.retrieve(made.id)).status);
    expect(statuses).toEqual(["validating", "validating", "in_progress", "expired"]);
    const { output_file_id = "", error_file_id = "", request_counts } = await batches.retrieve(made.id);
    expect(request_counts).toEqual({ total: 3, completed: 1, failed: 2 });
    const read = async (id: string) =>
      (await (await files.content(id)).text())
        .trim()
        .split("\n")
        .map((text) => JSON.parse(text));
    expect(await read(output_file_id)).toMatchObject([
      {
        custom_id: "one",
        response: { status_code: 200, body: { object: "response", status: "completed" } },
        error: null,
      },
    ]);
    expect(await read(error_file_id)).toMatchObject([
      { custom_id: "three", response: { status_code: 400, body: { error: { type: "invalid_request_error" } } } },
      { custom_id: "two", response: null, error: { code: "batch_expired" } },
    ]);
  });

  test.each([
    ["two models", [line("one", "hi"), line("two", "hi", { model: "gpt-6-luna" })], "mismatched_model", 2],
    ["one custom id twice", [line("one", "hi"), line("one", "hi")], "duplicate_custom_id", 2],
    ["a line that is no JSON", [line("one", "hi"), "{"], "invalid_json_line", 2],
  ])("batch with %s fails as a whole", async (_, lines, code, at) => {
    await using sim = await open();
    const { id } = await create(sim.openai, lines);
    const { status, errors } = await sim.openai.batches.retrieve(id);
    expect([status, errors?.data]).toMatchObject(["failed", [{ code, line: at }]]);
  });

  test("batch of a file that is not there is refused", async () => {
    await using sim = await open();
    const wrong = { input_file_id: "file-none", endpoint: "/v1/responses", completion_window: "24h" } as const;
    await expect(sim.openai.batches.create(wrong)).rejects.toMatchObject({ status: 400 });
  });
});
