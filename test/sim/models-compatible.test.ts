/** The stand-in's Chat Completions, spoken to by OpenAI's own SDK: what it says, and what it refuses as the templates behind such servers do. */
import OpenAI from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";

const script: Script = {
  conversations: [
    {
      name: "any",
      turns: [
        {
          thinking: "Hm.",
          text: "Looking.",
          do: [
            { do: "shell", command: "ls" },
            { do: "call", tool: "look", input: { at: "it" } },
          ],
        },
        { text: "Done." },
      ],
    },
  ],
};

const open = async () => {
  const models = await startModels({ script });
  const client = new OpenAI({ apiKey: "none", baseURL: models.compatibleBaseUrl, maxRetries: 0 });
  return { models, client, [Symbol.asyncDispose]: () => models.close() };
};

const shell = {
  type: "function",
  function: { name: "shell", parameters: { type: "object", properties: {} } },
} as const;
const asked = { model: "qwen3", tools: [shell], messages: [{ role: "user", content: "go" }] } satisfies Omit<
  OpenAI.ChatCompletionCreateParams,
  "stream"
>;

test("the SDK's own helper puts the stream together, and it says the same as the reply that does not stream", async () => {
  await using world = await open();
  const streamed = await world.client.chat.completions
    .stream({ ...asked, stream_options: { include_usage: true } })
    .finalChatCompletion();
  const whole = await world.client.chat.completions.create(asked);
  const read = ({ choices: [choice], usage }: OpenAI.ChatCompletion) => ({
    content: choice?.message.content,
    calls: choice?.message.tool_calls?.map((call) =>
      call.type === "function" ? [call.function.name, call.function.arguments] : [],
    ),
    finish: choice?.finish_reason,
    output: usage?.completion_tokens,
  });
  expect(read(streamed)).toEqual(read(whole));
  expect(read(whole)).toMatchObject({
    content: "Looking.",
    calls: [
      ["shell", '{"command":"ls"}'],
      ["look", '{"at":"it"}'],
    ],
    finish: "tool_calls",
  });
});

const user = { role: "user", content: "go" } as const;
const call = (id: string, args = "{}") => ({
  id,
  type: "function" as const,
  function: { name: "shell", arguments: args },
});
const said = (...calls: ReturnType<typeof call>[]): ChatCompletionMessageParam => ({
  role: "assistant",
  content: "",
  tool_calls: calls,
});
const result = (id: string): ChatCompletionMessageParam => ({ role: "tool", tool_call_id: id, content: "ok" });

test.each<[string, ChatCompletionMessageParam[], RegExp]>([
  ["two users in a row", [user, user], /roles must alternate/],
  ["a system message in the middle", [user, { role: "system", content: "x" }], /must be at the beginning/],
  ["a result of no call", [user, result("a")], /no call a before it/],
  ["a call without its result", [user, said(call("a")), user], /without a result: a/],
  ["one result too few at the end", [user, said(call("a"), call("b")), result("a")], /without a result: b/],
  ["the same id twice", [user, said(call("a"), call("a")), result("a")], /must be unique/],
  ["arguments that are no JSON", [user, said(call("a", "{")), result("a")], /arguments must be a JSON object/],
  ["a model message that says nothing", [user, { role: "assistant", content: "" }, user], /content or tool calls/],
])("%s is refused", async (_, messages, words) => {
  await using world = await open();
  await expect(world.client.chat.completions.create({ ...asked, messages })).rejects.toThrow(words);
});

test("the results of a turn are taken, and the next turn is played", async () => {
  await using world = await open();
  const messages = [user, said(call("a"), call("b")), result("b"), result("a")];
  const { choices } = await world.client.chat.completions.create({ ...asked, messages });
  expect(choices[0]?.message.content).toBe("Done.");
});
