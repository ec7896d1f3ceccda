/** Whose turn is next: order within a thread, turns between installations, people before what nobody asked for. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { PgBoss } from "pg-boss";
import { claimNext, mendPlaces, takePlace } from "../../src/queue/line.ts";
import type { Queue } from "../../src/queue/queue.ts";
import type { Database, Sql } from "../../src/store/database.ts";
import { newTaskId } from "../store/builders.ts";
import { openQueue, openQueueWorld } from "./world.ts";

const never = () => Promise.reject(new Error("not expected"));
const COMMAND = 10;

/** Works on everything, `concurrency` at once, and says in which order the tasks began. */
async function drain(queue: Queue<Sql>, count: number, concurrency = 1): Promise<readonly string[]> {
  const started: string[] = [];
  const all = Promise.withResolvers<readonly string[]>();
  const run = async (id: string) => {
    if (started.push(id) === count) all.resolve(started);
  };
  await queue.work({ concurrency, run, fail: never });
  return all.promise;
}

test("tasks of one thread begin in the order they came, with 16 fetchers of two processes", async () => {
  await using world = await openQueueWorld();
  const threads = new Map<string, string>();
  const came = new Map<string, string[]>();
  for (let index = 0; index < 90; index++) {
    const threadKey = `22:${index % 3}`;
    const { id } = await world.accept({ threadKey, party: index % 2 });
    threads.set(id, threadKey);
    came.set(threadKey, [...(came.get(threadKey) ?? []), id]);
  }
  const begun = new Map<string, string[]>();
  const all = Promise.withResolvers<void>();
  let count = 0;
  const run = async (id: string) => {
    const threadKey = threads.get(id) ?? "";
    begun.set(threadKey, [...(begun.get(threadKey) ?? []), id]);
    await delay(2);
    if (++count === 90) all.resolve();
  };
  const other = await openQueue(world.database);
  await Promise.all([world.queue, other].map((queue) => queue.work({ concurrency: 8, run, fail: never })));
  await all.promise;
  await other.stop({ graceMs: 1000 });
  expect(Object.fromEntries(begun)).toEqual(Object.fromEntries(came));
}, 120_000);

test("a task that waits for its next try keeps its place before the thread's later ones", async () => {
  await using world = await openQueueWorld();
  const first = await world.accept({ threadKey: "t" });
  await world.accept({ threadKey: "t" });
  await world.database.query("UPDATE pgboss.job SET start_after = now() + interval '30 s' WHERE id = $1", [first.id]);
  expect(await claimOne(world.database)).toBe(null);
  await world.database.query("UPDATE pgboss.job SET start_after = now() WHERE id = $1", [first.id]);
  expect(await claimOne(world.database)).toMatchObject({ id: first.id, retryCount: 0 });
});

test("a command does not wait for an automatic review of its thread that waits itself", async () => {
  await using world = await openQueueWorld();
  const review = await world.accept({ threadKey: "t", priority: 0 });
  await world.database.query("UPDATE pgboss.job SET start_after = now() + interval '1 h' WHERE id = $1", [review.id]);
  const command = await world.accept({ threadKey: "t", priority: COMMAND });
  expect(await claimOne(world.database)).toMatchObject({ id: command.id });
});

test("an installation with much to do does not hold up another's one task", async () => {
  await using world = await openQueueWorld();
  for (let index = 0; index < 30; index++) await world.accept({ party: 1 });
  const alone = await world.accept({ party: 2 });
  const started = await drain(world.queue, 31);
  expect(started.indexOf(alone.id)).toBeLessThanOrEqual(1);
});

test("installations take turns", async () => {
  await using world = await openQueueWorld();
  const parties = new Map<string, number>();
  for (const party of [1, 1, 1, 2, 2, 2, 3, 3, 3]) parties.set((await world.accept({ party })).id, party);
  const started = await drain(world.queue, 9);
  expect(started.map((id) => parties.get(id))).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
});

test("repositories of an installation take turns, so one with much to do does not hold up the others", async () => {
  await using world = await openQueueWorld();
  const parts = new Map<string, number>();
  for (const part of [1, 1, 1, 1, 1, 2, 3, 3]) parts.set((await world.accept({ party: 1, part })).id, part);
  const other = await world.accept({ party: 2, part: 9 });
  parts.set(other.id, 9);
  const started = await drain(world.queue, 9);
  expect(started.map((id) => parts.get(id))).toEqual([1, 9, 2, 3, 1, 3, 1, 1, 1]);
});

test("free hands go to the installation that runs least, so a slow one does not end up with all of them", async () => {
  await using world = await openQueueWorld();
  const slow = new Set<string>();
  for (let index = 0; index < 8; index++) slow.add((await world.accept({ party: 1 })).id);
  for (let index = 0; index < 20; index++) await world.accept({ party: 2 });
  const release = Promise.withResolvers<void>();
  const quick = Promise.withResolvers<void>();
  let ended = 0;
  let slowAtOnce = 0;
  await world.queue.work({
    concurrency: 4,
    run: async (id) => {
      if (!slow.has(id)) return ++ended === 20 ? quick.resolve() : undefined;
      slowAtOnce++;
      await release.promise;
    },
    fail: never,
  });
  await quick.promise;
  expect(slowAtOnce).toBeLessThanOrEqual(3); // The fourth hand went through all twenty of the other's.
  release.resolve();
});

test("a command goes before everybody's automatic reviews, which still get every fourth turn", async () => {
  await using world = await openQueueWorld();
  const reviews = new Set<string>();
  for (let party = 1; party <= 3; party++) reviews.add((await world.accept({ party, priority: 0 })).id);
  for (let index = 0; index < 9; index++) await world.accept({ party: 9, priority: COMMAND });
  const started = await drain(world.queue, 12);
  const turns = started.flatMap((id, index) => (reviews.has(id) ? [index + 1] : []));
  expect(turns).toEqual([4, 8, 12]);
});

test("a claim leaves a job as pg-boss's own fetch does, the first time and after a lost worker", async () => {
  await using world = await openQueueWorld();
  const { database } = world;
  const boss = new PgBoss({ connectionString: database.url, schedule: false, supervise: false });
  boss.on("error", (error) => void world.errors.push(error));
  await boss.start();
  for (const lost of [false, true]) {
    const ours = await world.accept();
    const theirs = await world.accept();
    const both = [ours.id, theirs.id];
    if (lost) {
      await database.query(
        "UPDATE pgboss.job SET state = 'retry', started_on = now(), retry_count = 2 WHERE id = ANY($1)",
        [both],
      );
    }
    expect(await claimOne(database)).toMatchObject({ id: ours.id, retryCount: lost ? 3 : 0 });
    const [fetched] = await boss.fetch("tasks", { batchSize: 1 });
    expect(fetched?.id).toBe(theirs.id);
    const [one, other] = await Promise.all(both.map((id) => readJob(database, id)));
    expect(one).toEqual(other);
  }
  await boss.stop({ graceful: false });
});

async function claimOne(database: Database) {
  return (await database.transaction((tx) => claimNext(tx, 1)))[0] ?? null;
}

/** All of it, but what tells two jobs apart; of times, whether they are there. */
async function readJob(database: Database, id: string): Promise<Readonly<Record<string, unknown>>> {
  const [row] = await database.query("SELECT * FROM pgboss.job WHERE id = $1", [id]);
  const facts = Object.entries(row ?? {}).filter(([name]) => name !== "id" && name !== "singleton_key");
  return Object.fromEntries(facts.map(([name, value]) => [name, value instanceof Date ? "a time" : value]));
}

test("a job without a place, of an older server, gets one, and a place without a job goes", async () => {
  await using world = await openQueueWorld();
  const { id } = await world.accept({ threadKey: "t" });
  await world.database.query("DELETE FROM pullwright.places");
  const gone = newTaskId();
  await world.database.transaction((tx) => takePlace(tx, { id: gone, party: 1, part: 1, key: "gone", rank: 0 }));
  await world.database.transaction(mendPlaces);
  expect(await world.database.query("SELECT task_id, party, key FROM pullwright.places")).toEqual([
    { task_id: id, party: 0, key: "t" },
  ]);
  expect(await drain(world.queue, 1)).toEqual([id]);
});

test.each([
  ["hears nothing, as behind a pooler", null],
  ["cannot listen", () => Promise.reject(new Error("refused"))],
])("a worker that %s finds a task all the same", async (_, listen) => {
  await using world = await openQueueWorld();
  const deaf = await openQueue(world.database, (error) => world.errors.push(error), listen);
  const reached = Promise.withResolvers<string>();
  await deaf.work({ concurrency: 1, run: async (id) => reached.resolve(id), fail: never });
  await delay(100); // It has looked once, and rests.
  const { id } = await world.accept();
  expect(await reached.promise).toBe(id);
  await deaf.stop({ graceMs: 1000 });
});

test("a worker that stops says so to its runs when half of its grace time is over, and takes nothing new", async () => {
  await using world = await openQueueWorld();
  const begun: string[] = [];
  const started = Promise.withResolvers<void>();
  const worker = await openQueue(world.database);
  const first = await world.accept({ threadKey: "t" });
  await worker.work({
    concurrency: 2,
    run: async (id, { leaving }) => {
      begun.push(id);
      started.resolve();
      await new Promise((resolve) => leaving.addEventListener("abort", resolve));
    },
    fail: never,
  });
  await started.promise;
  const stopped = worker.stop({ graceMs: 60_000 * 0.02 });
  const second = await world.accept();
  await stopped;
  expect(begun).toEqual([first.id]);
  expect(await drain(world.queue, 1)).toEqual([second.id]);
});
