/** What a call of OpenAI's own shell tool is to us. */
import OpenAI from "openai";
import { expect, test } from "vitest";
import { openWorkbench } from "../tools/workbench.ts";
import { ask, callsOf, gpt51, said, startScript, textOf } from "./adapters.ts";
import { action, done, kindsOf, readEvents, readItem, shellCall, two } from "./openai-shell-items.ts";
import { observe, user } from "./transcripts.ts";
test("the stand-in streams a call as the vendor was seen to", async () => {
  await using models = await startScript([two]);
  const client = new OpenAI({ apiKey: "sk-shell", baseURL: models.openaiBaseUrl, maxRetries: 0 });
  const tools = [{ type: "shell", environment: { type: "local" } } as const];
  const stream = await client.responses.create({ model: "gpt-5.1", input: "Go.", stream: true, store: false, tools });
  const said: string[] = [];
  for await (const event of stream) {
    if (event.type.startsWith("response.shell_call_command")) said.push(event.type.slice(28));
    if ("item" in event && event.item.type === "shell_call") said.push(JSON.stringify(event.item.action.commands));
  }
  const command = ["added", "delta", "done"];
  expect(said).toEqual(["[]", ...command, ...command, '["make","make test"]', "[]", ...command, '["ls"]']);
});

test("a call that the vendor calls incomplete is never run, even in a response that it calls complete", async () => {
  const reply = await readItem(shellCall(action, "incomplete"));
  expect(reply).toMatchObject({ parts: [], stop: "output-limit", opaque: { value: "[]" } });
});

test("events of a command in the making say nothing: the finished item does", async () => {
  const begun = { type: "response.output_item.added", item: shellCall({ ...action, commands: [] }, "in_progress") };
  const delta = { type: "response.shell_call_command.delta", output_index: 0, command_index: 0, delta: "rm -rf /" };
  const reply = await readEvents(begun, delta, done(shellCall(action)));
  expect(callsOf(reply)).toEqual([{ id: "c", tool: "shell", input: { command: "rm -rf build" } }]);
  expect(reply.opaque?.value).toBe(JSON.stringify([{ type: "shell_call", id: "sh_1", call_id: "c", action }]));
});

test.each<[number | null, number | undefined]>([
  [null, undefined],
  [0, undefined],
  [-1, undefined],
  [1, 1],
  [1_500, 2],
  [120_000, 120],
  [86_400_000, 3_600],
])("a time of %s ms is one of %s s to our tool", async (timeout_ms, timeout_seconds) => {
  const [call] = callsOf(await readItem(shellCall({ ...action, timeout_ms })));
  expect(call?.input).toEqual({ command: "rm -rf build", ...(timeout_seconds ? { timeout_seconds } : {}) });
});

test.each<[string, unknown, unknown, string]>([
  ["a list without a command", { commands: [] }, { command: "" }, "shell_call"],
  ["no action", undefined, {}, "function_call"],
  ["an action in words", "ls", "ls", "function_call"],
  ["commands in words", { commands: "ls" }, { commands: "ls" }, "function_call"],
  ["a command that is none", { commands: ["ls", 1] }, { commands: ["ls", 1] }, "function_call"],
])("%s is one call that our tool refuses, and whose refusal can be sent", async (_, action, input, kind) => {
  await using bench = await openWorkbench({ driver: "host" });
  await using models = await startScript([{ text: "Sorry." }, { text: "Sorry." }]);
  const reply = await readItem(shellCall(action));
  expect(callsOf(reply)).toEqual([{ id: "c", tool: "shell", input }]);
  const refusal = await bench.call("shell", input);
  expect(refusal).toMatch(/^error: (Wrong arguments|The arguments of shell)/);
  const messages = [user("Go."), said(reply), observe(["c", refusal, true])];
  expect(textOf(await ask(gpt51(models), messages))).toBe("Sorry.");
  expect(kindsOf(models, 0)).toEqual(["message", kind, `${kind}_output`]);
});
