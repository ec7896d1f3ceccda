/** What every Model must do, held against the real SDKs over sim/models' wire. Add an adapter to the list and it is held too. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Models } from "../../sim/models/models.ts";
import type { Message, Model, ModelFault } from "../../src/model/model.ts";
import {
  answerTo,
  ask,
  callsOf,
  converse,
  gpt51,
  opus,
  ownBytes,
  qwen,
  said,
  sol,
  startScript,
  textOf,
  work,
  type Turn,
} from "../model/adapters.ts";
import { azure, bedrock, stubClouds, vertex } from "../model/clouds.ts";
import { askWith, observe, user } from "../model/transcripts.ts";

const operation = { type: "update_file", path: "a", diff: "@@\n-teh\n+the" };
const patch = "*** Begin Patch\n*** Update File: a\n@@\n-teh\n+the\n*** End Patch\n";
const replace = { command: "str_replace", path: "a", old_str: "teh", new_str: "the" };

/** A call of the vendor's own shell has no text that could be malformed, only a list without a command. */
const OWN_TOOLS = "openai with its own patch and shell tools";

/** Each with the way it edits. */
type OpenAny = (models: Models, idleMsMax?: number) => Model | Promise<Model>;
const adapters: readonly (readonly [string, OpenAny, readonly [tool: string, input: unknown]])[] = [
  ["anthropic", opus, ["edit", replace]],
  ["openai", sol, ["apply_patch", patch]],
  [OWN_TOOLS, gpt51, ["apply_patch", operation]],
  ["compatible", qwen, ["edit", replace]],
  ["bedrock", bedrock, ["edit", replace]],
  ["vertex", vertex, ["edit", replace]],
  ["azure", azure, ["apply_patch", patch]],
];

let clouds: AsyncDisposable;
beforeAll(async () => {
  clouds = await stubClouds();
});
afterAll(() => clouds[Symbol.asyncDispose]());

describe.each(adapters)("%s", (provider, open, edit) => {
  test("a text reply and what it cost come through", async () => {
    const usage = { input: 7, cachedRead: 1_000, cacheWrite: 200, output: 30, reasoning: 12 };
    await using models = await startScript([{ text: "Hello there.", usage }]);
    const reply = await ask(await open(models), [user("Hi")]);
    // Chat Completions do not tell what was written to a cache.
    const told = provider === "compatible" ? { ...usage, input: 207, cacheWrite: 0 } : usage;
    expect(reply).toMatchObject({ parts: [{ kind: "text", text: "Hello there." }], stop: "finished", usage: told });
    expect(reply.isUsageEstimated ?? false).toBe(false);
  });

  test("parallel calls go by our names and their observations are taken", async () => {
    await using models = await startScript(work);
    const model = await open(models);
    const { replies } = await converse([model, model, model], [user("Fix the typo.")]);
    expect(replies.map(({ stop }) => stop)).toEqual(["tool-calls", "tool-calls", "finished"]);
    const calls = replies.map((reply) => callsOf(reply).map(({ tool, input }) => [tool, input]));
    expect(calls).toEqual([
      [
        ["shell", { command: "ls" }],
        ["search", { query: "teh" }],
        ["shell", { command: "cat a" }],
      ],
      [edit],
      [],
    ]);
    expect(models.requests.map(({ status, turn }) => [status, turn])).toEqual([0, 1, 2].map((turn) => [200, turn]));
  });

  test("thinking goes back byte for byte, even through a store that reorders keys", async () => {
    await using models = await startScript(work);
    const model = await open(models);
    const first = await ask(model, [user("Fix the typo.")]);
    await ask(model, [user("Fix the typo."), reorder(said(first)), answerTo(first)]);
    expect(ownBytes(first)).toMatch(/signature|encrypted_content|reasoning_content/);
    expect(JSON.stringify(models.requests[1]?.body)).toContain(ownBytes(first));
  });

  test("each request extends the last one, breakpoints aside", async () => {
    await using models = await startScript([
      ...work.slice(0, 2),
      { do: [{ do: "shell", command: "make" }] },
      { text: "Done." },
    ]);
    const model = await open(models);
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
    const model = await open(models);
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
    await expect(ask(await open(models), [user("Hi")])).rejects.toMatchObject({
      name: "ModelError",
      fault: expected,
      retryAfterMs,
    });
    expect(models.requests).toHaveLength(1);
    expect(textOf(await ask(await open(models), [user("Hi")]))).toBe("Hello.");
  });

  test("nobody listening is a connection fault", async () => {
    const models = await startScript([{ text: "Hello." }]);
    await models.close();
    await expect(ask(await open(models), [user("Hi")])).rejects.toMatchObject({ fault: "connection" });
  });

  test("a prompt longer than the window is told apart from a wrong request", async () => {
    await using models = await startScript([{ text: "Hello." }], { windowMax: 2_000 });
    await expect(ask(await open(models), [user("long ".repeat(5_000))])).rejects.toMatchObject({
      fault: "window-exceeded",
    });
  });

  test.each([0, 4])("a stream silent after %i events has stalled", async (afterEvents) => {
    await using models = await startScript([{ text: "Hello.", fault: { kind: "stall", afterEvents } }]);
    await expect(ask(await open(models, 150), [user("Hi")])).rejects.toMatchObject({ fault: "stalled" });
  });

  test("an abort in the middle of a stream rejects at once with its reason", async () => {
    await using models = await startScript([{ text: "word ".repeat(200), chunkDelayMs: 50 }]);
    const stop = new AbortController();
    const reason = new Error("stopped by the asker");
    const run = (await open(models)).reply(askWith([user("Hi")]), stop.signal);
    await expect.poll(() => models.requests.length).toBe(1);
    const abortedAt = performance.now();
    stop.abort(reason);
    await expect(run).rejects.toBe(reason);
    expect(performance.now() - abortedAt).toBeLessThan(500);
  });

  test("events nobody has heard of are passed over", async () => {
    await using models = await startScript([{ text: "Hello.", fault: { kind: "unknown-event" } }]);
    expect(textOf(await ask(await open(models), [user("Hi")]))).toBe("Hello.");
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
    const model = await open(models);
    const reply = await ask(model, [user("Go.")]);
    expect([reply.stop, callsOf(reply).map(({ input }) => input)]).toEqual(["output-limit", [{ command: "ls" }]]);
    const next = [user("Go."), said(reply), answerTo(reply), user("You were cut off.")];
    expect(textOf(await ask(model, next))).toBe("Done.");
  });

  test("a reply that was nothing but a cut-off call leaves a transcript the vendor takes", async () => {
    const cut: Turn = {
      thinking: "Hm.",
      do: [{ do: "shell", command: "rm -rf /tmp/x" }],
      fault: { kind: "max-tokens" },
    };
    await using models = await startScript([cut, { text: "Done." }]);
    const model = await open(models);
    const reply = await ask(model, [user("Go.")]);
    expect([reply.stop, callsOf(reply)]).toEqual(["output-limit", []]);
    expect((await ask(model, [user("Go."), said(reply), user("You were cut off.")])).stop).not.toBe("output-limit");
  });

  test("malformed input reaches us as it is, and the model can be told", async () => {
    const fault = { kind: "malformed-input" } as const;
    await using models = await startScript([{ do: [{ do: "shell", command: "ls -la" }], fault }, { text: "Sorry." }]);
    const model = await open(models);
    const { replies } = await converse([model, model], [user("Go.")]);
    const raw: unknown = provider === OWN_TOOLS ? { command: "" } : expect.stringMatching(/^\{.*command/);
    expect(replies.flatMap(callsOf).map(({ input }) => input)).toEqual([raw]);
    expect(replies.map(({ stop }) => stop)).toEqual(["tool-calls", "finished"]);
  });

  test("a refusal is an end of its own, with nothing to run", async () => {
    await using models = await startScript([{ do: [{ do: "shell", command: "ls" }], fault: { kind: "refusal" } }]);
    const reply = await ask(await open(models), [user("Go.")]);
    expect(reply).toMatchObject({
      stop: "refused",
      parts: [{ kind: "text", text: "I can't help with that." }],
      opaque: null,
    });
  });

  test("an empty reply leaves a transcript the vendor takes", async () => {
    await using models = await startScript([{ text: "Hello.", fault: { kind: "empty" } }]);
    const model = await open(models);
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
    expect(textOf(await ask(await open(models), odd))).toBe("Fine.");
  });
});

const Keyed = z.record(z.string(), z.unknown());
const Body = z.looseObject({ messages: z.array(z.unknown()).optional(), input: z.array(z.unknown()).optional() });

/** As PostgreSQL's jsonb gives a value back: equal, with its keys in another order. */
function reorder<T>(value: T): T {
  const sorted = (_: string, inner: unknown) =>
    Keyed.safeParse(inner).success ? Object.fromEntries(Object.entries(Keyed.parse(inner)).toReversed()) : inner;
  return JSON.parse(JSON.stringify(value, sorted));
}

/** The growing part and all else, without what may change and is no part of the prompt: the marks, and the question why a cache missed. */
function readBody(body: unknown): { readonly rest: string; readonly history: readonly string[] } {
  const bare: unknown = JSON.parse(JSON.stringify(body), (key, value: unknown) =>
    key === "cache_control" || key === "diagnostics" ? undefined : value,
  );
  const { messages, input, ...rest } = Body.parse(bare);
  return { rest: JSON.stringify(rest), history: (messages ?? input ?? []).map((item) => JSON.stringify(item)) };
}
