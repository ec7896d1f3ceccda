import { expect, test } from "vitest";
import { ModelError, type ModelFault, type ModelRequest } from "../../src/model/model.ts";
import { replyWithRetry, type Retry } from "../../src/model/retry.ts";
import { scriptedModel, textReply, type ScriptStep } from "./scripted-model.ts";

const request: ModelRequest = {
  system: "Be brief.",
  tools: [],
  messages: [{ kind: "user", text: "Hello" }],
  outputTokensMax: 100,
  cacheKey: "run-1",
};

async function play(script: readonly ScriptStep[], signal = new AbortController().signal, random = () => 0) {
  const model = scriptedModel(script);
  const retries: Retry[] = [];
  const waits: number[] = [];
  const sleep = async (ms: number) => void waits.push(ms);
  const outcome = await replyWithRetry(model, request, {
    signal,
    ...{ sleep, random },
    onRetry: (retry) => void retries.push(retry),
  }).then(
    (reply) => ({ reply }),
    (error: unknown) => ({ error }),
  );
  return { outcome, retries, waits, tries: model.requests.length };
}

const fault = (kind: ModelFault, retryAfterMs: number | null = null) => new ModelError(kind, kind, { retryAfterMs });

test("faults that pass are asked again after one second, then two", async () => {
  const reply = textReply("Hi");
  expect(await play([fault("overloaded"), fault("connection"), reply])).toEqual({
    outcome: { reply },
    retries: [
      { fault: "overloaded", reason: "overloaded", waitMs: 1_000 },
      { fault: "connection", reason: "connection", waitMs: 2_000 },
    ],
    waits: [1_000, 2_000],
    tries: 3,
  });
});

test("waits are spread by a quarter, never below the vendor's wish and never above a minute", async () => {
  const script = [fault("rate-limited", 8_000), fault("rate-limited", 50_000), textReply("Hi")];
  const { waits } = await play(script, new AbortController().signal, () => 1);
  expect(waits).toEqual([10_000, 60_000]);
});

test("the third failure is the last", async () => {
  const last = fault("stalled");
  const { outcome, tries } = await play([fault("server"), fault("rate-limited"), last, textReply("never said")]);
  expect({ outcome, tries }).toEqual({ outcome: { error: last }, tries: 3 });
});

test.each<[string, number, number]>([
  ["longer than ours", 7_000, 7_000],
  ["shorter than ours", 20, 1_000],
  ["longer than a minute", 3_600_000, 60_000],
])("a vendor's wish %s is heard within bounds", async (_, wishMs, waitMs) => {
  expect((await play([fault("rate-limited", wishMs), textReply("Hi")])).waits).toEqual([waitMs]);
});

test.each<ModelFault>(["quota", "authentication", "invalid-request", "window-exceeded"])(
  "%s is final",
  async (kind) => {
    const error = fault(kind);
    const { outcome, tries } = await play([error, textReply("never said")]);
    expect({ outcome, tries }).toEqual({ outcome: { error }, tries: 1 });
  },
);

test("an abort ends the wait with its reason", async () => {
  const stop = new AbortController();
  const reason = new Error("stopped by the asker");
  const model = scriptedModel([fault("overloaded"), textReply("never said")]);
  const run = replyWithRetry(model, request, { signal: stop.signal, onRetry: () => stop.abort(reason) });
  await expect(run).rejects.toBe(reason);
});

test("a defect is not retried", async () => {
  const { outcome, retries } = await play([]);
  expect(outcome).toEqual({ error: new Error("The script has no reply for turn 0, try 0.") });
  expect(retries).toEqual([]);
});
