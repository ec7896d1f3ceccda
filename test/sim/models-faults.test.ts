/** How the models stand-in misbehaves, as the vendors' own SDKs see it; and that the next try finds it well. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";

type Turn = Script["conversations"][number]["turns"][number];

const open = async (turn: Turn, more: Partial<Script> = {}) => {
  const models = await startModels({ script: { ...more, conversations: [{ name: "any", turns: [turn] }] } });
  const anthropic = new Anthropic({ apiKey: "k", baseURL: models.anthropicBaseUrl, maxRetries: 0 });
  const openai = new OpenAI({ apiKey: "k", baseURL: models.openaiBaseUrl, maxRetries: 0 });
  return {
    models,
    anthropic,
    openai,
    askAnthropic: (options: { signal?: AbortSignal } = {}) => collect(() => anthropic.messages.create(asked, options)),
    askOpenai: (options: { signal?: AbortSignal } = {}) => collect(() => openai.responses.create(requested, options)),
    [Symbol.asyncDispose]: () => models.close(),
  };
};

const asked = {
  model: "claude-opus-5-5",
  max_tokens: 4096,
  stream: true,
  tools: [{ type: "bash_20250124", name: "bash" }],
  messages: [{ role: "user", content: "go" }],
} satisfies Anthropic.MessageCreateParamsStreaming;

const requested = {
  model: "gpt-5.6",
  stream: true,
  tools: [{ type: "function", name: "shell", strict: null, parameters: { type: "object", properties: {} } }],
  input: "go",
} satisfies OpenAI.Responses.ResponseCreateParamsStreaming;

/** What came before the end, and how it ended: by itself or by an error. */
async function collect<E extends { readonly type: string }>(start: () => Promise<AsyncIterable<E>>) {
  const events: E[] = [];
  try {
    for await (const event of await start()) events.push(event);
    return { events, types: events.map(({ type }) => type), error: null };
  } catch (error) {
    return { events, types: events.map(({ type }) => type), error };
  }
}

const turn = (fault: NonNullable<Turn["fault"]>): Turn => ({
  text: "Looking.",
  do: [{ do: "shell", command: "ls" }],
  fault,
});

test.each([400, 401, 402, 403, 429, 500, 503, 529])("a scripted %i is the vendors' error, once", async (status) => {
  await using world = await open(turn({ kind: "status", status, times: 2 }));
  const [anthropic, openai] = [await world.askAnthropic(), await world.askOpenai()];
  expect([anthropic.error, openai.error]).toMatchObject([{ status }, { status }]);
  expect([(await world.askAnthropic()).error, (await world.askOpenai()).error]).toEqual([null, null]);
  expect(world.models.requests.map((request) => request.status)).toEqual([status, status, 200, 200]);
});

test("a status carries its type, code, message and wish to wait", async () => {
  const fault = {
    kind: "status" as const,
    status: 429,
    type: "insufficient_quota",
    code: "insufficient_quota",
    message: "Pay.",
    retryAfter: 7,
    times: 2,
  };
  await using world = await open(turn(fault));
  const { error: anthropic } = await world.askAnthropic();
  const { error: openai } = await world.askOpenai();
  if (!(anthropic instanceof Anthropic.RateLimitError) || !(openai instanceof OpenAI.RateLimitError)) throw anthropic;
  expect(anthropic.error).toMatchObject({ type: "error", error: { type: "insufficient_quota", message: "Pay." } });
  expect([anthropic.headers.get("retry-after"), openai.headers.get("retry-after")]).toEqual(["7", "7"]);
  expect([openai.code, openai.type, openai.requestID]).toEqual([
    "insufficient_quota",
    "insufficient_quota",
    expect.any(String),
  ]);
});

test("the SDKs' own retry finds the turn as written", async () => {
  await using world = await open(turn({ kind: "status", status: 529, retryAfter: 0.01 }));
  const client = world.anthropic.withOptions({ maxRetries: 1 });
  expect((await client.messages.stream(asked).finalMessage()).stop_reason).toBe("tool_use");
});

test("a stalled stream says nothing more and keeps the socket until the client gives up", async () => {
  await using world = await open(turn({ kind: "stall", afterEvents: 4, times: 2 }));
  for (const ask of [world.askAnthropic, world.askOpenai]) {
    const leave = new AbortController();
    const asking = ask({ signal: leave.signal });
    await expect.poll(() => world.models.requests.at(-1)?.status).toBe(200);
    const first = await Promise.race([
      asking.then(() => "ended"),
      new Promise((resolve) => setTimeout(resolve, 300, "open")),
    ]);
    expect(first).toBe("open");
    leave.abort();
    // The SDKs drop what the wire calls a ping, and end an aborted stream without an error.
    expect((await asking).types.length).toBe(ask === world.askAnthropic ? 3 : 4);
  }
});

test("a dropped stream breaks off after the events that were sent", async () => {
  await using world = await open(turn({ kind: "drop", afterEvents: 3, times: 2 }));
  const [anthropic, openai] = [await world.askAnthropic(), await world.askOpenai()];
  expect([anthropic.types, openai.types]).toEqual([
    ["message_start", "content_block_start"],
    ["response.created", "response.in_progress", "response.output_item.added"],
  ]);
  expect([anthropic.error, openai.error]).toEqual([expect.any(Error), expect.any(Error)]);
});

test("an error event comes after a 200", async () => {
  await using world = await open(turn({ kind: "error-event", times: 2 }));
  expect((await world.askAnthropic()).error).toMatchObject({
    status: undefined,
    type: "overloaded_error",
    error: { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
  });
  expect((await world.askOpenai()).error).toMatchObject({ status: undefined, code: "server_is_overloaded" });
  expect(world.models.requests.map(({ status }) => status)).toEqual([200, 200]);
});

test("OpenAI's response.failed tells why", async () => {
  await using world = await open(
    turn({ kind: "error-event", shape: "failed", type: "context_length_exceeded", message: "Too long" }),
  );
  const { events } = await world.askOpenai();
  expect(events.at(-1)).toMatchObject({
    type: "response.failed",
    sequence_number: 1,
    response: { status: "failed", error: { code: "context_length_exceeded", message: "Too long" } },
  });
});

test("a truncated stream ends politely without saying how", async () => {
  await using world = await open(turn({ kind: "truncate", times: 2 }));
  const [anthropic, openai] = [await world.askAnthropic(), await world.askOpenai()];
  expect([anthropic.error, anthropic.types.at(-1)]).toEqual([null, "content_block_stop"]);
  expect([openai.error, openai.types.at(-1)]).toEqual([null, "response.output_item.done"]);
});

test("the output limit cuts a call in the middle", async () => {
  await using world = await open(turn({ kind: "max-tokens", times: 2 }));
  const { events } = await world.askAnthropic();
  const json = events.map((event) =>
    event.type === "content_block_delta" && event.delta.type === "input_json_delta" ? event.delta.partial_json : "",
  );
  expect(() => JSON.parse(json.join(""))).toThrow();
  expect(events.find((event) => event.type === "message_delta")?.delta.stop_reason).toBe("max_tokens");

  const last = (await world.askOpenai()).events.at(-1);
  if (last?.type !== "response.incomplete") throw new Error(`The stream ended with ${last?.type}`);
  expect(last.response.incomplete_details).toEqual({ reason: "max_output_tokens" });
  expect(last.response.output.at(-1)).toMatchObject({
    type: "function_call",
    status: "incomplete",
    arguments: '{"comman',
  });
});

test("malformed input is a finished call whose arguments are no JSON", async () => {
  await using world = await open(turn({ kind: "malformed-input", times: 3 }));
  const last = (await world.askOpenai()).events.at(-1);
  if (last?.type !== "response.completed") throw new Error(`The stream ended with ${last?.type}`);
  expect(last.response.output.at(-1)).toMatchObject({
    type: "function_call",
    status: "completed",
    arguments: '{command":"ls"}',
  });
  const { events, error } = await world.askAnthropic();
  expect(error).toBe(null);
  expect(events.find((event) => event.type === "message_delta")?.delta.stop_reason).toBe("tool_use");
  await expect(world.anthropic.messages.stream(asked).finalMessage()).rejects.toThrow();
});

test("a refusal is each vendor's own", async () => {
  await using world = await open(turn({ kind: "refusal", times: 2 }));
  const message = await world.anthropic.messages.stream(asked).finalMessage();
  expect([message.stop_reason, message.stop_details?.type]).toEqual(["refusal", "refusal"]);
  const { types, events } = await world.askOpenai();
  expect(types).toContain("response.refusal.done");
  const last = events.at(-1);
  expect(last?.type === "response.completed" ? last.response.output : null).toMatchObject([
    { type: "message", content: [{ type: "refusal", refusal: "I can't help with that." }] },
  ]);
});

test("an unknown event reaches the client before all others", async () => {
  await using world = await open(turn({ kind: "unknown-event", times: 2 }));
  const [anthropic, openai] = [await world.askAnthropic(), await world.askOpenai()];
  expect([anthropic.types[0], anthropic.types.at(-1)]).toEqual(["something_new", "message_stop"]);
  expect([openai.types[0], openai.types.at(-1)]).toEqual(["something_new", "response.completed"]);
});

test("an empty reply has no content and ends well", async () => {
  await using world = await open(turn({ kind: "empty", times: 2 }));
  const message = await world.anthropic.messages.create({ ...asked, stream: false });
  expect([message.content, message.stop_reason]).toEqual([[], "end_turn"]);
  const response = await world.openai.responses.create({ ...requested, stream: false });
  expect([response.output, response.status]).toEqual([[], "completed"]);
});

test("faults also meet requests that do not stream", async () => {
  for (const kind of ["drop", "truncate", "error-event"] as const) {
    await using world = await open(turn({ kind, times: 2 }));
    await expect(world.anthropic.messages.create({ ...asked, stream: false }), kind).rejects.toThrow();
    await expect(world.openai.responses.create({ ...requested, stream: false }), kind).rejects.toThrow();
    expect((await world.openai.responses.create({ ...requested, stream: false })).status).toBe("completed");
  }
});

test("a prompt longer than the window is refused in each vendor's words", async () => {
  await using world = await open({ text: "Hi." }, { tokens: { bytesPerToken: 4, windowMax: 10 } });
  expect((await world.askAnthropic()).error).toMatchObject({
    status: 400,
    message: expect.stringContaining("prompt is too long"),
  });
  expect((await world.askOpenai()).error).toMatchObject({ status: 400, code: "context_length_exceeded" });
});

test("the server outlives clients that leave in the middle, and a change of script", async () => {
  await using world = await open({ text: "word ".repeat(200), chunkDelayMs: 5 });
  for (const ask of [world.askAnthropic, world.askOpenai, world.askAnthropic]) {
    const leave = new AbortController();
    const asking = ask({ signal: leave.signal });
    await expect.poll(() => world.models.requests.at(-1)?.status).toBe(200);
    leave.abort();
    expect((await asking).types).not.toContain("message_stop");
  }
  world.models.setScript({ conversations: [{ name: "new", turns: [{ text: "Still here." }] }] });
  const { events } = await world.askOpenai();
  const last = events.at(-1);
  expect(last?.type === "response.completed" ? last.response.output : null).toMatchObject([
    { content: [{ text: "Still here." }] },
  ]);
});
