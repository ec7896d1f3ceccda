/** The response cache around the real adapters, over the stand-in's wire and a real PostgreSQL. */
import { describe, expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import { costUsd } from "../../src/model/catalog.ts";
import type { Message, Model, ModelReply, ModelRequest } from "../../src/model/model.ts";
import { cacheReplies, requestKey, type ReplyStore } from "../../src/model/response-cache.ts";
import type { Database } from "../../src/store/database.ts";
import { postgresReplies } from "../../src/store/replies.ts";
import { openTestDatabase } from "../database.ts";
import {
  answerTo,
  ask,
  converse,
  opus,
  said,
  sol,
  startScript,
  terra,
  textOf,
  work,
  type Open,
  type Turn,
} from "./adapters.ts";
import { scriptedModel, textReply } from "./scripted-model.ts";
import { askWith, observe, shell, user } from "./transcripts.ts";

const kept = (database: Database) => postgresReplies(database, { repoId: 22, secrets: [], now: Date.now });
const signal = new AbortController().signal;

describe.each<[string, Open]>([
  ["anthropic", opus],
  ["openai", sol],
])("%s", (_, open) => {
  test("the same conversation a second time asks the vendor nothing and costs nothing", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript(work);
    const model = cacheReplies(open(models), kept(opened.database));
    const first = await converse([model, model, model], [user("Fix the typo.")]);
    expect(models.requests).toHaveLength(3);

    // Another process of the product: nothing is shared but the database.
    const again = cacheReplies(open(models), kept(opened.database));
    const second = await converse([again, again, again], [user("Fix the typo.")]);
    expect(models.requests).toHaveLength(3);
    expect(second.messages).toEqual(first.messages);
    expect(second.replies.map(({ usage }) => costUsd(usage, model.facts.prices))).toEqual([0, 0, 0]);
    expect(second.replies.map(({ cachedUsage }) => cachedUsage)).toEqual(first.replies.map(({ usage }) => usage));
  });

  test("after a hit the vendor takes the conversation on where it leaves the known road", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript(work);
    const model = cacheReplies(open(models), kept(opened.database));
    await ask(model, [user("Fix the typo.")]);
    const hit = await ask(model, [user("Fix the typo.")]);
    const next = await ask(model, [user("Fix the typo."), said(hit), answerTo(hit)]);
    expect(models.requests.map(({ status, turn }) => [status, turn])).toEqual([
      [200, 0],
      [200, 1],
    ]);
    expect(next.cachedUsage).toBeUndefined();
  });

  test.each<[string, NonNullable<Turn["fault"]>]>([
    ["a refusal", { kind: "refusal" }],
    ["a reply cut at the output limit", { kind: "max-tokens" }],
    ["an empty reply", { kind: "empty" }],
    ["a call with malformed input", { kind: "malformed-input" }],
  ])("%s is not kept", async (_name, fault) => {
    await using opened = await openTestDatabase();
    await using models = await startScript([
      {
        do: [
          { do: "shell", command: "ls" },
          { do: "shell", command: "pwd" },
        ],
        fault,
      },
    ]);
    const model = cacheReplies(open(models), kept(opened.database));
    await ask(model, [user("Go.")]);
    const second = await ask(model, [user("Go.")]);
    expect([models.requests.length, second.stop, second.cachedUsage]).toEqual([2, "tool-calls", undefined]);
    await ask(model, [user("Go.")]);
    expect(models.requests).toHaveLength(2);
  });

  test("an error is not kept", async () => {
    await using opened = await openTestDatabase();
    await using models = await startScript([{ text: "Hello.", fault: { kind: "error-event" } }]);
    const model = cacheReplies(open(models), kept(opened.database));
    await expect(ask(model, [user("Go.")])).rejects.toMatchObject({ fault: "overloaded" });
    expect(textOf(await ask(model, [user("Go.")]))).toBe("Hello.");
  });
});

test("a free-form patch is whole although it is no object", async () => {
  await using opened = await openTestDatabase();
  await using models = await startScript([{ do: [{ do: "edit", path: "a", old: "teh", new: "the" }] }]);
  const model = cacheReplies(sol(models), kept(opened.database));
  const first = await ask(model, [user("Go.")]);
  const second = await ask(model, [user("Go.")]);
  expect([second.parts, models.requests.length]).toEqual([first.parts, 1]);
});

const base = askWith([user("Go."), { kind: "model", parts: [], opaque: { provider: "p", model: "m", value: "v" } }]);
const model: Pick<Model, "id" | "facts"> = scriptedModel([]);
const other = (messages: readonly Message[]): ModelRequest => ({ ...base, messages });

test.each<[string, string]>([
  ["the model", requestKey({ ...model, id: "scripted/other" }, base, "")],
  ["the account", requestKey(model, base, "another")],
  ["the system prompt", requestKey(model, { ...base, system: "You review." }, "")],
  ["a tool", requestKey(model, { ...base, tools: [{ ...shell, description: "Runs one command." }] }, "")],
  ["the output limit", requestKey(model, { ...base, outputTokensMax: 999 }, "")],
  ["what the user said", requestKey(model, other([user("Go!"), ...base.messages.slice(1)]), "")],
  [
    "opaque state",
    requestKey(model, other([...base.messages.slice(0, 1), { kind: "model", parts: [], opaque: null }]), ""),
  ],
  ["an observation", requestKey(model, other([...base.messages, observe(["1", "seen"])]), "")],
])("%s changes the key", (_, key) => {
  expect(key).not.toBe(requestKey(model, base, ""));
  expect(key).toMatch(/^[0-9a-f]{64}$/);
});

test("the prompt cache's key and the order of an object's keys do not change the key", () => {
  const spec = Object.fromEntries(Object.entries(shell).toReversed());
  const turned = { ...base, cacheKey: "run-2", tools: [{ ...shell, ...spec }, ...base.tools.slice(1)] };
  expect(requestKey(model, turned, "")).toBe(requestKey(model, base, ""));
});

test("two that ask the same at once both get a whole reply, and the third is free", async () => {
  await using opened = await openTestDatabase();
  await using models = await startScript([{ text: "Hello there.", delayMs: 20 }]);
  const cached = () => cacheReplies(terra(models), kept(opened.database));
  const replies = await Promise.all([ask(cached(), [user("Hi")]), ask(cached(), [user("Hi")])]);
  expect(replies.map(textOf)).toEqual(["Hello there.", "Hello there."]);
  const asked = models.requests.length;
  expect(textOf(await ask(cached(), [user("Hi")]))).toBe("Hello there.");
  expect(models.requests).toHaveLength(asked);
});

test("a reply that was paid for is not lost because it cannot be kept", async () => {
  const store: ReplyStore = {
    find: async () => null,
    keep: () => Promise.reject(new TransientError("The database is away.")),
  };
  const reply: ModelReply = await cacheReplies(scriptedModel([textReply("Hello.")]), store).reply(
    askWith([user("Hi")]),
    signal,
  );
  expect(textOf(reply)).toBe("Hello.");
});
