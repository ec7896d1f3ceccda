import { expect, test } from "vitest";
import { ModelError } from "../../src/model/model.ts";
import { watchStream } from "../../src/model/watch-stream.ts";
import { play } from "./transcripts.ts";

const readFault = (cause: unknown) => new ModelError("connection", "broken", { cause });
const never = <T>() => new Promise<T>(() => {});

async function collect<T>(
  open: (signal: AbortSignal) => Promise<AsyncIterable<T>>,
  idleMsMax: number,
  signal: AbortSignal,
) {
  const seen: T[] = [];
  for await (const event of watchStream(open, { idleMsMax, readFault }, signal)) seen.push(event);
  return seen;
}

const signal = new AbortController().signal;

test("events pass through in order", async () => {
  expect(await collect(async () => play([1, 2, 3]), 1_000, signal)).toEqual([1, 2, 3]);
});

test("an SDK that never answers, or goes silent between events, has stalled", async () => {
  async function* fallSilent() {
    yield 1;
    await never();
  }
  await expect(collect(() => never<AsyncIterable<number>>(), 20, signal)).rejects.toMatchObject({ fault: "stalled" });
  await expect(collect(async () => fallSilent(), 20, signal)).rejects.toMatchObject({ fault: "stalled" });
});

test("an abort ends even an SDK that ignores it, with the reason given", async () => {
  const stop = new AbortController();
  const reason = new Error("stopped by the asker");
  const run = collect(() => never<AsyncIterable<number>>(), 60_000, stop.signal);
  stop.abort(reason);
  await expect(run).rejects.toBe(reason);
  await expect(collect(async () => play([1]), 1_000, stop.signal)).rejects.toBe(reason);
});

test("an abort between two events is noticed even when the SDK ends quietly", async () => {
  const stop = new AbortController();
  const reason = new Error("stopped by the asker");
  async function* endQuietly() {
    yield 1;
    stop.abort(reason);
  }
  await expect(collect(async () => endQuietly(), 1_000, stop.signal)).rejects.toBe(reason);
});

test("errors of the SDK are told by readFault, errors of the consumer are not", async () => {
  const cause = new TypeError("terminated");
  const broken = () => Promise.reject(cause);
  await expect(collect(broken, 1_000, signal)).rejects.toMatchObject({ fault: "connection", cause });
  const consume = async () => {
    for await (const _ of watchStream(async () => play([1]), { idleMsMax: 1_000, readFault }, signal)) throw cause;
  };
  await expect(consume()).rejects.toBe(cause);
});

test("leaving early closes the connection", async () => {
  const opened: AbortSignal[] = [];
  const open = async (signal: AbortSignal) => {
    opened.push(signal);
    return play([1, 2]);
  };
  for await (const _ of watchStream(open, { idleMsMax: 1_000, readFault }, signal)) break;
  expect(opened.map(({ aborted }) => aborted)).toEqual([true]);
});
