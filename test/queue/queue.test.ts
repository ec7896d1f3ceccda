import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { NotYet, TransientError, UserError } from "../../src/failure.ts";
import type { Turn } from "../../src/queue/queue.ts";
import { listDeliveries } from "../../src/store/deliveries.ts";
import { listTasks } from "../../src/store/tasks.ts";
import { newTaskId, taskRequest } from "../store/builders.ts";
import { openQueue, openQueueWorld } from "./world.ts";

const never = () => Promise.reject(new Error("not expected"));

test("a delivery, its task and its job are there together, and a redelivery changes nothing", async () => {
  await using world = await openQueueWorld();
  const both = await Promise.all([world.accept({ guid: "g" }), world.accept({ guid: "g" })]);
  expect(both.map(({ accepted }) => accepted).sort()).toEqual(["accepted", "duplicate-delivery"]);
  expect(await listTasks(world.database, { limit: 9 })).toHaveLength(1);
  expect(await jobs(world.database)).toHaveLength(1);
  expect(await listDeliveries(world.database, { limit: 9 })).toHaveLength(1);
});

test("another delivery of the same request is recorded and makes no second task", async () => {
  await using world = await openQueueWorld();
  const request = taskRequest();
  expect((await world.accept({ request })).accepted).toBe("accepted");
  expect((await world.accept({ request })).accepted).toBe("duplicate-task");
  expect(await jobs(world.database)).toHaveLength(1);
  expect(await listDeliveries(world.database, { limit: 9 })).toHaveLength(2);
});

test("an event that starts nothing is recorded", async () => {
  await using world = await openQueueWorld();
  expect(await world.queue.accept({ record: async () => true, task: null })).toBe("recorded");
  expect(await jobs(world.database)).toEqual([]);
});

test("what fails before the commit leaves nothing at all", async () => {
  await using world = await openQueueWorld();
  const { database, queue } = world;
  const accepting = queue.accept({
    record: async (tx) => {
      await tx.query("INSERT INTO pullwright.deliveries VALUES ('g', 'e', now(), NULL, 'start', '')");
      return true;
    },
    task: {
      id: newTaskId(),
      insert: () => Promise.reject(new TransientError("away")),
      key: "k",
      party: 11,
      part: 22,
      priority: 0,
    },
  });
  await expect(accepting).rejects.toThrow(TransientError);
  expect(await listDeliveries(database, { limit: 9 })).toEqual([]);
  expect(await jobs(database)).toEqual([]);
});

test("two tasks of one thread never run at once, with 16 fetchers, 200 tasks and 5 threads", async () => {
  await using world = await openQueueWorld();
  const running = new Map<string, number>();
  const threads = new Map<string, string>();
  let overlaps = 0;
  let most = 0;
  const done = new Set<string>();
  const all = Promise.withResolvers<void>();
  for (let index = 0; index < 200; index++) {
    const threadKey = `22:${index % 5}`;
    const { id } = await world.accept({ threadKey });
    threads.set(id, threadKey);
  }
  // Two queues: what keeps a thread to one run must not be in one process's memory.
  const other = await openQueue(world.database);
  const run = async (id: string) => {
    const thread = threads.get(id) ?? "";
    const now = (running.get(thread) ?? 0) + 1;
    running.set(thread, now);
    if (now > 1) overlaps++;
    most = Math.max(
      most,
      [...running.values()].reduce((sum, one) => sum + one, 0),
    );
    await delay(10);
    running.set(thread, (running.get(thread) ?? 0) - 1);
    if (done.add(id).size === 200) all.resolve();
  };
  await world.queue.work({ concurrency: 8, run, fail: never });
  await other.work({ concurrency: 8, run, fail: never });
  await all.promise;
  await other.stop({ graceMs: 1000 });
  expect(overlaps).toBe(0);
  expect(most).toBeGreaterThan(1);
}, 180_000);

test("a thread with a task at work does not hold up the threads behind it", async () => {
  await using world = await openQueueWorld();
  const started: string[] = [];
  const release = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const busy = await world.accept({ threadKey: "busy", priority: 9 });
  for (let index = 0; index < 20; index++) await world.accept({ threadKey: "busy", priority: 9 });
  const other = await world.accept({ threadKey: "other" });
  await world.queue.work({
    concurrency: 2,
    run: async (id) => {
      started.push(id);
      if (id === other.id) reached.resolve();
      await release.promise;
    },
    fail: never,
  });
  await reached.promise;
  expect(started).toEqual([busy.id, other.id]);
  release.resolve();
});

test("a task is picked up at once, and higher priorities first", async () => {
  await using world = await openQueueWorld();
  const runs: string[] = [];
  const picked = Promise.withResolvers<number>();
  const low = await world.accept({ priority: 0 });
  const high = await world.accept({ priority: 10 });
  await world.queue.work({
    concurrency: 1,
    run: async (id) => {
      runs.push(id);
      if (runs.length === 3) picked.resolve(performance.now());
    },
    fail: never,
  });
  while (runs.length < 2) await delay(5); // Both are done; the fetcher sleeps now.
  await delay(50);
  const sent = performance.now();
  const late = await world.accept();
  const waitedMs = (await picked.promise) - sent;
  expect(runs).toEqual([high.id, low.id, late.id]);
  expect(waitedMs).toBeLessThan(1000);
});

test("an error of the outside world is tried again when judge says so, and ends the task the fourth time", async () => {
  await using world = await openQueueWorld();
  const turns: number[] = [];
  const failed = Promise.withResolvers<string>();
  const { id } = await world.accept();
  await world.queue.work({
    concurrency: 1,
    run: async (_id, { retryCount }) => {
      turns.push(retryCount);
      throw new TransientError("vendor is overloaded");
    },
    fail: async (_id, message) => failed.resolve(message),
  });
  for (const seconds of [10, 60, 300]) {
    const wait = await deferredFor(world.database);
    expect(wait).toBeGreaterThan(seconds - 5);
    expect(wait).toBeLessThanOrEqual(seconds + 1);
    await world.database.query("UPDATE pgboss.job SET start_after = now() WHERE name = 'tasks'");
  }
  expect(await failed.promise).toContain("4 times in a row");
  expect(world.errors).toEqual(Array(3).fill(new TransientError("vendor is overloaded")));
  expect(world.erring).toEqual([id, id, id]);
  expect(turns).toEqual([0, 1, 2, 3]);
});

test("errors are counted since the task last got further", async () => {
  await using world = await openQueueWorld();
  const failed = Promise.withResolvers<string>();
  await world.accept();
  let steps = 0;
  await world.queue.work({
    concurrency: 1,
    progress: async () => steps,
    run: async (_id, { retryCount }) => {
      if (retryCount === 2) steps = 7;
      throw new TransientError("vendor is overloaded");
    },
    fail: async (_id, message) => failed.resolve(message),
  });
  for (const seconds of [10, 60, 10, 60, 300]) {
    expect(Math.abs((await deferredFor(world.database)) - seconds)).toBeLessThan(5);
    await world.database.query("UPDATE pgboss.job SET start_after = now() WHERE name = 'tasks'");
  }
  expect(await failed.promise).toContain("4 times in a row");
});

test("a task whose answer is not there yet waits without a worker, as often as it takes, and fails nothing", async () => {
  await using world = await openQueueWorld();
  let turns = 0;
  const ended = Promise.withResolvers<void>();
  await world.accept();
  await world.queue.work({
    concurrency: 1,
    run: async () => {
      if (++turns < 5) throw new NotYet("The batch has not ended.", 600_000);
      ended.resolve();
    },
    fail: never,
  });
  for (const _ of [1, 2, 3, 4]) {
    expect(await deferredFor(world.database)).toBeGreaterThan(590);
    await world.database.query("UPDATE pgboss.job SET start_after = now() WHERE name = 'tasks'");
  }
  await ended.promise;
  expect(turns).toBe(5);
  expect(world.errors).toEqual([]);
});

test("an error of the asker's is told once and never retried, and the thread's next task runs", async () => {
  await using world = await openQueueWorld();
  const told: string[] = [];
  const next = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<void>();
  const bad = await world.accept({ threadKey: "t" });
  await world.accept({ threadKey: "t" });
  await world.queue.work({
    concurrency: 2,
    run: async (id) => {
      if (id === bad.id) throw new UserError("No such **branch**.");
      next.resolve();
    },
    fail: async (id, message) => {
      told.push(`${id} ${message}`);
      failed.resolve();
    },
  });
  // Which of the two goes first is not promised when two fetchers look at once; that both end is.
  await Promise.all([next.promise, failed.promise]);
  expect(told).toEqual([`${bad.id} No such **branch**.`]);
});

test("a cancelled task that waits is never run; one that runs sees its signal aborted", async () => {
  await using world = await openQueueWorld();
  const aborted = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  const first = await world.accept({ threadKey: "t" });
  const second = await world.accept({ threadKey: "t" });
  const runs: string[] = [];
  await world.queue.work({
    concurrency: 2,
    run: async (id, _turn, signal) => {
      runs.push(id);
      signal.addEventListener("abort", () => aborted.resolve(id));
      started.resolve();
      await aborted.promise;
      throw new Error("interrupted"); // As a run does whose signal is aborted: no verdict, no message.
    },
    fail: never,
  });
  await started.promise;
  await world.queue.cancel(second.id);
  await world.queue.cancel(first.id);
  expect(await aborted.promise).toBe(first.id);
  expect((await jobs(world.database)).map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
  expect(runs).toEqual([first.id]);
});

test("a task cancelled from another process is aborted by its heartbeat", async () => {
  await using world = await openQueueWorld();
  const aborted = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const { id } = await world.accept();
  await world.queue.work({
    concurrency: 1,
    run: async (_id, _turn, signal) => {
      signal.addEventListener("abort", () => aborted.resolve());
      started.resolve();
      await aborted.promise;
    },
    fail: never,
  });
  await started.promise;
  const other = await openQueue(world.database);
  await other.cancel(id);
  await other.stop({ graceMs: 0 });
  await aborted.promise;
}, 20_000);

test("a worker that stops lets a task end within the grace time, and hands over what does not", async () => {
  await using world = await openQueueWorld();
  const started = Promise.withResolvers<void>();
  const ended: string[] = [];
  const quick = await world.accept();
  const slow = await world.accept();
  const worker = await openQueue(world.database);
  await worker.work({
    concurrency: 2,
    run: async (id, _turn, signal) => {
      if (id === slow.id) {
        started.resolve();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        ended.push("aborted");
        throw new Error("stopped");
      }
      await delay(300);
      ended.push("quick");
    },
    fail: never,
  });
  await started.promise;
  await worker.stop({ graceMs: 1500 });
  expect(ended).toEqual(["quick", "aborted"]);

  const again = Promise.withResolvers<[string, Turn]>();
  await world.queue.work({ concurrency: 1, run: async (id, turn) => again.resolve([id, turn]), fail: never });
  expect(await again.promise).toMatchObject([slow.id, { retryCount: 1 }]);
  expect(quick.accepted).toBe("accepted");
});

test("a task that took down six workers is not given a seventh, and its asker is told", async () => {
  await using world = await openQueueWorld();
  const { id } = await world.accept();
  // As six heartbeats that stopped would leave it.
  await world.database.query(
    "UPDATE pgboss.job SET retry_count = 5, started_on = now(), state = 'retry' WHERE id = $1",
    [id],
  );
  const told = Promise.withResolvers<string>();
  await world.queue.work({ concurrency: 1, run: never, fail: async (_id, message) => told.resolve(message) });
  expect(await told.promise).toContain("lost 6 times");
});

test("a task whose lost workers each got further with it is given a next one, up to a limit", async () => {
  await using world = await openQueueWorld();
  /** As so many workers leave it that found it lost, after so many steps each, and the last of them was lost too. */
  const lose = async (id: string, lostAt: readonly number[]) => {
    const change =
      "UPDATE pgboss.job SET retry_count = $2, started_on = now(), state = 'retry', data = $3 WHERE id = $1";
    const ticket = { failures: 0, handedOver: 0, lostAt: lostAt.slice(0, -1) };
    await world.database.query(change, [id, lostAt.length - 1, JSON.stringify(ticket)]);
  };
  const [further, stuck, endless] = [await world.accept(), await world.accept(), await world.accept()];
  const eachOnce = (count: number) => Array.from({ length: count }, (_, steps) => steps);
  await lose(further.id, [...eachOnce(9), 9, 9, 9, 9, 9]);
  await lose(stuck.id, [...eachOnce(9), 9, 9, 9, 9, 9, 9]);
  await lose(endless.id, eachOnce(100));
  const ends = new Map<string, string>();
  const all = Promise.withResolvers<void>();
  const end = async (id: string, how: string) => {
    ends.set(id, how);
    if (ends.size === 3) all.resolve();
  };
  await world.queue.work({
    concurrency: 3,
    progress: async (id) => (id === endless.id ? 99 : 9),
    run: (id) => end(id, "run"),
    fail: (id) => end(id, "failed"),
  });
  await all.promise;
  expect([further, stuck, endless].map(({ id }) => ends.get(id))).toEqual(["run", "failed", "failed"]);
});

test("a lost worker is remembered by the one that finds it, and forgiven when the task got further meanwhile", async () => {
  await using world = await openQueueWorld();
  const { id } = await world.accept();
  const told = Promise.withResolvers<string>();
  let steps = 0;
  const kept: unknown[] = [];
  await world.queue.work({
    concurrency: 1,
    progress: async () => steps,
    run: async (_id, { retryCount }) => {
      kept.push(...(await world.database.query("SELECT data -> 'lostAt' AS at FROM pgboss.job")).map(({ at }) => at));
      if (retryCount === 3) steps = 2;
      // As a heartbeat that stopped would leave it: whatever this run says of it now counts for nothing.
      await world.database.query("UPDATE pgboss.job SET state = 'retry' WHERE id = $1", [id]);
      throw new TransientError("lost");
    },
    fail: async (_id, message) => told.resolve(message),
  });
  expect(await told.promise).toContain("lost 9 times");
  expect(kept.at(-1)).toEqual([0, 0, 0, 2, 2, 2, 2, 2]);
});

test("the queue counts what waits and what runs", async () => {
  await using world = await openQueueWorld();
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  await world.accept({ threadKey: "t" });
  await world.accept({ threadKey: "t" });
  await world.queue.work({ concurrency: 2, run: () => (started.resolve(), release.promise), fail: never });
  await started.promise;
  await expect.poll(() => world.queue.stats(), { timeout: 10_000 }).toEqual({ queued: 1, active: 1, deferred: 0 });
  release.resolve();
});

type Query = { query<R extends Readonly<Record<string, unknown>>>(text: string): Promise<readonly R[]> };

function jobs(database: Query) {
  return database.query<{ state: string; wait: number }>(
    "SELECT state::text, extract(epoch FROM start_after - now())::float8 AS wait FROM pgboss.job WHERE name = 'tasks'",
  );
}

/** Seconds from now, once the task has been given back. */
async function deferredFor(database: Query): Promise<number> {
  for (;;) {
    const [job] = await jobs(database);
    if (job?.state === "retry" && job.wait > 1) return job.wait;
    await delay(20);
  }
}
