/** The models stand-in, spoken to by the vendors' own SDKs: what it says, and that it is the same each time. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import type { ResponseInputItem, ResponseStreamEvent } from "openai/resources/responses/responses";
import { expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";

const fixing: Script = {
  conversations: [
    { name: "asking", match: ["what is"], turns: [{ text: "A project." }] },
    {
      name: "fixing",
      match: ["please", "fix"],
      turns: [
        {
          thinking: "The greeting is misspelt.",
          text: "Fixing it.",
          do: [
            { do: "shell", command: "ls" },
            { do: "edit", path: "a.txt", old: "helo\nwrld", new: "hello\nworld" },
            { do: "create", path: "b.txt", text: "new\nfile\n" },
            { do: "view", path: "it's.txt" },
            { do: "call", tool: "report", input: { done: true } },
          ],
        },
        { text: "Fixed." },
      ],
    },
  ],
};

const open = async (script: Script = fixing) => {
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
  system: "You are a developer.",
  thinking: { type: "adaptive" },
  tools: [
    { type: "bash_20250124", name: "bash" },
    { type: "text_editor_20250728", name: "str_replace_based_edit_tool" },
    { name: "report", input_schema: { type: "object", properties: { done: { type: "boolean" } } } },
  ],
  messages: [{ role: "user", content: "please fix the greeting" }],
} satisfies Anthropic.MessageCreateParamsNonStreaming;

const shellTool: OpenAI.Responses.FunctionTool = {
  type: "function",
  name: "shell",
  strict: true,
  parameters: {
    type: "object",
    properties: { command: { type: "string" }, timeout_ms: { type: ["integer", "null"] } },
    required: ["command", "timeout_ms"],
    additionalProperties: false,
  },
};

const requested = {
  model: "gpt-5.6",
  store: false,
  include: ["reasoning.encrypted_content"],
  reasoning: { effort: "high", summary: "auto" },
  instructions: "You are a developer.",
  tools: [shellTool, { type: "custom", name: "apply_patch" }] as OpenAI.Responses.Tool[],
  input: [{ role: "user", content: "please fix the greeting" }] as ResponseInputItem[],
} satisfies OpenAI.Responses.ResponseCreateParamsNonStreaming;

async function collect(openai: OpenAI, input: ResponseInputItem[] = requested.input) {
  const events: ResponseStreamEvent[] = [];
  for await (const event of await openai.responses.create({ ...requested, input, stream: true })) events.push(event);
  const last = events.at(-1);
  if (last?.type !== "response.completed") throw new Error(`The stream ended with ${last?.type}`);
  return { events, response: last.response };
}

test("Anthropic's stream gives thinking, text and native tool calls, and takes their results back", async () => {
  await using world = await open();
  const first = await world.anthropic.messages.stream(asked).finalMessage();
  expect(first.stop_reason).toBe("tool_use");
  expect(first.content.map((block) => (block.type === "tool_use" ? [block.name, block.input] : block.type))).toEqual([
    "thinking",
    "text",
    ["bash", { command: "ls" }],
    [
      "str_replace_based_edit_tool",
      { command: "str_replace", path: "a.txt", old_str: "helo\nwrld", new_str: "hello\nworld" },
    ],
    ["str_replace_based_edit_tool", { command: "create", path: "b.txt", file_text: "new\nfile\n" }],
    ["str_replace_based_edit_tool", { command: "view", path: "it's.txt" }],
    ["report", { done: true }],
  ]);

  const results = first.content.flatMap((block) =>
    block.type === "tool_use" ? [{ type: "tool_result" as const, tool_use_id: block.id, content: "ok" }] : [],
  );
  const messages: Anthropic.MessageParam[] = [
    ...asked.messages,
    { role: "assistant", content: first.content },
    { role: "user", content: results },
  ];
  const second = await world.anthropic.messages.create({ ...asked, messages });
  expect(second.content).toEqual([{ type: "text", text: "Fixed.", citations: null }]);
  expect(second.stop_reason).toBe("end_turn");

  const after: Anthropic.MessageParam[] = [
    { role: "assistant", content: second.content },
    { role: "user", content: "ok" },
  ];
  const past = await world.anthropic.messages.create({ ...asked, messages: [...messages, ...after] });
  expect(past.content).toMatchObject([{ text: "Done." }]);
});

test("OpenAI's stream gives reasoning, a message, function and custom calls, and takes their outputs back", async () => {
  await using world = await open();
  const first = await collect(world.openai);
  expect(first.events.map((event) => ("sequence_number" in event ? event.sequence_number : -1))).toEqual(
    first.events.map((_, index) => index),
  );
  const done = first.events.flatMap((event) => (event.type === "response.output_item.done" ? [event.item] : []));
  expect(done).toEqual(first.response.output);
  expect(done.map((item) => item.type)).toEqual([
    "reasoning",
    "message",
    "function_call",
    "custom_tool_call",
    "custom_tool_call",
    "function_call",
    "function_call",
  ]);
  expect(done.flatMap((item) => (item.type === "custom_tool_call" ? [item.input] : []))).toEqual([
    "*** Begin Patch\n*** Update File: a.txt\n@@\n-helo\n-wrld\n+hello\n+world\n*** End Patch\n",
    "*** Begin Patch\n*** Add File: b.txt\n+new\n+file\n*** End Patch\n",
  ]);
  // A strict function always gets all its properties.
  expect(done.flatMap((item) => (item.type === "function_call" ? [JSON.parse(item.arguments)] : []))).toEqual([
    { command: "ls", timeout_ms: null },
    { command: "cat -n 'it'\\''s.txt'", timeout_ms: null },
    { done: true },
  ]);

  const outputs = done.flatMap((item): ResponseInputItem[] => {
    if (item.type === "function_call") return [{ type: "function_call_output", call_id: item.call_id, output: "ok" }];
    if (item.type !== "custom_tool_call") return [];
    return [{ type: "custom_tool_call_output", call_id: item.call_id, output: "ok" }];
  });
  const input = [...requested.input, ...(done as ResponseInputItem[]), ...outputs];
  const second = await world.openai.responses.create({ ...requested, input });
  expect(second.output_text).toBe("Fixed.");
  expect(world.models.requests.map(({ conversation, turn, status }) => [conversation, turn, status])).toEqual([
    ["fixing", 0, 200],
    ["fixing", 1, 200],
  ]);
});

test("the deltas of a stream add up to its finished items", async () => {
  await using world = await open();
  const { events, response } = await collect(world.openai);
  const joined = new Map<string, string>();
  for (const event of events) {
    if (!event.type.endsWith(".delta") || !("item_id" in event) || !("delta" in event)) continue;
    joined.set(event.item_id, (joined.get(event.item_id) ?? "") + String(event.delta));
  }
  const texts = response.output.map((item) => {
    if (item.type === "function_call") return item.arguments;
    if (item.type === "custom_tool_call") return item.input;
    if (item.type === "reasoning") return item.summary.map(({ text }) => text).join("");
    return item.type === "message"
      ? item.content.map((part) => (part.type === "output_text" ? part.text : "")).join("")
      : "";
  });
  expect([...joined.values()]).toEqual(texts);
});

test("the same request gets the same reply, also from a server that was started again", async () => {
  await using one = await open();
  await using other = await open();
  const replies = await Promise.all(
    [one, one, other].map(({ anthropic }) => anthropic.messages.stream(asked).finalMessage()),
  );
  expect(replies[1]?.content).toEqual(replies[0]?.content);
  expect(replies[2]?.content).toEqual(replies[0]?.content);
  const { response } = await collect(one.openai);
  expect((await collect(other.openai)).response.output).toEqual(response.output);
});

test("native tools that are absent are replaced by functions, and OpenAI's own patch tool is used when declared", async () => {
  await using world = await open();
  const parameters = { type: "object" as const, properties: {} };
  const named = ["shell", "edit"].map((name) => ({ name, input_schema: parameters }));
  const reply = await world.anthropic.messages.create({ ...asked, tools: named });
  expect(reply.content.flatMap((block) => (block.type === "tool_use" ? [block.name] : []))).toEqual([
    "shell",
    "edit",
    "edit",
    "edit",
    "report",
  ]);

  const response = await world.openai.responses.create({ ...requested, tools: [shellTool, { type: "apply_patch" }] });
  expect(response.output.flatMap((item) => (item.type === "apply_patch_call" ? [item.operation] : []))).toEqual([
    { type: "update_file", path: "a.txt", diff: "@@\n-helo\n-wrld\n+hello\n+world" },
    { type: "create_file", path: "b.txt", diff: "+new\n+file" },
  ]);
});

test("a verb that no declared tool can carry names the script's turn", async () => {
  await using world = await open();
  await expect(world.anthropic.messages.create({ ...asked, tools: [] })).rejects.toThrow(
    /^500 .*needs a bash tool .*conversation .*fixing.*, turn 0/,
  );
  await expect(world.openai.responses.create({ ...requested, input: "hello" })).rejects.toThrow("no conversation");
});

test("thinking is left out when switched off, and hidden unless asked for", async () => {
  await using world = await open();
  const off = await world.anthropic.messages.create({ ...asked, thinking: { type: "disabled" } });
  expect(off.content[0]?.type).toBe("text");
  const omitted = await world.anthropic.messages.create({
    ...asked,
    thinking: { type: "adaptive", display: "omitted" },
  });
  expect(omitted.content[0]).toMatchObject({ type: "thinking", thinking: "" });
  const silent = await world.openai.responses.create({ ...requested, include: [], reasoning: { effort: "low" } });
  expect(silent.output[0]).toEqual({ type: "reasoning", id: expect.any(String), summary: [] });
});

test("a script with a mistake is refused at start, and says where", async () => {
  const script = { conversations: [{ name: "a", turns: [{ tekst: "Hi." }] }] } as unknown as Script;
  await expect(startModels({ script })).rejects.toThrow(/tekst[^]*turns\[0\]/);
});
