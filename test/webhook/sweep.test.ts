import { expect, test } from "vitest";
import type { Delivery } from "../../src/webhook/app.ts";
import { keepDoing } from "../../src/ops/keep-doing.ts";
import { sweepDeliveries, type SweepParts } from "../../src/webhook/sweep.ts";
import { RULES } from "../trigger/builders.ts";
import { example } from "./deliveries.ts";

const NOW = Date.parse("2026-11-21T12:00:00Z");
const HOUR_MS = 3_600_000;
const labeled = example("issues.labeled");

type Logged = { readonly id: number; readonly guid: string; readonly minutesAgo: number; readonly failed?: boolean };

/** GitHub's log, newest first, and a database that knows some of it. */
function openLog(log: readonly Logged[], change: Partial<SweepParts> & { readonly recorded?: readonly string[] } = {}) {
  const taken: string[] = [];
  const ends: number[] = [];
  const asked: { cursor: string | null; failedOnly: boolean }[] = [];
  const known = new Set(change.recorded ?? []);
  const parts: SweepParts = {
    page: async ({ cursor, failedOnly }) => {
      asked.push({ cursor, failedOnly });
      const fits = log.filter(({ failed }) => !failedOnly || failed === true);
      const from = Number(cursor ?? 0);
      const deliveries = fits.slice(from, from + 100).map(({ id, guid, minutesAgo }) => {
        return { id, guid, event: "issues", deliveredAt: new Date(NOW - minutesAgo * 60_000).toISOString() };
      });
      return { deliveries, next: from + 100 < fits.length ? String(from + 100) : null };
    },
    payload: async () => labeled,
    known: async (guids) => new Set(guids.filter((guid) => known.has(guid))),
    begin: async () => NOW - HOUR_MS,
    end: async (sweptTo) => void ends.push(sweptTo),
    accept: async ({ guid }: Delivery) => void (taken.push(guid), known.add(guid)),
    rules: RULES,
    now: () => NOW,
    log: { info: () => {} },
    stopping: new AbortController().signal,
    ...change,
  };
  return { parts, taken, ends, asked };
}

test("what is not recorded is taken, oldest first, each once however often GitHub tried", async () => {
  const { parts, taken, ends } = openLog(
    [
      { id: 5, guid: "c", minutesAgo: 1 },
      { id: 4, guid: "a", minutesAgo: 2 },
      { id: 3, guid: "known", minutesAgo: 3 },
      { id: 2, guid: "b", minutesAgo: 4 },
      { id: 1, guid: "a", minutesAgo: 5 },
    ],
    { recorded: ["known"] },
  );
  await sweepDeliveries(parts);
  expect(taken).toEqual(["a", "b", "c"]);
  expect(ends).toEqual([NOW]);
});

test("the log is read to the last sweep, and ten minutes beyond it", async () => {
  const { parts, taken, asked } = openLog([
    { id: 4, guid: "new", minutesAgo: 59 },
    { id: 3, guid: "overlap", minutesAgo: 69 },
    { id: 2, guid: "old", minutesAgo: 71 },
    ...Array.from({ length: 300 }, (_, i) => ({ id: -i, guid: `older-${i}`, minutesAgo: 80 + i })),
  ]);
  await sweepDeliveries(parts);
  expect(taken).toEqual(["overlap", "new"]);
  expect(asked).toEqual([{ cursor: null, failedOnly: false }]);
});

test("of a log too long to be read, what failed is read", async () => {
  const { parts, taken, asked } = openLog(
    Array.from({ length: 5_000 }, (_, i) => ({ id: -i, guid: `g-${i}`, minutesAgo: i / 100, failed: i === 4_999 })),
    { recorded: Array.from({ length: 2_000 }, (_, i) => `g-${i}`) },
  );
  await sweepDeliveries(parts);
  expect(taken).toEqual(["g-4999"]);
  expect(asked).toHaveLength(21);
});

test("a database that goes away in the middle leaves the rest to the next sweep", async () => {
  const log = [
    { id: 3, guid: "c", minutesAgo: 10 },
    { id: 2, guid: "b", minutesAgo: 20 },
    { id: 1, guid: "a", minutesAgo: 30 },
  ];
  const accepted: string[] = [];
  const accept = async ({ guid }: Delivery) => {
    if (guid === "b") throw new Error("away");
    accepted.push(guid);
  };
  const { parts, ends } = openLog(log, { accept });
  await expect(sweepDeliveries(parts)).rejects.toThrow("away");
  expect(accepted).toEqual(["a"]);
  expect(ends).toEqual([NOW - 30 * 60_000]);
});

test("a delivery that GitHub does not have any more is passed over, and while another server sweeps nothing is asked", async () => {
  const gone = openLog([{ id: 1, guid: "a", minutesAgo: 1 }], { payload: async () => null });
  await sweepDeliveries(gone.parts);
  expect(gone).toMatchObject({ taken: [], ends: [NOW] });
  const other = openLog([{ id: 1, guid: "a", minutesAgo: 1 }], { begin: async () => null });
  await sweepDeliveries(other.parts);
  expect(other).toMatchObject({ taken: [], ends: [], asked: [] });
});

test("sweeps go on after one that failed, and end with the server", async () => {
  let sweeps = 0;
  const errors: unknown[] = [];
  const third = Promise.withResolvers<void>();
  const keeping = keepDoing({
    chore: async (stopping) => {
      if (++sweeps === 1) throw new Error("GitHub is away");
      if (sweeps < 3) return;
      third.resolve();
      await new Promise((_, reject) => stopping.addEventListener("abort", () => reject(new Error("stopped"))));
    },
    everyMs: 5,
    onError: (error) => void errors.push(error),
  });
  await third.promise;
  await keeping[Symbol.asyncDispose]();
  expect(errors).toEqual([new Error("GitHub is away")]);
});
