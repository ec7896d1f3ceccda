/** How requests become batches: bounded by count, bytes and time. The vendor and the store are lists here. */
import { expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import { BatchCollector } from "../../src/model/batch-collector.ts";
import type { BatchStore, BatchWire } from "../../src/model/batch-wire.ts";
import { ModelError } from "../../src/model/model.ts";

const never = new AbortController().signal;
const absent = () => Promise.reject(new Error("not asked for here"));

function openDesk(changes: { readonly submit?: BatchWire["submit"]; readonly place?: BatchStore["place"] } = {}) {
  const sent: (readonly string[])[] = [];
  const log: string[] = [];
  const wire: BatchWire = {
    ...{ toLine: absent, results: absent, discard: absent, read: absent },
    submit: changes.submit ?? (async (lines) => `batch_${sent.push(lines)}`),
    cancel: async (batchId) => void log.push(`cancelled ${batchId}`),
  };
  const store: BatchStore = {
    ...{ find: absent, claim: absent, settle: absent, settleRest: absent, forget: absent, take: absent },
    place: changes.place ?? (async (keys, batchId) => void log.push(`${batchId}: ${keys.join()}`)),
    unclaim: async (keys) => void log.push(`unclaimed ${keys.join()}`),
  };
  return { wire, store, sent, log };
}

const item = (key: string, bytes = 10) => ({ key, line: "x".repeat(bytes) });

test("a batch is full at its count, and nobody waits for the window then", async () => {
  const { sent, log, ...desk } = openDesk();
  const collector = new BatchCollector({ ...desk, windowMs: 1e6, itemsMax: 2 });
  await Promise.all(["a", "b", "c", "d"].map((key) => collector.add(item(key), never)));
  expect(log).toEqual(["batch_1: a,b", "batch_2: c,d"]);
});

test("a batch holds no more bytes than its limit, except one request alone", async () => {
  const { sent, log, ...desk } = openDesk();
  const collector = new BatchCollector({ ...desk, windowMs: 10, itemsMax: 100, bytesMax: 100 });
  const sizes = { a: 60, b: 30, c: 30, d: 500, e: 10 };
  await Promise.all(Object.entries(sizes).map(([key, bytes]) => collector.add(item(key, bytes), never)));
  expect(log).toEqual(["batch_1: a,b", "batch_2: c", "batch_3: d", "batch_4: e"]);
});

test("what the vendor does not take is told to all who asked, and claimed by nobody", async () => {
  const fault = new ModelError("rate-limited", "Too many batches.");
  const { sent, log, ...desk } = openDesk({ submit: () => Promise.reject(fault) });
  const collector = new BatchCollector({ ...desk, windowMs: 1 });
  const asked = await Promise.allSettled([collector.add(item("a"), never), collector.add(item("b"), never)]);
  expect(asked.map((end) => end.status === "rejected" && end.reason)).toEqual([fault, fault]);
  expect(log).toEqual(["unclaimed a,b"]);
});

test("a batch that cannot be written down is cancelled: nobody would find it, and it would be paid", async () => {
  const away = new TransientError("The database is away.");
  const { sent, log, ...desk } = openDesk({ place: () => Promise.reject(away) });
  const collector = new BatchCollector({ ...desk, windowMs: 1 });
  await expect(collector.add(item("a"), never)).rejects.toBe(away);
  expect(log).toEqual(["cancelled batch_1"]);
});

test("a request whose asker left before it was sent stays at home", async () => {
  const { sent, log, ...desk } = openDesk();
  const collector = new BatchCollector({ ...desk, windowMs: 50 });
  const leave = new AbortController();
  const gone = collector.add(item("a"), leave.signal);
  const stayed = collector.add(item("b"), never);
  const reason = new Error("stopped");
  leave.abort(reason);
  await expect(gone).rejects.toBe(reason);
  await stayed;
  expect(log).toEqual(["unclaimed a", "batch_1: b"]);
});
