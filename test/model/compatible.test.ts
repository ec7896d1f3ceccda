import { createServer } from "node:http";
import { once } from "node:events";
import { expect, test } from "vitest";
import { modelFacts } from "../../src/model/catalog.ts";
import { compatibleModel } from "../../src/model/compatible.ts";
import { readChatError } from "../../src/model/compatible-error.ts";
import { readChat } from "../../src/model/compatible-reply.ts";
import { toChatParams } from "../../src/model/compatible-request.ts";
import type { Message } from "../../src/model/model.ts";
import { ask, callsOf, qwen, startScript, textOf } from "./adapters.ts";
import { askWith, observe, play, search, shell, user } from "./transcripts.ts";

const name = "qwen3-coder";
const facts = modelFacts(`compatible/${name}`);
const call = (id: string, tool: string, input: unknown) => ({ kind: "call", call: { id, tool, input } }) as const;
const params = (messages: readonly Message[]) => toChatParams(askWith(messages), { name, facts });

test("a request is what the strictest template takes", () => {
  const messages: readonly Message[] = [
    user("Fix it."),
    { kind: "model", parts: [], opaque: null },
    user("Please."),
    {
      kind: "model",
      parts: [
        { kind: "thinking", text: "Hm." },
        call("a:1", "shell", '{"command":'),
        call("b", "apply_patch", "*** Begin"),
      ],
      opaque: { provider: "anthropic", model: "claude-opus-5-5", value: "{}" },
    },
    observe(["a:1", "not JSON", true], ["b", ""]),
  ];
  const { messages: sent, tools, ...rest } = params(messages);
  expect(rest).toEqual({ model: name, max_tokens: 1_000, stream: true, stream_options: { include_usage: true } });
  expect(tools?.map((tool) => ("function" in tool ? tool.function.name : ""))).toEqual([
    "shell",
    "edit",
    "apply_patch",
    "search",
  ]);
  expect(sent).toEqual([
    { role: "system", content: "You fix bugs." },
    { role: "user", content: "Fix it.\n\nPlease." },
    {
      role: "assistant",
      content: "",
      tool_calls: [
        { id: "a_1", type: "function", function: { name: "shell", arguments: '{"command":"{\\"command\\":"}' } },
        { id: "b", type: "function", function: { name: "apply_patch", arguments: '{"patch":"*** Begin"}' } },
      ],
    },
    { role: "tool", tool_call_id: "a_1", content: "not JSON" },
    { role: "tool", tool_call_id: "b", content: "" },
  ]);
});

const read = (chunks: readonly object[], takenIds: readonly string[] = []) => {
  let ids = 0;
  const newId = () => `new_${++ids}`;
  return readChat(play(chunks), { name, tools: [shell, search], takenIds: new Set(takenIds), newId });
};
const chunk = (delta: object, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});
const piece = (fields: object) => chunk({ tool_calls: [fields] });
const end = chunk({}, "tool_calls");

test("calls come together from their pieces, however the server marks them", async () => {
  const mixed = await read([
    piece({ index: 0, id: "x", function: { name: "shell", arguments: "" } }),
    piece({ index: 1, id: "y", function: { name: "search", arguments: '{"query":' } }),
    piece({ index: 0, function: { arguments: '{"command":"ls"}' } }),
    piece({ index: 1, function: { name: "search", arguments: '"a"}' } }),
    end,
  ]);
  const unmarked = await read([
    piece({ function: { name: "shell", arguments: { command: "ls" } } }),
    piece({ id: "", function: { name: "search", arguments: '{"query":' } }),
    piece({ function: { arguments: '"a"}' } }),
    end,
  ]);
  const calls = (x: string, y: string) => [call(x, "shell", { command: "ls" }), call(y, "search", { query: "a" })];
  expect(mixed.parts).toEqual(calls("x", "y"));
  expect(unmarked.parts).toEqual(calls("new_1", "new_2"));
});

test("an id that was there before is replaced: other vendors take each only once", async () => {
  const reply = await read(
    [piece({ index: 0, id: "call_0", function: { name: "shell", arguments: "{}" } }), end],
    ["call_0"],
  );
  expect(callsOf(reply).map(({ id }) => id)).toEqual(["new_1"]);
  expect(reply.opaque?.value).toContain("new_1");
});

test.each([
  ["reasoning_content", [chunk({ reasoning_content: "Hm." }), chunk({ content: "Yes." })]],
  ["reasoning", [chunk({ reasoning: "Hm." }), chunk({ content: "Yes." })]],
])("thoughts under %s are told apart and go back under that name", async (field, chunks) => {
  const reply = await read([...chunks, chunk({}, "stop")]);
  expect(reply.parts).toEqual([
    { kind: "thinking", text: "Hm." },
    { kind: "text", text: "Yes." },
  ]);
  expect(reply.opaque?.value).toBe(JSON.stringify({ role: "assistant", [field]: "Hm.", content: "Yes." }));
});

test.each([
  ["<think>Hm.</think>\n\nYes.", ["Hm.", "Yes."]],
  ["Hm.\n</think>\nYes.", ["Hm.", "Yes."]],
  ["<think>Hm. <tool_call>", ["Hm. <tool_call>"]],
])("thoughts left in the text are taken out and not sent back: %j", async (content, texts) => {
  const reply = await read([chunk({ content }), chunk({}, "stop")]);
  expect(reply.parts.map((part) => (part.kind === "call" ? "" : part.text))).toEqual(texts);
  expect(reply.opaque?.value ?? "").not.toContain("Hm.");
});

test("nothing is read as a call from a reply that was cut off", async () => {
  const content = '<tool_call>{"name":"shell","arguments":{"command":"ls"}}</tool_call>';
  const cut = await read([chunk({ content }), chunk({}, "length")]);
  expect([cut.stop, callsOf(cut)]).toEqual(["output-limit", []]);
  const empty = await read([
    piece({ index: 0, id: "x", function: { name: "shell", arguments: "" } }),
    chunk({}, "length"),
  ]);
  expect(callsOf(empty)).toEqual([]);
});

test("usage is taken from wherever it comes last, and said to be missing when it does not come", async () => {
  const usage = { prompt_tokens: 100, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 60 } };
  const told = await read([
    { ...chunk({ content: "Hi" }), usage: { prompt_tokens: 1 } },
    chunk({}, "stop"),
    { choices: [], usage },
  ]);
  expect([told.usage, told.isUsageEstimated]).toEqual([
    { input: 40, cachedRead: 60, cacheWrite: 0, output: 9, reasoning: 0 },
    false,
  ]);
  expect((await read([chunk({ content: "Hi" }), chunk({}, "stop")])).isUsageEstimated).toBe(true);
});

test("over the wire missing usage is estimated from bytes", async () => {
  await using models = await startScript([{ text: "Hello there.", withoutUsage: true }]);
  const { usage, isUsageEstimated } = await ask(qwen(models), [user("word ".repeat(2_000))]);
  expect(isUsageEstimated).toBe(true);
  expect(usage.input).toBeGreaterThan(2_500);
  expect(usage.input).toBeLessThan(3_500);
  expect(usage.output).toBeGreaterThan(0);
});

test.each(["hermes", "qwen", "mistral", "llama", "fenced", "bare"] as const)(
  "calls that a server leaves in the text are run, and go back as calls: %s",
  async (callsAs) => {
    await using models = await startScript([{ do: [{ do: "shell", command: "ls -la" }], callsAs }, { text: "Done." }]);
    const model = qwen(models);
    const reply = await ask(model, [user("Go.")]);
    expect([reply.stop, callsOf(reply).map(({ tool, input }) => [tool, input])]).toEqual([
      "tool-calls",
      [["shell", { command: "ls -la" }]],
    ]);
    const answer = observe([callsOf(reply)[0]?.id ?? "", "files"]);
    expect(
      textOf(await ask(model, [user("Go."), { kind: "model", parts: reply.parts, opaque: reply.opaque }, answer])),
    ).toBe("Done.");
  },
);

test.each<[object, ReturnType<typeof readChatError>]>([
  [{ error: { message: "No.", type: "t", code: 400 } }, { message: "No.", type: "t", code: "400" }],
  [
    { object: "error", message: "No.", type: "BadRequestError", code: 400 },
    { message: "No.", type: "BadRequestError", code: "400" },
  ],
  [{ error: "model not found" }, { message: "model not found", type: null, code: null }],
  [{ detail: "Not Found" }, { message: "Not Found", type: null, code: null }],
  [{ detail: [{ loc: ["body"], msg: "field required" }] }, { message: "field required", type: null, code: null }],
  [{ object: "chat.completion.chunk", choices: [] }, null],
])("an error is read from %j", (body, error) => {
  expect(readChatError(body)).toEqual(error);
});

test("a server that does not stream, or fails after its 200, is understood", async () => {
  const answers = [
    {
      choices: [{ message: { content: "Whole." }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 1 },
    },
    {
      error: {
        message: "the request exceeds the available context size",
        type: "exceed_context_size_error",
        code: 400,
      },
    },
  ];
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answers.shift()));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const address = server.address();
    const baseUrl = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/v1`;
    const model = compatibleModel({ apiKey: null, baseUrl, name, facts });
    expect(textOf(await ask(model, [user("Hi")]))).toBe("Whole.");
    await expect(ask(model, [user("Hi")])).rejects.toMatchObject({ fault: "window-exceeded" });
  } finally {
    server.close();
  }
});
