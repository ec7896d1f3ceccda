/**
 * Every way a vendor is known to fail, and how it must end: over the stand-in's wire, through the SDKs and the retry, with the
 * transcript asked again where the run would go on. The same table for every adapter; what a wire cannot play it is excused from.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Models } from "../../sim/models/models.ts";
import { ModelError, type Message, type Model, type ModelReply } from "../../src/model/model.ts";
import { replyWithRetry } from "../../src/model/retry.ts";
import { answerTo, callsOf, opus, qwen, said, sol, startScript, type Turn } from "./adapters.ts";
import { azure, bedrock, stubClouds, vertex } from "./clouds.ts";
import { faultTable, lsInput, plain, type Wire } from "./fault-rows.ts";
import { askWith, user } from "./transcripts.ts";

const adapters: Readonly<Record<Wire, (models: Models, idleMsMax: number) => Model | Promise<Model>>> = {
  anthropic: opus,
  openai: sol,
  compatible: qwen,
  bedrock,
  vertex,
  azure,
};

let clouds: AsyncDisposable;
beforeAll(async () => {
  clouds = await stubClouds();
});
afterAll(() => clouds[Symbol.asyncDispose]());

const signal = new AbortController().signal;
/** Long enough for a slow machine's first event, short enough to wait for thrice. */
const STALL_MS = 2_000;

describe.each(Object.keys(adapters).filter(isWire))("%s", (wire) => {
  test.each(faultTable.filter(({ not = [] }) => !not.includes(wire)))("$name", async (row) => {
    const turn: Turn = { ...(row.turn ?? plain), ...(row.fault ? { fault: row.fault } : {}) };
    await using models = await startScript([turn, { text: "Done." }], row.tokens);
    const model = await adapters[wire](models, row.fault?.kind === "stall" ? STALL_MS : 20_000);
    const waits: number[] = [];
    const outcome = await outcomeOf(model, [user("Go on with all that is to be done.")], waits);
    const end = row.but?.[wire] ?? row.end;
    const tries = models.requests.filter(({ turn }) => turn === 0 || turn === null).length;
    if ("tries" in end) {
      expect({ tries, waits: waits.length, fault: faultOf(outcome) }).toEqual({ ...end, waits: end.tries - 1 });
      if (row.fault?.kind === "status" && row.fault.retryAfter) expect(waits).toEqual([3_000]);
      if (end.fault === null) expect(callsOf(replyOf(outcome)).map(({ input }) => input)).toEqual([lsInput]);
      return;
    }
    const reply = replyOf(outcome);
    expect({ tries, stop: reply.stop, calls: callsOf(reply).map(({ input }) => input) }).toEqual({
      tries: 1,
      calls: [],
      ...end,
    });
    await goOn(model, reply);
  });
});

function isWire(name: string): name is Wire {
  return name in adapters;
}

async function outcomeOf(
  model: Model,
  messages: readonly Message[],
  waits: number[],
): Promise<ModelReply | ModelError> {
  const sleep = async (ms: number) => void waits.push(ms);
  try {
    return await replyWithRetry(model, askWith(messages), { signal, sleep, random: () => 0 });
  } catch (error) {
    if (error instanceof ModelError) return error;
    throw error;
  }
}

const faultOf = (outcome: ModelReply | ModelError) => (outcome instanceof ModelError ? outcome.fault : null);

function replyOf(outcome: ModelReply | ModelError): ModelReply {
  if (outcome instanceof ModelError) throw outcome;
  return outcome;
}

/** The vendor takes the transcript with the strange reply in it: no 400 for what we made of it. */
async function goOn(model: Model, reply: ModelReply): Promise<void> {
  if (reply.stop === "refused") return; // The run ends there.
  const answers = callsOf(reply).length > 0 ? [answerTo(reply)] : [];
  const more = reply.stop === "paused" ? [] : [user("Go on.")];
  const next = await outcomeOf(
    model,
    [user("Go on with all that is to be done."), said(reply), ...answers, ...more],
    [],
  );
  expect(faultOf(next)).toBe(null);
}
