/** What came of the calls of OpenAI's own shell tool, told to the vendor, and how both survive other models and a lost process. */
import { expect, test } from "vitest";
import { z } from "zod";
import { LOST, readTranscript } from "../../src/agent/transcript.ts";
import type { JournalEntry } from "../../src/journal.ts";
import { modelFacts } from "../../src/model/catalog.ts";
import type { Message } from "../../src/model/model.ts";
import { openaiModel } from "../../src/model/openai.ts";
import { toResponseParams } from "../../src/model/openai-request.ts";
import { openWorkbench } from "../tools/workbench.ts";
import { ask, callsOf, gpt51, gpt52, opus, said, sol, startScript, textOf } from "./adapters.ts";
import { inputOf, kindsOf, readItem, shellCall, two } from "./openai-shell-items.ts";
import { askWith, observe, user } from "./transcripts.ts";

const exit = (stdout: string, exit_code: number) => ({ stdout, stderr: "", outcome: { type: "exit", exit_code } });

const inputFor = (name: string, messages: readonly Message[]) => {
  const { input } = toResponseParams(askWith(messages), {
    name,
    facts: modelFacts(`openai/${name}`),
    summaries: false,
  });
  return Array.isArray(input) ? input : never();
};

test("the tool is the vendor's own, run by us, where the model was trained on it", () => {
  const offered = (name: string) => {
    const { tools } = toResponseParams(askWith([user("Hi")]), {
      name,
      facts: modelFacts(`openai/${name}`),
      summaries: false,
    });
    return tools?.[0];
  };
  expect(offered("gpt-5.1")).toEqual({ type: "shell", environment: { type: "local" } });
  expect(offered("gpt-6.1-sol")).toMatchObject({ type: "function", name: "shell" });
});

test.each([
  ["openai/gpt-5.1", "native"],
  ["openai/gpt-5.1-2025-11-13", "native"],
  ["openai/gpt-5.1-codex", "native"],
  ["openai/gpt-5.1-codex-mini", "function"],
  ["openai/gpt-5.2", "native"],
  ["openai/gpt-5.2-codex", "native"],
  ["openai/gpt-5.2-chat-latest", "function"],
  ["openai/gpt-5", "function"],
  ["openai/gpt-5.6-sol", "function"],
  ["openai/gpt-6.1-sol", "function"],
  ["openai/gpt-4.1", "function"],
  ["azure/gpt-5.1", "function"],
  ["compatible/gpt-5.1", "function"],
])("%s is offered the shell as %s", (id, shellTool) => {
  expect(modelFacts(id).quirks.shellTool).toBe(shellTool);
});

test("a model that does not know the tool would be refused it", async () => {
  await using models = await startScript([{ text: "Hello." }]);
  const open = (shellTool: "native" | "function") => {
    const facts = modelFacts("openai/gpt-5");
    const options = { apiKey: "sk-shell", baseUrl: models.openaiBaseUrl, name: "gpt-5" };
    return openaiModel({ ...options, facts: { ...facts, quirks: { ...facts.quirks, shellTool } } });
  };
  await expect(ask(open("native"), [user("Hi")])).rejects.toThrow("Tool 'shell' is not supported with gpt-5.");
  expect(textOf(await ask(open("function"), [user("Hi")]))).toBe("Hello.");
});

test("each command is a call of its own, and what came of them goes back together, with the length its model wished for", async () => {
  await using models = await startScript([two, { text: "Done." }]);
  const model = gpt51(models);
  const reply = await ask(model, [user("Go.")]);
  const calls = callsOf(reply);
  const [one = never(), other = never(), third = never()] = calls;
  expect(calls.map(({ tool, input }) => [tool, input])).toEqual([
    ["shell", { command: "make", timeout_seconds: 2 }],
    ["shell", { command: "make test", timeout_seconds: 2 }],
    ["shell", { command: "ls" }],
  ]);
  expect([one.id, other.id]).toEqual([expect.stringMatching(/^1-call_/), `2-${one.id.slice(2)}`]);
  const stopped = "Stopped at its time limit of 2 s, with all it started\nhalf";
  const seen = observe(
    [one.id, "Exit status 2\nno rule\n"],
    [other.id, stopped],
    [third.id, "Exit status 0\nMakefile\n"],
  );
  expect(textOf(await ask(model, [user("Go."), said(reply), seen]))).toBe("Done.");
  expect(kindsOf(models, 1)).toEqual([
    ...["message", "reasoning", "shell_call", "shell_call"],
    ...["shell_call_output", "shell_call_output"],
  ]);
  expect(inputOf(models, 1).slice(-2)).toEqual([
    {
      type: "shell_call_output",
      call_id: one.id.slice(2),
      output: [exit("no rule\n", 2), { stdout: stopped, stderr: "", outcome: { type: "timeout" } }],
      max_output_length: 4_096,
    },
    { type: "shell_call_output", call_id: third.id, output: [exit("Makefile\n", 0)] },
  ]);
});

test("a call in several commands is an ordinary turn to another vendor, and its own again after that", async () => {
  await using models = await startScript([two, { do: [{ do: "shell", command: "pwd" }] }, { text: "Done." }]);
  const [first, second] = [gpt51(models), opus(models)];
  const reply = await ask(first, [user("Go.")]);
  const seen = observe(...callsOf(reply).map(({ id }, i) => [id, `Exit status ${i}\nout ${i}`] as const));
  const messages = [user("Go."), said(reply), seen];
  const next = await ask(second, messages);
  const claude = JSON.stringify(models.requests[1]?.body);
  for (const { id } of callsOf(reply)) expect(claude).toContain(`"type":"tool_result","tool_use_id":"${id}"`);
  const pwd = observe(...callsOf(next).map(({ id }) => [id, "Exit status 0\n/workspace"] as const));
  await ask(first, [...messages, said(next), pwd]);
  expect(models.requests.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(kindsOf(models, 2).slice(-6)).toEqual([
    ...["shell_call", "shell_call", "shell_call_output", "shell_call_output"],
    ...["shell_call", "shell_call_output"],
  ]);
  expect(inputOf(models, 2).at(-2)).toEqual({
    type: "shell_call",
    call_id: callsOf(next)[0]?.id,
    action: { commands: ["pwd"] },
  });
});

test.each([
  ["another model with the tool", gpt52, ["shell_call", "shell_call", "shell_call"]],
  ["a model without it", sol, ["function_call", "function_call", "function_call"]],
])("to %s each command is a call", async (_, open, kinds) => {
  await using models = await startScript([two, { text: "Done." }]);
  const reply = await ask(gpt51(models), [user("Go.")]);
  const seen = observe(...callsOf(reply).map(({ id }) => [id, "Exit status 0\nout"] as const));
  expect(textOf(await ask(open(models), [user("Go."), said(reply), seen]))).toBe("Done.");
  expect(kindsOf(models, 1)).toEqual(["message", ...kinds, ...kinds.map((kind) => `${kind}_output`)]);
});

test("of another model's calls those are the vendor's own whose end can be told, the others stay a function's", () => {
  const call = (id: string, input: unknown) => ({ kind: "call", call: { id, tool: "shell", input } }) as const;
  const messages: readonly Message[] = [
    user("Go."),
    {
      kind: "model",
      parts: [
        call("a", { command: "make", timeout_seconds: 90 }),
        call("b", { command: "make test" }),
        call("c", { restart: true }),
        call("d", "ls"),
      ],
      opaque: null,
    },
    observe(["a", "Exit status 1\nno"], ["b", "[Old output, cleared.]"], ["c", "Fresh."], ["d", "no JSON", true]),
  ];
  const asFunction = (call_id: string, args: object) =>
    ({ type: "function_call", call_id, name: "shell", arguments: JSON.stringify(args) }) as const;
  const output = (call_id: string, text: string) => ({ type: "function_call_output", call_id, output: text });
  expect(inputFor("gpt-5.2", messages).slice(1)).toEqual([
    { type: "shell_call", call_id: "a", action: { commands: ["make"], timeout_ms: 90_000 } },
    asFunction("b", { command: "make test" }),
    asFunction("c", { restart: true }),
    asFunction("d", { command: "ls" }),
    { type: "shell_call_output", call_id: "a", output: [exit("no", 1)] },
    output("b", "[Old output, cleared.]"),
    output("c", "Fresh."),
    output("d", "no JSON"),
  ]);
});

test("however our own shell ends a command, the vendor is told so", async () => {
  await using bench = await openWorkbench({ driver: "host" });
  const ends = async (...inputs: readonly object[]) => {
    const commands = inputs.map(() => "x");
    const item = { type: "shell_call", id: "sh_1", call_id: "x", status: "completed", action: { commands } };
    const reply = await readItem(item);
    const { observations } = await bench.dispatch(inputs.map((input) => ["shell", input] as const));
    const seen = observations.map((one, i) => ({ ...one, callId: callsOf(reply)[i]?.id ?? "" }));
    const messages = [user("Go."), said(reply), { kind: "observations", observations: seen } as const];
    return z.object({ output: z.array(z.unknown()) }).parse(inputFor("gpt-5.1", messages).at(-1)).output;
  };
  expect(
    await ends(
      { command: "echo a; echo b >&2; exit 3" },
      { command: "true" },
      { command: "echo started; sleep 60", timeout_seconds: 0.5 },
      { command: "kill -SEGV $$" },
      { command: "yes" },
      { command: " " },
    ),
  ).toEqual([
    exit("a\nb\n", 3),
    exit("(no output)", 0),
    {
      stdout: expect.stringMatching(/^Stopped at its time limit.*\nstarted\n$/),
      stderr: "",
      outcome: { type: "timeout" },
    },
    exit(expect.stringMatching(/^Ended by SIGSEGV\n/), 139),
    exit(expect.stringMatching(/^Stopped after \d+ bytes/), 137),
    { stdout: "", stderr: expect.stringContaining("command: is missing"), outcome: { type: "exit", exit_code: 1 } },
  ]);
});

test("a run taken up between two commands of a call goes back whole, and says which one was lost", async () => {
  const reply = await readItem(
    shellCall({ commands: ["make", "make test"], timeout_ms: null, max_output_length: 9_000 }),
  );
  const observation = { callId: "1-c", text: "Exit status 0\nbuilt", isError: false };
  const { parts, stop, usage, opaque } = reply;
  const replied = { parts, stop, usage, opaque, costUsd: 0, wallMs: 1 };
  const journal: readonly JournalEntry[] = [
    { kind: "briefed", model: "openai/gpt-5.1", promptHash: "", brief: "Go." },
    { kind: "model-replied", turn: 1, model: "openai/gpt-5.1", ...replied },
    { kind: "tool-observed", turn: 1, tool: "shell", observation, wallMs: 1, command: null },
  ];
  expect(inputFor("gpt-5.1", readTranscript(journal)).slice(1)).toEqual([
    {
      ...{ type: "shell_call", id: "sh_1", call_id: "c" },
      action: { commands: ["make", "make test"], timeout_ms: null, max_output_length: 9_000 },
    },
    {
      ...{ type: "shell_call_output", call_id: "c", max_output_length: 9_000 },
      output: [exit("built", 0), { stdout: "", stderr: LOST, outcome: { type: "exit", exit_code: 1 } }],
    },
  ]);
});

test("ids as long as the vendor allows stay apart", async () => {
  const call_id = "c".repeat(64);
  const reply = await readItem({ ...shellCall({ commands: ["a", "b"] }), call_id });
  const seen = observe(...callsOf(reply).map(({ id }, i) => [id, `Exit status ${i}\n`] as const));
  const transcript = [user("Go."), said(reply), seen];
  const output = { type: "shell_call_output", call_id, output: [exit("", 0), exit("", 1)] };
  expect(inputFor("gpt-5.1", transcript).at(-1)).toEqual(output);
  const rebuilt = inputFor("gpt-5.2", transcript).slice(1);
  expect(new Set(rebuilt.map((item) => "call_id" in item && item.call_id)).size).toBe(2);
});

function never(): never {
  throw new Error("the model made too few calls");
}
