import { APIConnectionError, APIError } from "openai";
import { expect, test } from "vitest";
import { modelFacts } from "../../src/model/catalog.ts";
import type { Message, ModelFault } from "../../src/model/model.ts";
import { readOpenAiFailure, readOpenAiFault } from "../../src/model/openai-fault.ts";
import { readResponse } from "../../src/model/openai-reply.ts";
import { toResponseParams } from "../../src/model/openai-request.ts";
import { objectInput, textInput } from "../../src/model/wire.ts";
import { askWith, observe, patch, play, search, shell, user } from "./transcripts.ts";

const name = "gpt-6.1-sol";
const asked = (model: string) => ({ name: model, facts: modelFacts(`openai/${model}`), summaries: false });
const params = (messages: readonly Message[]) => toResponseParams(askWith(messages), asked(name));
const call = (id: string, tool: string, input: unknown) => ({ kind: "call", call: { id, tool, input } }) as const;

test("a request stores nothing, asks for its reasoning back and names the run's cache", () => {
  const { input, tools, ...rest } = params([user("Hi")]);
  expect(rest).toEqual({
    model: name,
    stream: true,
    store: false,
    instructions: "You fix bugs.",
    tool_choice: "auto",
    parallel_tool_calls: true,
    max_output_tokens: 1_000,
    prompt_cache_key: "run-1",
    include: ["reasoning.encrypted_content"],
  });
  expect(input).toHaveLength(1);
  expect(tools?.map((tool) => [tool.type, "name" in tool && tool.name, "strict" in tool && tool.strict])).toEqual([
    ["function", "shell", false],
    ["function", "edit", false],
    ["custom", "apply_patch", false],
    ["function", "search", true],
  ]);
  expect(tools?.[2]).toMatchObject({ description: patch.description, format: { type: "grammar", syntax: "lark" } });
  expect(tools?.[3]).toMatchObject({ description: search.description, parameters: search.parameters });
});

test("another vendor's turn is rebuilt without reasoning, each call and output in its tool's kind", () => {
  const messages: readonly Message[] = [
    user("Fix it."),
    {
      kind: "model",
      parts: [
        { kind: "thinking", text: "Hm." },
        { kind: "text", text: "Looking." },
        call("toolu_1", "shell", { command: "ls" }),
        call("toolu_2", "apply_patch", { patch: "*** Begin Patch" }),
        call("toolu_3", "edit", '{"command":'),
      ],
      opaque: { provider: "anthropic", model: "claude-opus-5-5", value: "[]" },
    },
    observe(["toolu_1", "src"], ["toolu_2", "done"], ["toolu_3", "not JSON", true]),
    user("Go on."),
  ];
  const breakpoint = { prompt_cache_breakpoint: { mode: "explicit" } };
  expect(params(messages).input).toEqual([
    { type: "message", role: "user", content: [{ type: "input_text", text: "Fix it.", ...breakpoint }] },
    { type: "message", role: "assistant", content: "Looking." },
    { type: "function_call", call_id: "toolu_1", name: "shell", arguments: '{"command":"ls"}' },
    { type: "custom_tool_call", call_id: "toolu_2", name: "apply_patch", input: "*** Begin Patch" },
    { type: "function_call", call_id: "toolu_3", name: "edit", arguments: '{"input":"{\\"command\\":"}' },
    { type: "function_call_output", call_id: "toolu_1", output: "src" },
    { type: "custom_tool_call_output", call_id: "toolu_2", output: "done" },
    { type: "function_call_output", call_id: "toolu_3", output: "not JSON" },
    { type: "message", role: "user", content: [{ type: "input_text", text: "Go on." }] },
  ]);
});

test("effort and summaries are asked for where the model knows them", () => {
  const request = askWith([user("Hi")], { effort: "max" });
  const reasoning = (model: string, summaries: boolean) =>
    toResponseParams(request, { ...asked(model), summaries }).reasoning;
  expect([reasoning(name, true), reasoning("gpt-5.1", false), reasoning("gpt-4.1", true)]).toEqual([
    { effort: "max", summary: "auto" },
    { effort: "high" },
    undefined,
  ]);
});

test("a model trained on the vendor's own patch tool gets it, and what others wrote stays a function's", () => {
  const operation = { type: "update_file", path: "a", diff: "@@\n-teh\n+the" };
  const said = (id: string, input: unknown): Message => ({
    kind: "model",
    parts: [call(id, "apply_patch", input)],
    opaque: null,
  });
  const messages = [
    user("Fix it."),
    said("c1", operation),
    observe(["c1", "Done."]),
    said("c2", "*** Begin Patch"),
    observe(["c2", "bad", true]),
  ];
  const { input, tools } = toResponseParams(askWith(messages), asked("gpt-5.1"));
  expect(tools?.[2]).toEqual({ type: "apply_patch" });
  expect(Array.isArray(input) ? input.slice(1) : input).toEqual([
    { type: "apply_patch_call", call_id: "c1", operation, status: "completed" },
    { type: "apply_patch_call_output", call_id: "c1", output: "Done.", status: "completed" },
    { type: "function_call", call_id: "c2", name: "apply_patch", arguments: '{"patch":"*** Begin Patch"}' },
    { type: "function_call_output", call_id: "c2", output: "bad" },
  ]);
});

test("an operation of the vendor's patch tool reads as a patch to every other model", () => {
  const operation = { type: "create_file", path: "b", diff: "+new\n" };
  expect(textInput(operation, patch)).toBe("*** Begin Patch\n*** Add File: b\n+new\n*** End Patch\n");
  expect(objectInput({ type: "delete_file", path: "b" }, patch)).toEqual({
    patch: "*** Begin Patch\n*** Delete File: b\n*** End Patch\n",
  });
});

test("models from before breakpoints and reasoning are not asked for them", () => {
  const text = JSON.stringify(toResponseParams(askWith([user("Hi")]), asked("gpt-4.1")));
  expect(text).not.toMatch(/breakpoint|encrypted/);
  expect(JSON.stringify(toResponseParams(askWith([user("Hi")]), asked("gpt-5.5")))).not.toContain("breakpoint");
});

const done = (item: object) => ({ type: "response.output_item.done", output_index: 0, item });
const usage = {
  input_tokens: 1_000,
  input_tokens_details: { cached_tokens: 600, cache_write_tokens: 300 },
  output_tokens: 50,
  output_tokens_details: { reasoning_tokens: 20 },
};
const completed = { type: "response.completed", response: { output: [], usage } };
const incomplete = (reason: string) => ({
  type: "response.incomplete",
  response: { output: [], incomplete_details: { reason }, usage },
});
const read = (...events: readonly object[]) =>
  readResponse(play(events), { name, toolNames: new Map([["shell", "shell"]]) });

const reasoning = {
  type: "reasoning",
  id: "rs_1",
  summary: [{ type: "summary_text", text: "Hm." }],
  encrypted_content: "e",
  content: null,
};
const ls = {
  type: "function_call",
  id: "fc_1",
  call_id: "call_1",
  name: "shell",
  arguments: '{"command":"ls"}',
  status: "completed",
};
const cutOff = { ...ls, call_id: "call_2", arguments: '{"command":"rm', status: "incomplete" };
const freeForm = {
  type: "custom_tool_call",
  id: "ctc_1",
  call_id: "call_3",
  name: "apply_patch",
  input: "*** Beg",
  status: "completed",
};

test("items become parts, and go back with only the fields the input takes and that say more than a default", async () => {
  const logged = { type: "output_text", text: "I look.", annotations: [], logprobs: [] };
  const said = { type: "message", id: "msg_1", role: "assistant", status: "completed", content: [logged] };
  const reply = await read(
    done(reasoning),
    { type: "response.future_event" },
    done(said),
    done({ ...ls, parsed_arguments: { command: "ls" } }),
    done(freeForm),
    completed,
  );
  const { status: _, ...lsAgain } = ls;
  expect(reply).toEqual({
    parts: [
      { kind: "thinking", text: "Hm." },
      { kind: "text", text: "I look." },
      call("call_1", "shell", { command: "ls" }),
      call("call_3", "apply_patch", "*** Beg"),
    ],
    stop: "tool-calls",
    usage: { input: 100, cachedRead: 600, cacheWrite: 300, output: 50, reasoning: 20 },
    isUsageEstimated: false,
    opaque: {
      provider: "openai",
      model: name,
      value: JSON.stringify([
        { type: "reasoning", id: "rs_1", summary: reasoning.summary, encrypted_content: "e" },
        { type: "message", id: "msg_1", role: "assistant", content: [{ type: "output_text", text: "I look." }] },
        lsAgain,
        { type: "custom_tool_call", id: "ctc_1", call_id: "call_3", name: "apply_patch", input: "*** Beg" },
      ]),
    },
  });
});

test("at the output limit calls that were cut off are gone, and reasoning that led nowhere is not sent back", async () => {
  const reply = await read(
    done(reasoning),
    done(cutOff),
    done({ ...freeForm, status: "in_progress" }),
    incomplete("max_output_tokens"),
  );
  expect(reply).toMatchObject({
    parts: [{ kind: "thinking", text: "Hm." }],
    stop: "output-limit",
    opaque: { value: "[]" },
  });
  const kept = await read(done(reasoning), done(ls), done(cutOff), incomplete("max_output_tokens"));
  expect(kept.parts).toEqual([{ kind: "thinking", text: "Hm." }, call("call_1", "shell", { command: "ls" })]);
});

test.each([
  [
    "a refusal part",
    [done({ type: "message", content: [{ type: "refusal", refusal: "No." }] }), completed],
    [{ kind: "text", text: "No." }],
  ],
  ["the content filter", [done(ls), incomplete("content_filter")], []],
])("%s is a refusal, and nothing of it runs", async (_, events, parts) => {
  expect(await read(...events)).toMatchObject({ parts, stop: "refused", opaque: null });
});

test("a server that sends items only at the end is understood", async () => {
  const reply = await read({ type: "response.completed", response: { output: [ls], usage: null } });
  expect(reply.parts).toEqual([call("call_1", "shell", { command: "ls" })]);
});

test.each<[string | null, string, ModelFault, number | null]>([
  ["rate_limit_exceeded", "Rate limit reached. Please try again in 11.054s.", "rate-limited", 11_054],
  ["rate_limit_exceeded", "Please try again in 28ms.", "rate-limited", 28],
  ["rate_limit_exceeded", "Please try again in 35 seconds.", "rate-limited", 35_000],
  ["insufficient_quota", "You exceeded your current quota.", "quota", null],
  ["server_is_overloaded", "", "overloaded", null],
  ["slow_down", "", "overloaded", null],
  ["context_length_exceeded", "", "window-exceeded", null],
  [null, "This model's maximum context length is 8192 tokens.", "window-exceeded", null],
  ["invalid_prompt", "", "invalid-request", null],
  ["cyber_policy", "", "invalid-request", null],
  ["server_error", "", "server", null],
  [null, "", "server", null],
])("inside a stream %s %s means %s", (code, message, fault, retryAfterMs) => {
  expect(readOpenAiFailure(code, message)).toMatchObject({ fault, retryAfterMs });
});

test.each<[number, { code?: string; type?: string; message?: string }, ModelFault]>([
  [400, { type: "invalid_request_error", message: "Missing tools[0].name" }, "invalid-request"],
  [400, { code: "context_length_exceeded" }, "window-exceeded"],
  [401, { code: "invalid_api_key" }, "authentication"],
  [403, { type: "invalid_request_error" }, "authentication"],
  [404, { code: "model_not_found" }, "invalid-request"],
  [409, {}, "server"],
  [429, { code: "insufficient_quota" }, "quota"],
  [429, { code: "rate_limit_exceeded" }, "rate-limited"],
  [429, {}, "rate-limited"],
  [500, { type: "server_error" }, "server"],
  [502, { type: "invalid_request_error" }, "server"],
  [503, { code: "server_is_overloaded" }, "overloaded"],
])("status %s with %j means %s", (status, body, fault) => {
  const error = APIError.generate(
    status,
    { error: { message: "Sorry", ...body } },
    undefined,
    new Headers({ "retry-after": "3" }),
  );
  expect(readOpenAiFault(error)).toMatchObject({ fault, retryAfterMs: 3_000 });
});

test("what is not the API's own error came from the connection", () => {
  for (const error of [new APIConnectionError({}), new TypeError("terminated"), new SyntaxError("bad JSON")]) {
    expect(readOpenAiFault(error).fault).toBe("connection");
  }
});

test("a schema that is not strict is said not to be, for the vendor's default is strict", () => {
  expect(params([user("Hi")]).tools?.[0]).toMatchObject({ name: shell.name, strict: false });
});
