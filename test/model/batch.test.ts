/** Questions through the vendors' batch APIs: the real SDKs over the stand-in's wire, and a real PostgreSQL in between. */
import { execa } from "execa";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";
import { NotYet } from "../../src/failure.ts";
import { costUsd, modelFacts } from "../../src/model/catalog.ts";
import type { Model, ModelFault, ModelReply } from "../../src/model/model.ts";
import { replyWithRetry } from "../../src/model/retry.ts";
import { Database } from "../../src/store/database.ts";
import { openTestDatabase } from "../database.ts";
import {
  answerTo,
  ask,
  callsOf,
  converse,
  opus,
  said,
  sol,
  startScript,
  textOf,
  work,
  type Open,
  type Turn,
} from "./adapters.ts";
import { asked, created, MODELS, openBatch, type Vendor } from "./batches.ts";
import { askWith, user } from "./transcripts.ts";

const never = new AbortController().signal;
const vendors: readonly (readonly [Vendor, Open])[] = [
  ["anthropic", opus],
  ["openai", sol],
];
const of = (model: Model, run: string, text = "Hi", signal = never) =>
  model.reply(askWith([user(text)], { cacheKey: run }), signal);
/** The stand-in makes the ids of calls from the request, and a batch's has marks of its own for the cache. */
const bare = (replies: readonly ModelReply[]) =>
  JSON.parse(
    JSON.stringify(replies.map(({ parts, stop, usage, opaque }) => ({ parts, stop, usage, opaque }))).replaceAll(
      /(toolu|msg)_\w+/g,
      "$1_ID",
    ),
  );
const polled = (turns: Script["conversations"][number]["turns"], polls: number) =>
  startModels({ script: { conversations: [{ name: "batch", turns }], batch: { polls } } });

const rows = (database: Database) => database.query("SELECT key FROM pullwright.batch_requests");

describe.each(vendors)("%s", (vendor, openDirect) => {
  test("a conversation through batches says what the direct one says, thinking and calls included", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript(work);
    const model = openBatch(vendor, models, opened.database);
    const batched = await converse([model, model, model], [user("Fix the typo.")]);
    await using others = await startScript(work);
    const direct = openDirect(others);
    const streamed = await converse([direct, direct, direct], [user("Fix the typo.")]);
    expect(bare(batched.replies)).toEqual(bare(streamed.replies));
    expect(created(models)).toBe(3);
  });

  test("a transcript goes on from a batch to the stream and back", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript(work);
    const [batch, direct] = [openBatch(vendor, models, opened.database), openDirect(models)];
    const { replies } = await converse([batch, direct, batch], [user("Fix the typo.")]);
    expect(replies.map(({ stop }) => stop)).toEqual(["tool-calls", "tool-calls", "finished"]);
  });

  test("it costs half, in long prompts too", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript([]);
    const { prices } = modelFacts(MODELS[vendor]);
    const usage = { input: 1_000_000, cachedRead: 500_000, cacheWrite: 0, output: 10_000, reasoning: 0 };
    const facts = openBatch(vendor, models, opened.database).facts;
    for (const used of [usage, { ...usage, input: 10_000, cachedRead: 0 }]) {
      expect(costUsd(used, facts.prices)).toBeCloseTo(costUsd(used, prices) / 2, 10);
    }
    expect(facts.pricesSource).toContain("batch");
  });

  test("runs that ask within the window share one batch, each with its own question and answer", async () => {
    await using opened = await openTestDatabase();
    const conversations = ["red", "green", "blue"].map((name) => ({
      name,
      match: [name],
      turns: [{ text: `It is ${name}.` }],
    }));
    await using models = await startModels({ script: { conversations } });
    // Time enough for a busy machine to ask all three.
    const model = openBatch(vendor, models, opened.database, { timing: { windowMs: 1_500 } });
    const replies = await Promise.all(
      conversations.map(({ name }, run) => of(model, `run-${run}`, `What of ${name}?`)),
    );
    expect(replies.map(textOf)).toEqual(["It is red.", "It is green.", "It is blue."]);
    expect(created(models)).toBe(1);
    // Three requests, not three questions glued into one.
    const sent =
      models.requests.map(({ body }) => JSON.stringify(body)).find((text) => text.includes("custom_id")) ?? "";
    expect(sent.match(/custom_id/g)).toHaveLength(3);
  });

  test("what the vendor keeps of it is taken away when it has been read", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript([{ text: "Hello." }]);
    await of(openBatch(vendor, models, opened.database), "run-1");
    const expected = {
      anthropic: ["/v1/messages/batches", "/v1/messages/batches/ID/results"],
      openai: ["/v1/files", "/v1/batches", "/v1/files/ID/content", "/v1/files/ID", "/v1/files/ID"],
    };
    expect(asked(models)).toEqual(expected[vendor]);
    // Whatever is left answers 404.
    const model = openBatch(vendor, models, opened.database);
    expect(textOf(await of(model, "run-1"))).toBe("Hello.");
    expect(created(models)).toBe(1);
  });

  test("a worker that takes the run over waits for the batch of the lost one, and pays for none", async () => {
    await using opened = await openTestDatabase();
    await using models = await polled([{ text: "Hello." }], 12);
    const lost = new AbortController();
    const first = of(openBatch(vendor, models, opened.database), "run-1", "Hi", lost.signal);
    const reason = new Error("the worker stops");
    const ended = expect(first).rejects.toBe(reason);
    await expect.poll(() => created(models)).toBe(1);
    lost.abort(reason);
    await ended;
    expect(textOf(await of(openBatch(vendor, models, opened.database), "run-1"))).toBe("Hello.");
    expect(created(models)).toBe(1);
  });

  test("a worker that is killed leaves its batch to the next", async () => {
    await using opened = await openTestDatabase();
    await using models = await polled([{ text: "Hello." }], 1_000);
    const baseUrl = vendor === "anthropic" ? models.anthropicBaseUrl : models.openaiBaseUrl;
    const asker = join(import.meta.dirname, "batch-asker.ts");
    const child = execa(process.execPath, [asker, vendor, baseUrl, opened.url], { reject: false });
    const sent = () => opened.database.query("SELECT 1 FROM pullwright.batch_requests WHERE batch_id IS NOT NULL");
    await expect.poll(async () => (await sent()).length, { timeout: 30_000 }).toBe(1);
    child.kill("SIGKILL");
    expect((await child).signal).toBe("SIGKILL");
    const timing = { holdMsMax: 0 };
    const next = of(openBatch(vendor, models, opened.database, { timing }), "run-1");
    await expect(next).rejects.toBeInstanceOf(NotYet);
    expect(created(models)).toBe(1);
  });

  test("an answer that was read and then lost with its worker is there for the next, and charged once", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript([{ text: "Hello." }]);
    const first = await of(openBatch(vendor, models, opened.database), "run-1");
    const again = await of(openBatch(vendor, models, opened.database), "run-1");
    expect(first.usage.output).toBeGreaterThan(0);
    expect({ ...again, usage: again.cachedUsage, cachedUsage: undefined }).toEqual(first);
    expect(costUsd(again.usage, modelFacts(MODELS[vendor]).prices)).toBe(0);
    await of(openBatch(vendor, models, opened.database), "run-2"); // Another run is another question.
    expect(created(models)).toBe(2);
  });

  test("two workers that have the same run ask once", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript([{ text: "Hello." }]);
    const [one, two] = [openBatch(vendor, models, opened.database), openBatch(vendor, models, opened.database)];
    const replies = await Promise.all([of(one, "run-1"), of(two, "run-1")]);
    expect([replies.map(textOf), created(models)]).toEqual([["Hello.", "Hello."], 1]);
  });

  test("the hold ends in NotYet, and who asks again gets the answer", async () => {
    await using opened = await openTestDatabase();
    await using models = await polled([{ text: "Hello." }], 3);
    const asking = () => of(openBatch(vendor, models, opened.database, { timing: { holdMsMax: 0 } }), "run-1");
    const tries: string[] = [];
    while (tries.length < 10 && tries.at(-1) !== "Hello.") {
      tries.push(
        await asking().then(textOf, (error: unknown) => (error instanceof NotYet ? "pending" : String(error))),
      );
    }
    expect([tries, created(models)]).toEqual([["pending", "pending", "pending", "Hello."], 1]);
  });

  test.each<[string, NonNullable<Turn["fault"]>, ModelFault, RegExp?]>([
    ["expired", { kind: "unanswered", how: "expired" }, "overloaded", /24 hours|completion window/],
    ["cancelled", { kind: "unanswered", how: "canceled" }, "server", /batch was cancelled/],
    ["refused as invalid", { kind: "status", status: 400, message: "tools: wrong" }, "invalid-request"],
    ["failed at a vendor that is overloaded", { kind: "error-event", type: "overloaded_error" }, "overloaded"],
    ["failed with the vendor's server", { kind: "status", status: 500 }, "server"],
    ["over a rate limit", { kind: "status", status: 429 }, "rate-limited"],
    ["without money", { kind: "status", status: 402 }, "quota"],
  ])(
    "an item that is %s is an error in our words, and a new question when it is asked again",
    async (_, fault, expected, words = /./) => {
      await using opened = await openTestDatabase();
      await using models = await startScript([{ text: "Hello.", fault }]);
      const model = openBatch(vendor, models, opened.database);
      await expect(of(model, "run-1")).rejects.toMatchObject({
        name: "ModelError",
        fault: expected,
        message: expect.stringMatching(words),
      });
      expect(textOf(await of(model, "run-1"))).toBe("Hello.");
      expect(created(models)).toBe(2);
    },
  );

  test("an item that expires is asked again by the bounded retry like any other fault", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript([{ text: "Hello.", fault: { kind: "unanswered", how: "expired" } }]);
    const options = { signal: never, sleep: async () => {} };
    const reply = await replyWithRetry(openBatch(vendor, models, opened.database), askWith([user("Hi")]), options);
    expect(textOf(reply)).toBe("Hello.");
  });

  test("a good item is not spoiled by a bad one in the same batch", async () => {
    await using opened = await openTestDatabase();
    const fault = { kind: "unanswered", how: "expired" } as const;
    const conversations = [
      { name: "bad", match: ["bad"], turns: [{ text: "No.", fault }] },
      { name: "good", turns: [{ text: "Yes." }] },
    ];
    await using models = await startModels({ script: { conversations } });
    const model = openBatch(vendor, models, opened.database);
    const [bad, good] = await Promise.allSettled([of(model, "run-1", "bad"), of(model, "run-2", "good")]);
    expect([bad.status, good.status === "fulfilled" && textOf(good.value)]).toEqual(["rejected", "Yes."]);
  });

  test("a call cut off by the output limit is not returned, the whole one before it is", async () => {
    await using opened = await openTestDatabase();
    const calls = ["ls", "rm -rf /tmp/x"].map((command) => ({ do: "shell", command }) as const);
    await using models = await startScript([{ do: calls, fault: { kind: "max-tokens" } }, { text: "Done." }]);
    const model = openBatch(vendor, models, opened.database);
    const reply = await ask(model, [user("Go.")]);
    expect([reply.stop, callsOf(reply).map(({ input }) => input)]).toEqual(["output-limit", [{ command: "ls" }]]);
    expect(textOf(await ask(model, [user("Go."), said(reply), answerTo(reply), user("You were cut off.")]))).toBe(
      "Done.",
    );
  });

  test("a refusal is an end of its own", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript([{ text: "Hello.", fault: { kind: "refusal" } }]);
    const reply = await of(openBatch(vendor, models, opened.database), "run-1");
    expect(reply).toMatchObject({ stop: "refused", opaque: null });
  });

  test("a claim of a worker that was lost before it sent anything is taken over", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript([{ text: "Hello." }]);
    const leave = new AbortController();
    const timing = { windowMs: 1e6 };
    const lost = of(openBatch(vendor, models, opened.database, { timing }), "run-1", "Hi", leave.signal);
    await expect.poll(async () => (await rows(opened.database)).length).toBe(1);
    const later = () => Date.now() + 11 * 60_000;
    expect(textOf(await of(openBatch(vendor, models, opened.database, { now: later }), "run-1"))).toBe("Hello.");
    expect(created(models)).toBe(1);
    leave.abort(new Error("over"));
    await expect(lost).rejects.toThrow("over");
  });

  test("who leaves within the window is not in the batch", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript([{ text: "Hello." }]);
    const model = openBatch(vendor, models, opened.database, { timing: { windowMs: 300 } });
    const leave = new AbortController();
    const reason = new Error("stopped by the asker");
    const gone = expect(of(model, "run-1", "Hi", leave.signal)).rejects.toBe(reason);
    await expect.poll(async () => (await rows(opened.database)).length).toBe(1);
    leave.abort(reason);
    await gone;
    expect(await rows(opened.database)).toEqual([]);
    expect(textOf(await of(model, "run-2"))).toBe("Hello.");
    expect(JSON.stringify(models.requests.map(({ body }) => body)).match(/custom_id/g)).toHaveLength(1);
  });

  test("a batch that does not end in time is cancelled, and says so", async () => {
    await using opened = await openTestDatabase();
    await using models = await polled([{ text: "Hello." }], 1_000);
    let now = Date.now();
    const model = openBatch(vendor, models, opened.database, {
      now: () => (now += 60 * 60_000),
      timing: { holdMsMax: 1e9 },
    });
    await expect(of(model, "run-1")).rejects.toMatchObject({ fault: "stalled" });
    expect(asked(models).at(-1)).toMatch(/\/ID\/cancel$/);
    expect(await rows(opened.database)).toEqual([]);
  });

  test("a batch that the vendor no longer knows is asked anew", async () => {
    await using opened = await openTestDatabase();
    await using models = await polled([{ text: "Hello." }], 1_000);
    const pending = { timing: { holdMsMax: 0 } };
    await expect(of(openBatch(vendor, models, opened.database, pending), "run-1")).rejects.toBeInstanceOf(NotYet);
    models.setScript({ conversations: [{ name: "later", turns: [{ text: "Hello." }] }] }); // Forgets all batches.
    const model = openBatch(vendor, models, opened.database);
    await expect(of(model, "run-1")).rejects.toMatchObject({ fault: "server" });
    expect(textOf(await of(model, "run-1"))).toBe("Hello.");
  });

  test("a vendor that is away for some looks is asked on", async () => {
    await using opened = await openTestDatabase();
    const models = await polled([{ text: "Hello." }], 1_000);
    const pending = { timing: { holdMsMax: 60 } };
    await expect(of(openBatch(vendor, models, opened.database, pending), "run-1")).rejects.toBeInstanceOf(NotYet);
    await models.close();
    // Nobody listens now: that is no reason to lose a batch that is paid for.
    await expect(of(openBatch(vendor, models, opened.database, pending), "run-1")).rejects.toBeInstanceOf(NotYet);
    expect(await rows(opened.database)).toHaveLength(1);
  });

  test("nobody listening when a batch is sent is a connection fault, and leaves no claim", async () => {
    await using opened = await openTestDatabase();
    const models = await startScript([{ text: "Hello." }]);
    await models.close();
    await expect(of(openBatch(vendor, models, opened.database), "run-1")).rejects.toMatchObject({
      fault: "connection",
    });
    expect(await rows(opened.database)).toEqual([]);
  });
});

test.each([
  ["mismatched_model", "invalid-request"],
  ["token_limit_exceeded", "rate-limited"],
])("OpenAI's batch that fails as a whole for %s is that fault for each of its requests", async (code, fault) => {
  await using opened = await openTestDatabase();
  await using models = await startModels({
    script: { conversations: [{ name: "any", turns: [{ text: "Hello." }] }], batch: { polls: 0, failure: code } },
  });
  const model = openBatch("openai", models, opened.database);
  await expect(of(model, "run-1")).rejects.toMatchObject({ name: "ModelError", fault });
});
