import { expect, test } from "vitest";
import { ModelError } from "../../src/model/model.ts";
import { callsReply, scriptedModel, textReply } from "./scripted-model.ts";

const signal = new AbortController().signal;
const ask = { system: "", tools: [], outputTokensMax: 100, cacheKey: "run-1" };

test("the turn asked for decides the reply, so a resumed run goes on in the middle", async () => {
  const calls = callsReply([{ id: "c1", tool: "shell", input: { command: "ls" } }]);
  const model = scriptedModel([calls, new ModelError("overloaded", "busy"), textReply("done")]);
  const second = {
    ...ask,
    messages: [
      { kind: "user", text: "Hi" },
      { kind: "model", parts: calls.parts, opaque: null },
    ],
  } as const;
  await expect(model.reply(second, signal)).rejects.toThrow("busy");
  expect(await model.reply(second, signal)).toEqual(textReply("done"));
  expect(await model.reply({ ...ask, messages: second.messages.slice(0, 1) }, signal)).toEqual(calls);
  expect(model.requests).toHaveLength(3);
});
