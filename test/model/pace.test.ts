import { expect, test } from "vitest";
import type { RateLimits } from "../../src/model-settings.ts";
import { ModelError, type ModelReply } from "../../src/model/model.ts";
import { PaceBudget, paceModel } from "../../src/model/pace.ts";
import { filled, fullBucket, observe, take, waitMs } from "../../src/model/token-bucket.ts";
import { opus, startScript } from "./adapters.ts";
import { scriptedModel, textReply, type ScriptStep } from "./scripted-model.ts";
import { askWith, user } from "./transcripts.ts";

test("a bucket fills evenly, holds a minute's worth and may go into debt", () => {
  const empty = take(fullBucket(60, 0), 60, 0);
  expect([filled(empty, 500).level, filled(empty, 30_000).level, filled(empty, 90_000).level]).toEqual([0.5, 30, 60]);
  expect([waitMs(empty, 1, 0), waitMs(empty, 30, 10_000), waitMs(empty, 30, 40_000)]).toEqual([1_000, 20_000, 0]);
  const debt = take(empty, 30, 0);
  expect([debt.level, waitMs(debt, 1, 0)]).toEqual([-30, 31_000]);
  expect(take(debt, -100, 0).level).toBe(60);
});

test("more than a bucket holds waits for a full one, and a clock that goes back fills nothing", () => {
  const used = take(fullBucket(60, 60_000), 30, 60_000);
  expect([waitMs(used, 1_000, 60_000), waitMs(fullBucket(60, 0), 1_000, 0)]).toEqual([30_000, 0]);
  expect(filled(used, 0).level).toBe(30);
});

test("the vendor's word counts when it says less, never when it says more", () => {
  const bucket = fullBucket(100, 0);
  expect(observe(bucket, { limit: 50, remaining: 10 }, 0)).toEqual({ perMinute: 50, level: 10, atMs: 0 });
  expect(observe(bucket, { limit: 500, remaining: 400 }, 0)).toEqual(bucket);
});

const none = { requests: null, inputTokens: null, outputTokens: null };
const signal = new AbortController().signal;

/** A clock that only sleeping moves. */
function clock() {
  let nowMs = 0;
  const slept: number[] = [];
  const sleep = async (ms: number, stop: AbortSignal) => {
    stop.throwIfAborted();
    slept.push(ms);
    nowMs += ms;
  };
  return { slept, now: () => nowMs, sleep };
}

const costing = (usage: Partial<ModelReply["usage"]>, more: Partial<ModelReply> = {}): ModelReply => ({
  ...textReply("ok"),
  ...more,
  usage: { input: 0, cachedRead: 0, cacheWrite: 0, output: 0, reasoning: 0, ...usage },
});

/** As many askings of one turn as there are steps. */
function paced(limits: Partial<RateLimits>, steps: readonly ScriptStep[], id = "anthropic/x") {
  const time = clock();
  let at = 0;
  const scripted = scriptedModel([textReply("")], { id });
  const model = {
    ...scripted,
    reply: async () => {
      const step = steps[at++];
      if (!step || step instanceof ModelError) throw step;
      return step;
    },
  };
  const budget = new PaceBudget({ ...none, ...limits }, time);
  const ask = () => paceModel(model, budget).reply(askWith([user("Hi")], { system: "", tools: [] }), signal);
  return { ...time, budget, ask };
}

test("requests beyond the limit wait for their turn", async () => {
  const { ask, slept } = paced({ requests: 2 }, [costing({}), costing({}), costing({}), costing({})]);
  for (let i = 0; i < 4; i += 1) await ask();
  expect(slept).toEqual([30_000, 30_000]);
});

test.each([
  ["anthropic/x", []],
  ["vertex/x", []],
  ["openai/x", [expect.any(Number)]],
])("what %s read from its cache is counted as that vendor counts", async (id, waits) => {
  const usage = { input: 10, cachedRead: 985, cacheWrite: 10, output: 5 };
  const { ask, slept } = paced({ inputTokens: 1_000 }, [costing(usage), costing(usage)], id);
  await ask();
  await ask();
  expect(slept).toEqual(waits);
});

test("a reply that cost more than was thought puts the next one off", async () => {
  const { ask, slept } = paced({ outputTokens: 6_000 }, [costing({ output: 9_000 }), costing({})]);
  await ask();
  await ask();
  // 3,000 of debt and the 1,000 it may write, at 100 a second.
  expect(slept).toEqual([40_000]);
});

test("headers bring a limit where none was set", async () => {
  const ratesLeft = { requests: { limit: 60, remaining: 0 }, inputTokens: null, outputTokens: null };
  const { ask, slept } = paced({}, [costing({}, { ratesLeft }), costing({})]);
  await ask();
  await ask();
  expect(slept).toEqual([1_000]);
});

test("when the vendor asks one run for quiet, all keep it, for a minute at most", async () => {
  const busy = (retryAfterMs: number) => new ModelError("rate-limited", "slow down", { retryAfterMs });
  const { ask, slept } = paced({}, [busy(7_000), costing({}), busy(3_600_000), costing({})]);
  await expect(ask()).rejects.toThrow("slow down");
  await ask();
  await expect(ask()).rejects.toThrow("slow down");
  await ask();
  expect(slept).toEqual([7_000, 60_000]);
});

test("who would wait for more than two minutes is told at once", async () => {
  const { ask, budget } = paced({ outputTokens: 6_000 }, [costing({})]);
  budget.charge({ requests: 0, inputTokens: 0, outputTokens: 20_000 });
  await expect(ask()).rejects.toMatchObject({ name: "ModelError", fault: "rate-limited" });
});

test("runs are let in as they came, and one that is stopped lets the others pass", async () => {
  const gates: { readonly open: () => void; readonly stop: AbortSignal }[] = [];
  const sleep = (_: number, stop: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      stop.addEventListener("abort", () => reject(stop.reason), { once: true });
      gates.push({ open: resolve, stop });
    });
  let nowMs = 0;
  const budget = new PaceBudget({ ...none, requests: 60 }, { now: () => nowMs, sleep });
  const one = { requests: 1, inputTokens: 0, outputTokens: 0 };
  budget.charge({ ...one, requests: 60 });

  const order: string[] = [];
  const enter = (name: string, stop: AbortSignal) =>
    budget.enter(one, stop).then(
      () => order.push(name),
      (reason: unknown) => order.push(`${name}: ${String(reason)}`),
    );
  const second = new AbortController();
  const all = [enter("first", signal), enter("second", second.signal), enter("third", signal)];
  second.abort("stopped");
  await all[1];
  for (let rounds = 0; order.length < 3 && rounds < 10; rounds += 1) {
    await expect.poll(() => gates.length).toBeGreaterThan(0);
    nowMs += 1_000;
    gates.shift()?.open();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(all);
  expect(order).toEqual(["second: stopped", "first", "third"]);
});

test("what Anthropic's headers say of its limits comes through an adapter", async () => {
  const headers = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "29000",
  };
  await using models = await startScript([{ text: "Hi.", headers }]);
  const reply = await opus(models).reply(askWith([user("Hi")]), signal);
  expect(reply.ratesLeft).toEqual({
    requests: { limit: 50, remaining: 49 },
    inputTokens: { limit: 30_000, remaining: 29_000 },
    outputTokens: null,
  });
});
