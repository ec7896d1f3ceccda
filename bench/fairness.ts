/**
 * `npm run bench:fairness`: 10,000 queued tasks of 500 installations, one of which asks for half of them and one, the last to come, for a
 * single one. How many turns and how long each installation waits for its first task, how dear a choice is in so long a line, and
 * what the worker's memory does meanwhile.
 */
import { claimNext } from "../src/queue/line.ts";
import { finishTask, markRunning } from "../src/store/tasks.ts";
import type { TaskId } from "../src/task.ts";
import { clock, enqueue, openBenchWorld, spread } from "./queue/world.ts";

const INSTALLATIONS = 500;
const TASKS = 10_000;
const GREEDY = 1;
const LAST = 500;
const CONCURRENCY = 4;
/** Runs are empty here. Real ones take minutes, so waits in turns say more than waits in seconds. */
const SAMPLES = 100;
const SENDERS = 8;

/** Rolls a choice back. */
class Undone extends Error {}

await using world = await openBenchWorld();
const { database, queue } = world;

const askers = Array.from({ length: TASKS - 1 }, (_, index) =>
  index < TASKS / 2 ? GREEDY : 2 + (index % (INSTALLATIONS - 2)),
);
const sentAt = clock();
await Promise.all(
  Array.from({ length: SENDERS }, async (_, sender) => {
    for (let index = sender; index < askers.length; index += SENDERS) await enqueue(queue, askers[index] ?? 0, index);
  }),
);
await enqueue(queue, LAST, TASKS);
console.log(`${TASKS} tasks of ${INSTALLATIONS} installations enqueued in ${((clock() - sentAt) / 1000).toFixed(0)} s`);

await database.query("ANALYZE pgboss.job");
await database.query("ANALYZE pullwright.places");
const choices: number[] = [];
for (let sample = 0; sample < SAMPLES; sample++) {
  const from = clock();
  await database
    .transaction(async (tx) => {
      await claimNext(tx, 1);
      choices.push(clock() - from);
      throw new Undone();
    })
    .catch((error: unknown) => {
      if (!(error instanceof Undone)) throw error;
    });
}
console.log(`one choice with all of them waiting (ms) ${spread(choices)}`);

const owners = new Map(
  (await database.query<{ id: TaskId; party: number }>("SELECT task_id AS id, party FROM pullwright.places")).map(
    ({ id, party }) => [id, party],
  ),
);
const firstTurn = new Map<number, number>();
const memory: string[] = [];
let turns = 0;
let ended = 0;
const startedAt = clock();
const waits: number[] = [];
const done = Promise.withResolvers<void>();
await queue.work({
  concurrency: CONCURRENCY,
  run: async (taskId) => {
    const party = owners.get(taskId) ?? 0;
    const turn = ++turns;
    if (!firstTurn.has(party)) {
      firstTurn.set(party, turn);
      waits.push((clock() - startedAt) / 1000);
    }
    const attempt = await markRunning(database, taskId);
    if (attempt !== null) await finishTask(database, { taskId, attempt, state: "succeeded" });
    if (turn % 1_000 === 0) {
      globalThis.gc?.();
      const { heapUsed, rss } = process.memoryUsage();
      memory.push(`${Math.round(heapUsed / 1024 ** 2)}/${Math.round(rss / 1024 ** 2)}`);
    }
    if (++ended === TASKS) done.resolve();
  },
  fail: async (taskId, message) => console.error(taskId, message),
});
await done.promise;
const seconds = (clock() - startedAt) / 1000;
console.log(`first task of an installation, in turns ${spread([...firstTurn.values()])}`);
console.log(
  `the one that came last with a single task: turn ${firstTurn.get(LAST)}; the greedy one: turn ${firstTurn.get(GREEDY)}`,
);
console.log(`first task of an installation, in s     ${spread(waits)}`);
console.log(
  `all ${TASKS} in ${seconds.toFixed(0)} s, ${(TASKS / seconds).toFixed(0)}/s by ${CONCURRENCY} hands of one worker`,
);
console.log(`memory after each 1,000, heap/resident (MiB): ${memory.join(" ")}`);
