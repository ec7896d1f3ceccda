import { expect, test } from "vitest";
import { anthropicFault } from "../../src/model/anthropic-fault.ts";
import { readMessage } from "../../src/model/anthropic-reply.ts";
import { toMessageParams, toolNames } from "../../src/model/anthropic-request.ts";
import { modelFacts } from "../../src/model/catalog.ts";
import type { Message, ModelFault } from "../../src/model/model.ts";
import { askWith, edit, observe, patch, play, search, shell, user } from "./transcripts.ts";

const name = "claude-opus-5-5";
const cached = { cache_control: { type: "ephemeral" } };
const asked = (model: string) => ({ name: model, facts: modelFacts(`anthropic/${model}`), asksWhyMissed: true });
const params = (messages: readonly Message[]) => toMessageParams(askWith(messages), asked(name));

const call = (id: string, tool: string, input: unknown) => ({ kind: "call", call: { id, tool, input } }) as const;

test("native tools go by the vendor's names, the others with their schema", () => {
  expect(params([user("Hi")]).tools).toEqual([
    { type: "bash_20250124", name: "bash" },
    { type: "text_editor_20250728", name: "str_replace_based_edit_tool" },
    { type: "custom", name: "apply_patch", description: patch.description, input_schema: patch.parameters },
    { type: "custom", name: "search", description: search.description, input_schema: search.parameters },
  ]);
  expect([...toolNames([shell, edit, search])]).toEqual([
    ["bash", "shell"],
    ["str_replace_based_edit_tool", "edit"],
    ["search", "search"],
  ]);
});

test("another vendor's turn is rebuilt without thinking, and roles alternate with results first", () => {
  const messages: readonly Message[] = [
    user("Fix it."),
    {
      kind: "model",
      parts: [
        { kind: "thinking", text: "Hm." },
        { kind: "text", text: "Looking." },
        call("call_1", "shell", { command: "ls" }),
        call("call:2", "apply_patch", "*** Begin Patch"),
        call("call_3", "functions.made_up", {}),
      ],
      opaque: { provider: "openai", model: "gpt-6.1-sol", value: "[]" },
    },
    observe(["call_1", "src"], ["call:2", "bad patch", true], ["call_3", ""]),
    user("Time is short."),
  ];
  expect(params(messages).messages).toEqual([
    { role: "user", content: [{ type: "text", text: "Fix it.", ...cached }] },
    {
      role: "assistant",
      content: [
        { type: "text", text: "Looking." },
        { type: "tool_use", id: "call_1", name: "bash", input: { command: "ls" } },
        { type: "tool_use", id: "call_2", name: "apply_patch", input: { patch: "*** Begin Patch" } },
        { type: "tool_use", id: "call_3", name: "functions_made_up", input: {} },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "call_1", content: "src" },
        { type: "tool_result", tool_use_id: "call_2", content: "bad patch", is_error: true },
        { type: "tool_result", tool_use_id: "call_3", content: "(empty)" },
        { type: "text", text: "Time is short.", ...cached },
      ],
    },
  ]);
});

test("own blocks go back as they came, to the same model only", () => {
  const blocks = [
    { type: "thinking", signature: "s", thinking: "Hm." },
    { type: "text", text: "Yes.", citations: null },
  ];
  const turn = (model: string): Message => ({
    kind: "model",
    parts: [{ kind: "text", text: "Yes." }],
    opaque: { provider: "anthropic", model, value: JSON.stringify({ id: "msg_1", blocks }) },
  });
  expect(JSON.stringify(params([user("?"), turn(name)]).messages[1]?.content)).toBe(JSON.stringify(blocks));
  expect(params([user("?"), turn("claude-sonnet-5")]).messages[1]?.content).toEqual([{ type: "text", text: "Yes." }]);
});

test("a turn that left nothing to send is skipped, and its neighbours join", () => {
  const empty: Message = {
    kind: "model",
    parts: [],
    opaque: { provider: "anthropic", model: name, value: '{"id":null,"blocks":[]}' },
  };
  expect(params([user("Go."), empty, user("Go on.")]).messages).toEqual([
    {
      role: "user",
      content: [
        { type: "text", text: "Go." },
        { type: "text", text: "Go on.", ...cached },
      ],
    },
  ]);
});

/** A turn of `calls` calls and their results. */
const turn = (at: number, calls: number): readonly Message[] => [
  { kind: "model", parts: Array.from({ length: calls }, (_, i) => call(`c${at}_${i}`, "shell", {})), opaque: null },
  observe(...Array.from({ length: calls }, (_, i) => [`c${at}_${i}`, "ok"] as const)),
];
const turns = (...calls: readonly number[]) => [user("Go."), ...calls.flatMap((count, at) => turn(at, count))];
/** Which messages end in a breakpoint. */
const places = (messages: readonly Message[]) =>
  params(messages).messages.flatMap(({ content }, at) =>
    JSON.stringify(content).includes("cache_control") ? [at] : [],
  );

test.each<[string, readonly number[], readonly number[]]>([
  ["one message", [], [0]],
  ["a first turn", [30], [0, 2]],
  ["long turns: the ends of this request, of the last and of the one before", [30, 30, 30], [2, 4, 6]],
  ["short turns: the third reaches back as far as the vendor looks", Array.from({ length: 15 }, () => 1), [10, 28, 30]],
])("breakpoints after %s, and one on the system prompt", (_, calls, expected) => {
  expect(places(turns(...calls))).toEqual(expected);
  expect(JSON.stringify(params(turns(...calls))).split("cache_control")).toHaveLength(expected.length + 2);
});

test("effort goes along where the model takes it, and why the cache missed is asked of Anthropic alone", () => {
  const request = askWith([user("Hi")], { effort: "high" });
  expect(toMessageParams(request, asked(name))).toMatchObject({
    output_config: { effort: "high" },
    diagnostics: { previous_message_id: null },
  });
  const cloud = { ...asked("claude-haiku-4-5"), asksWhyMissed: false };
  expect(Object.keys(toMessageParams(request, cloud))).not.toContain("output_config");
  expect(Object.keys(toMessageParams(request, cloud))).not.toContain("diagnostics");
});

test.each([
  ["claude-opus-5-5", true],
  ["claude-sonnet-4-6", true],
  ["claude-haiku-5-5", true],
  ["claude-next", true],
  ["claude-haiku-4-5-20251001", false],
  ["claude-opus-4-1", false],
  ["claude-sonnet-4-20250514", false],
  ["claude-3-7-sonnet-latest", false],
])("%s is asked to think adaptively: %s", (model, expected) => {
  expect("thinking" in toMessageParams(askWith([user("Hi")]), asked(model))).toBe(expected);
});

const start = (index: number, content_block: object) => ({ type: "content_block_start", index, content_block });
const delta = (index: number, part: object) => ({ type: "content_block_delta", index, delta: part });
const end = (stop_reason: string) => [
  { type: "message_delta", delta: { stop_reason }, usage: { output_tokens: 9 } },
  { type: "message_stop" },
];

function read(events: readonly object[]) {
  const sent = events.map((event) => ({ event: null, data: JSON.stringify(event) }));
  return readMessage(play(sent), { name, toolNames: toolNames([shell]) });
}

const thought = [
  start(0, { type: "thinking", thinking: "", signature: "" }),
  delta(0, { type: "thinking_delta", thinking: "Hm." }),
  delta(0, { type: "signature_delta", signature: "sig" }),
];
const command = (index: number, json: string) => [
  start(index, { type: "tool_use", id: `t${index}`, name: "bash", input: {}, caller: { type: "direct" } }),
  delta(index, { type: "input_json_delta", partial_json: json }),
];

test("a whole call with malformed input reaches the dispatcher as raw text", async () => {
  const reply = await read([...command(0, '{"command": ls}'), ...end("tool_use")]);
  expect(reply.parts).toEqual([call("t0", "shell", '{"command": ls}')]);
  expect(reply.opaque?.value).toBe(
    '{"id":null,"blocks":[{"type":"tool_use","id":"t0","name":"bash","input":{"invalid_json":"{\\"command\\": ls}"},"caller":{"type":"direct"}}]}',
  );
});

test.each(["max_tokens", "model_context_window_exceeded"])("at %s the call that was cut off is gone", async (stop) => {
  const reply = await read([
    ...thought,
    ...command(1, '{"command":"ls"}'),
    ...command(2, '{"command":"rm'),
    ...end(stop),
  ]);
  expect(reply.parts).toEqual([{ kind: "thinking", text: "Hm." }, call("t1", "shell", { command: "ls" })]);
  expect(reply.opaque?.value).not.toContain("t2");
});

test("a thought that led nowhere is not sent back: no message may end in one", async () => {
  const reply = await read([...thought, ...command(1, '{"command":"rm'), ...end("max_tokens")]);
  expect([reply.stop, reply.opaque?.value]).toEqual(["output-limit", '{"id":null,"blocks":[]}']);
});

test("a refused reply keeps its words and nothing that could run or be sent back", async () => {
  const words = [start(2, { type: "text", text: "" }), delta(2, { type: "text_delta", text: "No." })];
  const reply = await read([...thought, ...command(1, '{"command":"ls"}'), ...words, ...end("refusal")]);
  expect(reply).toMatchObject({ parts: [{ kind: "text", text: "No." }], stop: "refused", opaque: null });
});

test("what the vendor paused goes back whole", async () => {
  const reply = await read([...thought, ...end("pause_turn")]);
  expect([reply.stop, reply.opaque?.value]).toEqual([
    "paused",
    '{"id":null,"blocks":[{"type":"thinking","thinking":"Hm.","signature":"sig"}]}',
  ]);
});

test("an event of another shape is the vendor's fault, not a crash", async () => {
  await expect(read([{ type: "content_block_start" }])).rejects.toMatchObject({ fault: "server" });
  await expect(read([delta(3, {})])).rejects.toMatchObject({ fault: "server" });
});

test.each<[Partial<Parameters<typeof anthropicFault>[0]>, ModelFault]>([
  [{ status: 400, type: "invalid_request_error", message: "tools.0: Field required" }, "invalid-request"],
  [{ status: 400, message: "prompt is too long: 1000001 tokens > 1000000 maximum" }, "window-exceeded"],
  [
    { status: 400, message: "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000" },
    "window-exceeded",
  ],
  [{ status: 400, message: "Your credit balance is too low to access the Anthropic API." }, "quota"],
  [{ status: 401, type: "authentication_error" }, "authentication"],
  [{ status: 402, type: "billing_error" }, "quota"],
  [{ status: 403, type: "permission_error" }, "authentication"],
  [{ status: 404, type: "not_found_error" }, "invalid-request"],
  [{ status: 409 }, "server"],
  [{ status: 413 }, "window-exceeded"],
  [{ status: 429, type: "rate_limit_error" }, "rate-limited"],
  [{ status: 429, type: "rate_limit_error", code: "ramp_limit_exceeded" }, "rate-limited"],
  [{ status: 429, type: "rate_limit_error", code: "enforced_spend_limit_reached" }, "quota"],
  [{ status: 429, type: "rate_limit_error", code: "contract_spend_limit_reached" }, "quota"],
  [{ status: 500, type: "api_error" }, "server"],
  [{ status: 503 }, "overloaded"],
  [{ status: 504, type: "timeout_error" }, "server"],
  [{ status: 529, type: "overloaded_error" }, "overloaded"],
  [{ type: "overloaded_error" }, "overloaded"],
  [{ type: "rate_limit_error" }, "rate-limited"],
  [{ type: "invalid_request_error" }, "invalid-request"],
  [{}, "server"],
])("%j means %s", (failure, fault) => {
  expect(anthropicFault({ status: undefined, type: null, code: null, message: "", ...failure })).toBe(fault);
});
