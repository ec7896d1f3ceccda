/** What the models stand-in refuses on OpenAI's wire, in the vendor's words: one broken request a case, made from one that is accepted. */
import OpenAI from "openai";
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

const schema = {
  type: "object",
  properties: { at: { type: "string" } },
  required: ["at"],
  additionalProperties: false,
};

/** A conversation as it stands after one real turn, so that its seals are real. */
async function openaiTurn(): Promise<Json & { input: Json[] }> {
  const client = new OpenAI({ apiKey: "sk-proj-0123456789", baseURL: models.openaiBaseUrl, maxRetries: 0 });
  const tools = [{ type: "function" as const, name: "look", strict: true, parameters: schema }];
  const user = { role: "user" as const, content: "look" };
  const base = { model: "gpt-5.6", store: false, include: ["reasoning.encrypted_content" as const], tools };
  const { output } = await client.responses.create({ ...base, input: [user] });
  const outputs = output.flatMap((item) =>
    item.type === "function_call" ? [{ type: "function_call_output", call_id: item.call_id, output: "seen" }] : [],
  );
  return { ...base, input: [user, ...output.map((item) => ({ ...item })), ...outputs] };
}

async function post(path: string, body: unknown, headers: Record<string, string>) {
  const response = await fetch(models.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = (await response.json()) as { error?: Json };
  return { status: response.status, error: answer.error ?? null };
}

const openaiHeaders = { authorization: `Bearer ${"k".repeat(20)}` };

/** The item that a case is about to spoil. */
const at = (list: unknown, index: number): Json => (list as Json[])[index] ?? {};

test("what OpenAI's SDK sends is accepted", async () => {
  expect(await post("/v1/responses", await openaiTurn(), openaiHeaders)).toEqual({ status: 200, error: null });
});

type OpenaiCase = readonly [string, (body: Json & { input: Json[] }) => unknown, string | RegExp];

const openaiCases: readonly OpenaiCase[] = [
  ["no model", (b) => delete b["model"], "Missing required parameter: 'model'."],
  ["an unknown parameter", (b) => (b["max_tokens"] = 5), "Unknown parameter: 'max_tokens'."],
  [
    "a leaked parsed_arguments",
    (b) => (at(b.input, 2)["parsed_arguments"] = {}),
    "Unknown parameter: 'input[2].parsed_arguments'.",
  ],
  [
    "a leaked parsed",
    (b) =>
      b.input.push({ role: "assistant", content: [{ type: "output_text", text: "a", annotations: [], parsed: null }] }),
    "Unknown parameter: 'input[4].content[0].parsed'.",
  ],
  [
    "what a user may not say",
    (b) => b.input.push({ role: "user", content: [{ type: "output_text", text: "a" }] }),
    /^Invalid 'input\[4\].content\[0\].type'/,
  ],
  ["a call without its output", (b) => b.input.pop(), /^No tool output found for function call call_/],
  [
    "an output without its call",
    (b) => b.input.splice(1, 2),
    /^No tool call found for function call output with call_id call_/,
  ],
  ["two outputs for a call", (b) => b.input.push({ ...at(b.input, 3) }), /^Duplicate output found/],
  [
    "an output before its call",
    (b) => b.input.splice(1, 0, at(b.input.splice(3, 1), 0)),
    /^No tool call found for function call output/,
  ],
  [
    "the wrong kind of output",
    (b) => (at(b.input, 3)["type"] = "custom_tool_call_output"),
    /^No tool call found for custom tool call output/,
  ],
  ["reasoning on its own", (b) => b.input.splice(2, 2), /provided without its required following item/],
  ["reasoning of someone else", (b) => (at(b.input, 1)["encrypted_content"] = "gAAAAAB"), /could not be verified/],
  ["reasoning under another id", (b) => (at(b.input, 1)["id"] = "rs_other"), /could not be verified/],
  [
    "another vendor's item id",
    (b) => (at(b.input, 2)["id"] = "toolu_1"),
    "Invalid 'input[2].id': Expected an ID that begins with 'fc'.",
  ],
  ["a call id that is too long", (b) => (at(b.input, 2)["call_id"] = "c".repeat(65)), /maximum length 64/],
  [
    "a function without strict",
    (b) => delete at(b["tools"], 0)["strict"],
    "Missing required parameter: 'tools[0].strict'.",
  ],
  [
    "a strict function that is open",
    (b) => (at(b["tools"], 0)["parameters"] = { ...schema, additionalProperties: true }),
    "Invalid schema for function 'look': In context=(), 'additionalProperties' is required to be supplied and to be false.",
  ],
  [
    "a strict function with an optional property",
    (b) => (at(b["tools"], 0)["parameters"] = { ...schema, required: [] }),
    /'required' is required to be supplied .* Missing 'at'\.$/,
  ],
  [
    "a strict function that is open inside",
    (b) =>
      (at(b["tools"], 0)["parameters"] = {
        ...schema,
        properties: { at: { type: "array", items: { type: "object" } } },
      }),
    /In context=\('at', 'items'\)/,
  ],
  [
    "a response it does not keep",
    (b) => (b["previous_response_id"] = "resp_1"),
    "Previous response with id 'resp_1' not found.",
  ],
];

test.each(openaiCases)("OpenAI's wire refuses %s", async (_, spoil, message) => {
  const body = await openaiTurn();
  spoil(body);
  const { status, error } = await post("/v1/responses", body, openaiHeaders);
  expect([status, error]).toEqual([
    400,
    {
      type: "invalid_request_error",
      message: typeof message === "string" ? message : expect.stringMatching(message),
      param: error?.["param"] ?? null,
      code: error?.["code"] ?? null,
    },
  ]);
});

test("reasoning that was not asked for encrypted is not found when nothing is stored", async () => {
  const body = await openaiTurn();
  delete at(body.input, 1)["encrypted_content"];
  const refused = await post("/v1/responses", body, openaiHeaders);
  expect([refused.status, refused.error?.["message"]]).toEqual([404, expect.stringContaining("not persisted")]);
  expect((await post("/v1/responses", { ...body, store: true }, openaiHeaders)).status).toBe(200);
});

test("reasoning may come back without its id", async () => {
  const body = await openaiTurn();
  for (const item of body.input) delete item["id"];
  expect(await post("/responses", body, openaiHeaders)).toEqual({ status: 200, error: null });
});
