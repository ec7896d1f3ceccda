/** What every Model must do, held against the real SDKs over sim/models' wire. Add an adapter to the list and it is held too. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { startModels, type Models, type Script } from "../../sim/models/models.ts";
import type { ToolCall } from "../../src/journal.ts";
import { anthropicModel } from "../../src/model/anthropic.ts";
import { modelFacts } from "../../src/model/catalog.ts";
import type { Message, Model, ModelFault, ModelReply } from "../../src/model/model.ts";
import { openaiModel } from "../../src/model/openai.ts";
import { askWith, observe, user } from "../model/transcripts.ts";

type Open = (models: Models, idleMsMax?: number) => Model;
type Turn = Script["conversations"][number]["turns"][number];

const anthropic =
  (name: string): Open =>
  (models, idleMsMax = 10_000) =>
    anthropicModel({
      ...{ apiKey: "sk-ant-contract", baseUrl: models.anthropicBaseUrl, name, idleMsMax },
      facts: modelFacts(`anthropic/${name}`),
    });
const openai =
  (name: string): Open =>
  (models, idleMsMax = 10_000) =>
    openaiModel({
      ...{ apiKey: "sk-contract", baseUrl: models.openaiBaseUrl, name, idleMsMax },
      facts: modelFacts(`openai/${name}`),
    });

const opus = anthropic("claude-opus-5-5");
const sonnet = anthropic("claude-sonnet-5-5");
const sol = openai("gpt-6.1-sol");
const terra = openai("gpt-6.1-terra");

const adapters: readonly (readonly [string, Open])[] = [
  ["anthropic", opus],
  ["openai", sol],
];

const startScript = (turns: readonly Turn[], tokens?: Script["tokens"]) =>
  startModels({ script: { conversations: [{ name: "contract", turns: [...turns] }], ...(tokens ? { tokens } : {}) } });

const signal = new AbortController().signal;
const ask = (model: Model, messages: readonly Message[]) => model.reply(askWith(messages), signal);
const said = ({ parts, opaque }: ModelReply): Message => ({ kind: "model", parts, opaque });
const callsOf = ({ parts }: ModelReply): readonly ToolCall[] =>
  parts.flatMap((part) => (part.kind === "call" ? [part.call] : []));
const textOf = ({ parts }: ModelReply): string =>
  parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join();

/** Asks turn after turn, each call observed as done, until a reply makes no calls. */
async function converse(models: readonly Model[], opening: readonly Message[]) {
  const messages = [...opening];
  const replies: ModelReply[] = [];
  for (const model of models) {
    const reply = await ask(model, messages);
    replies.push(reply);
    messages.push(said(reply));
    const calls = callsOf(reply);
    if (calls.length > 0) messages.push(observe(...calls.map(({ id, tool }) => [id, `${tool} ran`] as const)));
  }
  return { messages, replies };
}

const work: readonly Turn[] = [
  {
    thinking: "Where is it? Naïve „quotes“ and \\ too.",
    text: "Looking.",
    do: [
      { do: "shell", command: "ls" },
      { do: "call", tool: "search", input: { query: "teh" } },
      { do: "shell", command: "cat a" },
    ],
  },
  { thinking: "There.", do: [{ do: "edit", path: "a", old: "teh", new: "the" }] },
  { text: "Fixed." },
];

describe.each(adapters)("%s", (provider, open) => {
  test("a text reply and what it cost come through", async () => {
    const usage = { input: 7, cachedRead: 1_000, cacheWrite: 200, output: 30, reasoning: 12 };
    await using models = await startScript([{ text: "Hello there.", usage }]);
    const reply = await ask(open(models), [user("Hi")]);
    expect(reply).toMatchObject({ parts: [{ kind: "text", text: "Hello there." }], stop: "finished", usage });
  });

  test("parallel calls go by our names and their observations are taken", async () => {
    await using models = await startScript(work);
    const model = open(models);
    const { replies } = await converse([model, model, model], [user("Fix the typo.")]);
    expect(replies.map(({ stop }) => stop)).toEqual(["tool-calls", "tool-calls", "finished"]);
    const calls = replies.map((reply) => callsOf(reply).map(({ tool, input }) => [tool, input]));
    const patch = "*** Begin Patch\n*** Update File: a\n@@\n-teh\n+the\n*** End Patch\n";
    const replace = { command: "str_replace", path: "a", old_str: "teh", new_str: "the" };
    expect(calls).toEqual([
      [
        ["shell", { command: "ls" }],
        ["search", { query: "teh" }],
        ["shell", { command: "cat a" }],
      ],
      [provider === "openai" ? ["apply_patch", patch] : ["edit", replace]],
      [],
    ]);
    expect(models.requests.map(({ status, turn }) => [status, turn])).toEqual([
      [200, 0],
      [200, 1],
      [200, 2],
    ]);
  });

  test("thinking goes back byte for byte, even through a store that reorders keys", async () => {
    await using models = await startScript(work);
    const model = open(models);
    const first = await ask(model, [user("Fix the typo.")]);
    const [one, two, three] = callsOf(first);
    const stored = structuredClone(said(first));
    await ask(model, [
      user("Fix the typo."),
      stored,
      observe([one?.id ?? "", "a"], [two?.id ?? "", "b"], [three?.id ?? "", "c"]),
    ]);
    const value = z.string().parse(first.opaque?.value);
    expect(value).toMatch(/signature|encrypted_content/);
    expect(JSON.stringify(models.requests[1]?.body)).toContain(value.slice(1, -1));
  });

  test("each request extends the last one, breakpoints aside", async () => {
    await using models = await startScript([
      ...work.slice(0, 2),
      { do: [{ do: "shell", command: "make" }] },
      { text: "Done." },
    ]);
    const model = open(models);
    const { messages } = await converse([model, model, model], [user("Fix the typo.")]);
    await ask(model, [...messages, user("Report now.")]);
    const bodies = models.requests.map(({ body }) => readBody(body));
    expect(bodies).toHaveLength(4);
    for (const [index, { rest, history }] of bodies.entries()) {
      const before = bodies[index - 1];
      if (!before) continue;
      expect(rest).toBe(before.rest);
      expect(history.length).toBeGreaterThan(before.history.length);
      expect(history.slice(0, before.history.length)).toEqual(before.history);
    }
  });

  test("the vendor's cache is read again, also after a turn of thirty calls", async () => {
    const many = Array.from({ length: 30 }, (_, i) => ({ do: "shell", command: `echo ${i}` }) as const);
    await using models = await startScript([{ do: [...many] }, { do: [...many] }, { text: "Done." }]);
    const model = open(models);
    const { replies } = await converse([model, model, model], [user("A long brief. ".repeat(1_000))]);
    const [first, second, third] = replies.map(({ usage }) => usage);
    expect(first?.cachedRead).toBe(0);
    expect(second?.cachedRead).toBeGreaterThanOrEqual((first?.cacheWrite ?? 0) * 0.95);
    expect(third?.cachedRead).toBeGreaterThanOrEqual(((second?.cachedRead ?? 0) + (second?.cacheWrite ?? 0)) * 0.95);
  });

  test.each<[string, NonNullable<Turn["fault"]>, ModelFault]>([
    ["an error event after the 200", { kind: "error-event", type: "overloaded_error", afterEvents: 3 }, "overloaded"],
    ["an error event at once", { kind: "error-event", type: "rate_limit_error", afterEvents: 0 }, "rate-limited"],
    ["a failed response", { kind: "error-event", type: "api_error", shape: "failed", afterEvents: 3 }, "server"],
    ["a connection that breaks", { kind: "drop", afterEvents: 4 }, "connection"],
    ["a stream that ends too early", { kind: "truncate" }, "connection"],
    ["status 400", { kind: "status", status: 400, message: "tools: wrong" }, "invalid-request"],
    ["status 401", { kind: "status", status: 401 }, "authentication"],
    ["status 403", { kind: "status", status: 403 }, "authentication"],
    ["status 402", { kind: "status", status: 402 }, "quota"],
    ["status 429", { kind: "status", status: 429, retryAfter: 7 }, "rate-limited"],
    ["status 500", { kind: "status", status: 500 }, "server"],
    ["status 503", { kind: "status", status: 503 }, "overloaded"],
  ])("%s is an error in our words, and asked once", async (_, fault, expected) => {
    await using models = await startScript([{ thinking: "Hm.", text: "Hello.", fault }]);
    const retryAfterMs = fault.kind === "status" && fault.retryAfter ? fault.retryAfter * 1_000 : null;
    await expect(ask(open(models), [user("Hi")])).rejects.toMatchObject({
      name: "ModelError",
      fault: expected,
      retryAfterMs,
    });
    expect(models.requests).toHaveLength(1);
    expect(textOf(await ask(open(models), [user("Hi")]))).toBe("Hello.");
  });

  test("nobody listening is a connection fault", async () => {
    const models = await startScript([{ text: "Hello." }]);
    await models.close();
    await expect(ask(open(models), [user("Hi")])).rejects.toMatchObject({ fault: "connection" });
  });

  test("a prompt longer than the window is told apart from a wrong request", async () => {
    await using models = await startScript([{ text: "Hello." }], { windowMax: 2_000 });
    await expect(ask(open(models), [user("long ".repeat(5_000))])).rejects.toMatchObject({ fault: "window-exceeded" });
  });

  test.each([0, 4])("a stream silent after %i events has stalled", async (afterEvents) => {
    await using models = await startScript([{ text: "Hello.", fault: { kind: "stall", afterEvents } }]);
    await expect(ask(open(models, 150), [user("Hi")])).rejects.toMatchObject({ fault: "stalled" });
  });

  test("an abort in the middle of a stream rejects at once with its reason", async () => {
    await using models = await startScript([{ text: "word ".repeat(200), chunkDelayMs: 50 }]);
    const stop = new AbortController();
    const reason = new Error("stopped by the asker");
    const run = open(models).reply(askWith([user("Hi")]), stop.signal);
    await expect.poll(() => models.requests.length).toBe(1);
    const abortedAt = performance.now();
    stop.abort(reason);
    await expect(run).rejects.toBe(reason);
    expect(performance.now() - abortedAt).toBeLessThan(500);
  });

  test("events nobody has heard of are passed over", async () => {
    await using models = await startScript([{ text: "Hello.", fault: { kind: "unknown-event" } }]);
    expect(textOf(await ask(open(models), [user("Hi")]))).toBe("Hello.");
  });

  test("a call cut off by the output limit is not returned, and the run can go on", async () => {
    const fault = { kind: "max-tokens" } as const;
    const cut: Turn = {
      thinking: "Hm.",
      do: [
        { do: "shell", command: "ls" },
        { do: "shell", command: "rm -rf /tmp/x" },
      ],
      fault,
    };
    await using models = await startScript([cut, { text: "Done." }]);
    const model = open(models);
    const reply = await ask(model, [user("Go.")]);
    expect([reply.stop, callsOf(reply).map(({ input }) => input)]).toEqual(["output-limit", [{ command: "ls" }]]);
    const next = [user("Go."), said(reply), observe([callsOf(reply)[0]?.id ?? "", "a"]), user("You were cut off.")];
    expect(textOf(await ask(model, next))).toBe("Done.");
  });

  test("a reply that was nothing but a cut-off call leaves a transcript the vendor takes", async () => {
    const cut: Turn = {
      thinking: "Hm.",
      do: [{ do: "shell", command: "rm -rf /tmp/x" }],
      fault: { kind: "max-tokens" },
    };
    await using models = await startScript([cut, { text: "Done." }]);
    const model = open(models);
    const reply = await ask(model, [user("Go.")]);
    expect([reply.stop, callsOf(reply)]).toEqual(["output-limit", []]);
    expect((await ask(model, [user("Go."), said(reply), user("You were cut off.")])).stop).not.toBe("output-limit");
  });

  test("malformed input reaches us as raw text, and the model can be told", async () => {
    const fault = { kind: "malformed-input" } as const;
    await using models = await startScript([{ do: [{ do: "shell", command: "ls -la" }], fault }, { text: "Sorry." }]);
    const model = open(models);
    const { replies } = await converse([model, model], [user("Go.")]);
    expect(replies.flatMap(callsOf).map(({ input }) => input)).toEqual([expect.stringMatching(/^\{"command"/)]);
    expect(replies.map(({ stop }) => stop)).toEqual(["tool-calls", "finished"]);
  });

  test("a refusal is an end of its own, with nothing to run", async () => {
    await using models = await startScript([{ do: [{ do: "shell", command: "ls" }], fault: { kind: "refusal" } }]);
    const reply = await ask(open(models), [user("Go.")]);
    expect(reply).toMatchObject({
      stop: "refused",
      parts: [{ kind: "text", text: "I can't help with that." }],
      opaque: null,
    });
  });

  test("an empty reply leaves a transcript the vendor takes", async () => {
    await using models = await startScript([{ text: "Hello.", fault: { kind: "empty" } }]);
    const model = open(models);
    const reply = await ask(model, [user("Go.")]);
    expect([reply.stop, reply.parts]).toEqual(["finished", []]);
    expect(textOf(await ask(model, [user("Go."), said(reply), user("Please report.")]))).toBe("Hello.");
  });

  test("a crowded transcript of odd words is taken", async () => {
    await using models = await startScript([{ text: "Fine." }, { text: "Fine." }]);
    const odd: readonly Message[] = [
      user("Go."),
      {
        kind: "model",
        parts: [
          { kind: "text", text: " " },
          { kind: "call", call: { id: "functions.shell:0", tool: "functions.shell", input: "not JSON" } },
          { kind: "call", call: { id: "x".repeat(80), tool: "apply_patch", input: { patch: "*** Begin Patch" } } },
        ],
        opaque: null,
      },
      observe(["functions.shell:0", "", true], ["x".repeat(80), " ", true]),
      user(" \n"),
    ];
    expect(textOf(await ask(open(models), odd))).toBe("Fine.");
  });
});

test.each<[string, Open, Open]>([
  ["Anthropic to OpenAI and back", opus, sol],
  ["OpenAI to Anthropic and back", sol, opus],
  ["one Claude to another and back", opus, sonnet],
  ["one GPT to another and back", sol, terra],
])("a transcript is handed over in the middle of tool use: %s", async (_, first, second) => {
  const turns: readonly Turn[] = [
    work[0] ?? never(),
    work[1] ?? never(),
    { ...work[0], thinking: "Once more." },
    { text: "Fixed." },
  ];
  await using models = await startScript(turns);
  const [one, two] = [first(models), second(models)];
  const { replies } = await converse([one, two, one, two], [user("Fix the typo.")]);
  expect(replies.map(({ stop }) => stop)).toEqual(["tool-calls", "tool-calls", "tool-calls", "finished"]);
  expect(models.requests.map(({ status, turn }) => [status, turn])).toEqual([0, 1, 2, 3].map((turn) => [200, turn]));
  const third = JSON.stringify(models.requests[2]?.body);
  expect(third).toContain(z.string().parse(replies[0]?.opaque?.value).slice(1, -1));
});

test("Claude's pause is not an end: the next request lets it go on", async () => {
  await using models = await startScript([{ text: "Half.", stop: "pause_turn" }, { text: "Whole." }]);
  const model = opus(models);
  const reply = await ask(model, [user("Go.")]);
  expect(reply.stop).toBe("paused");
  expect(textOf(await ask(model, [user("Go."), said(reply)]))).toBe("Whole.");
});

const Body = z.looseObject({ messages: z.array(z.unknown()).optional(), input: z.array(z.unknown()).optional() });

/** The growing part and all else, without the marks that are allowed to wander. */
function readBody(body: unknown): { readonly rest: string; readonly history: readonly string[] } {
  const bare: unknown = JSON.parse(JSON.stringify(body), (key, value: unknown) =>
    key === "cache_control" ? undefined : value,
  );
  const { messages, input, ...rest } = Body.parse(bare);
  return { rest: JSON.stringify(rest), history: (messages ?? input ?? []).map((item) => JSON.stringify(item)) };
}

function never(): never {
  throw new Error("the script has too few turns");
}
