/** What the models stand-in refuses on Anthropic's wire, in the vendor's words: one broken request a case, made from one that is accepted. */
import Anthropic from "@anthropic-ai/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModels, type Models } from "../../sim/models/models.ts";

type Json = Record<string, unknown>;

let models: Models;
beforeAll(async () => {
  const turns = [
    { thinking: "Hm.", do: [{ do: "call" as const, tool: "look", input: { at: "it" } }] },
    { text: "Done." },
  ];
  models = await startModels({ script: { conversations: [{ name: "any", turns }] } });
});
afterAll(() => models.close());

/** A conversation as it stands after one real turn, so that its signatures are real. */
async function anthropicTurn(): Promise<Json & { messages: Json[] }> {
  const client = new Anthropic({ apiKey: "sk-ant-0123456789", baseURL: models.anthropicBaseUrl, maxRetries: 0 });
  const tools = [{ name: "look", input_schema: { type: "object" as const } }];
  const user = { role: "user" as const, content: "look" };
  const base = { model: "claude-opus-5-5", max_tokens: 100, tools, messages: [user] };
  const { content } = await client.messages.create(base);
  const results = content.flatMap((block) =>
    block.type === "tool_use" ? [{ type: "tool_result", tool_use_id: block.id, content: "seen" }] : [],
  );
  const blocks = content.map((block) => ({ ...block }));
  return { ...base, messages: [user, { role: "assistant", content: blocks }, { role: "user", content: results }] };
}

async function post(path: string, body: unknown, headers: Record<string, string>) {
  const response = await fetch(models.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = (await response.json()) as { error?: Json };
  return { status: response.status, error: answer.error ?? null };
}

const anthropicHeaders = { "x-api-key": "k".repeat(20), "anthropic-version": "2023-06-01" };
const openaiHeaders = { authorization: `Bearer ${"k".repeat(20)}` };

/** The blocks of a message, or the item, that a case is about to spoil. */
const at = (list: unknown, index: number): Json => (list as Json[])[index] ?? {};
const blocks = (body: { messages: Json[] }, index: number): Json[] => at(body.messages, index)["content"] as Json[];
const text = (said: string, more: Json = {}): Json => ({ type: "text", text: said, ...more });
const marked = (count: number): Json[] =>
  Array.from({ length: count }, () => text("a", { cache_control: { type: "ephemeral" } }));

test("what Anthropic's SDK sends is accepted", async () => {
  expect(await post("/v1/messages", await anthropicTurn(), anthropicHeaders)).toEqual({ status: 200, error: null });
});

type AnthropicCase = readonly [string, (body: Json & { messages: Json[] }) => unknown, string | RegExp];

const anthropicCases: readonly AnthropicCase[] = [
  ["no model", (b) => delete b["model"], "model: Field required"],
  ["no max_tokens", (b) => delete b["max_tokens"], "max_tokens: Field required"],
  ["an unknown field", (b) => (b["modle"] = "x"), "modle: Extra inputs are not permitted"],
  ["a hot temperature", (b) => (b["temperature"] = "hot"), /^temperature: /],
  ["a temperature out of range", (b) => (b["temperature"] = 1.5), "temperature: range: 0..1"],
  ["no messages", (b) => (b.messages = []), "messages: at least one message is required"],
  ["the model first", (b) => b.messages.shift(), /first message must use the "user" role/],
  ["the model last", (b) => b.messages.pop(), /`tool_use` ids were found without `tool_result` blocks/],
  ["a prefilled reply", (b) => b.messages.push({ role: "assistant", content: "I" }), /must end with a user message/],
  [
    "a call without its result",
    (b) => blocks(b, 2).splice(0, 1, text("hi")),
    /without `tool_result` blocks immediately after/,
  ],
  ["a result after text", (b) => blocks(b, 2).unshift(text("hi")), /without `tool_result` blocks immediately after/],
  ["two results for a call", (b) => blocks(b, 2).push({ ...blocks(b, 2)[0] }), /Found multiple `tool_result` blocks/],
  ["a result without its call", (b) => b.messages.splice(1, 1), /unexpected `tool_use_id` found in `tool_result`/],
  ["a changed thought", (b) => (at(blocks(b, 1), 0)["thinking"] = "Ha."), /Invalid `signature` in `thinking` block/],
  [
    "another's signature",
    (b) => (at(blocks(b, 1), 0)["signature"] = "x"),
    "messages.1.content.0: Invalid `signature` in `thinking` block",
  ],
  ["another model's thought", (b) => (b["model"] = "claude-sonnet-5-5"), /Invalid `signature`/],
  ["a call's input as text", (b) => (at(blocks(b, 1), 1)["input"] = "{}"), /input: Input should be a valid dictionary/],
  ["another vendor's call id", (b) => (at(blocks(b, 1), 1)["id"] = "call|1"), /id: String should match pattern/],
  [
    "two tools of one name",
    (b) => (b["tools"] = [at(b["tools"], 0), at(b["tools"], 0)]),
    "tools: Tool names must be unique.",
  ],
  ["a tool without a schema", (b) => delete at(b["tools"], 0)["input_schema"], "tools.0.input_schema: Field required"],
  [
    "a schema that is no object",
    (b) => (at(b["tools"], 0)["input_schema"] = { type: "string" }),
    /^tools.0.input_schema.type: /,
  ],
  ["an empty text", (b) => blocks(b, 2).push(text("")), "messages: text content blocks must be non-empty"],
  [
    "a blank text",
    (b) => blocks(b, 2).push(text(" \n")),
    "messages: text content blocks must contain non-whitespace text",
  ],
  ["an empty message", (b) => b.messages.push({ role: "user", content: [] }), /must have non-empty content/],
  [
    "a fifth breakpoint",
    (b) => (b["system"] = marked(5)),
    /A maximum of 4 blocks with cache_control may be provided. Found 5/,
  ],
  [
    "an empty failure",
    (b) => Object.assign(at(blocks(b, 2), 0), { is_error: true, content: "" }),
    /content cannot be empty if `is_error`/,
  ],
  [
    "an unknown field of a block",
    (b) => (at(blocks(b, 2), 0)["name"] = "look"),
    "messages.2.content.0.name: Extra inputs are not permitted",
  ],
];

test.each(anthropicCases)("Anthropic's wire refuses %s", async (_, spoil, message) => {
  const body = await anthropicTurn();
  spoil(body);
  expect(await post("/v1/messages", body, anthropicHeaders)).toEqual({
    status: 400,
    error: {
      type: "invalid_request_error",
      message: typeof message === "string" ? message : expect.stringMatching(message),
    },
  });
});

test("who brings no key, no version or no known path is told so", async () => {
  const body = await anthropicTurn();
  const answers = await Promise.all([
    post("/v1/messages", body, { "anthropic-version": "2023-06-01" }),
    post("/v1/messages", body, { "x-api-key": "k" }),
    post("/v1/messages", body, { ...openaiHeaders, "anthropic-version": "2023-06-01" }),
    post("/v1/responses", { model: "gpt-5.6", input: "go" }, {}),
    post("/v1/completions", {}, openaiHeaders),
  ]);
  expect(answers.map(({ status, error }) => [status, error?.["type"] ?? null])).toEqual([
    [401, "authentication_error"],
    [400, "invalid_request_error"],
    [200, null],
    [401, "invalid_request_error"],
    [404, "invalid_request_error"],
  ]);
});
