import { expect, test } from "vitest";
import { describe } from "./describe.ts";
import { judge } from "./judge.ts";
import { play } from "./play.ts";
import { SHORT } from "./plan.ts";

/** Another one each day would be a test that fails on somebody else's day; `npm run chaos -- --seed N` plays any. */
const SEED = 1;

test("tasks whose workers are killed, whose database restarts and whose GitHub fails end once, and leave nothing", async () => {
  await using stage = await play({ seed: SEED, size: SHORT, say: () => {} }, new AbortController().signal);
  const verdict = await judge(stage);
  expect(verdict.faults, await describe(stage, verdict)).toEqual([]);
}, 300_000);
