/**
 * `npm run bench:queue`: what the queue itself costs. How long GitHub waits for the commit of a delivery with its task, how long a task
 * waits for an idle worker of another process, how many empty tasks 1, 2 and 4 worker processes get through, and what PostgreSQL writes
 * for one and for a turn of a run. The server is the embedded one, fsync on.
 */
import { once } from "node:events";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { measureTurns } from "./queue/turns.ts";
import { clock, enqueue, openBenchWorld, spread, type BenchWorld } from "./queue/world.ts";

const PICK_UPS = 150;
const TASKS = 1_200;
/** Of each worker process. */
const CONCURRENCY = 8;
/** Deliveries that are taken at once while the backlog is made. */
const SENDERS = 8;

await using world = await openBenchWorld();
await latencies(world);
for (const workers of [1, 2, 4]) await throughput(world, workers);
await measureTurns(world, () => written(world));

async function latencies(it: BenchWorld): Promise<void> {
  await using worker = await startWorker(it);
  const [accepted, pickedUp]: [number[], number[]] = [[], []];
  for (let index = 0; index < PICK_UPS + 10; index++) {
    const started = worker.next();
    const sentAt = clock();
    await enqueue(it.queue, index % 50, index);
    const committedAt = clock();
    const startedAt = await started;
    if (index < 10) continue; // Warm-up: plans, pools, compiled code.
    accepted.push(committedAt - sentAt);
    pickedUp.push(startedAt - committedAt);
  }
  console.log(`enqueue, one after the other (ms)      ${spread(accepted)}`);
  console.log(`from commit to an idle worker's run (ms) ${spread(pickedUp)}`);
}

async function throughput(it: BenchWorld, count: number): Promise<void> {
  const sentAt = clock();
  await Promise.all(
    Array.from({ length: SENDERS }, async (_, sender) => {
      for (let index = sender; index < TASKS; index += SENDERS) await enqueue(it.queue, index % 50, 1_000 + index);
    }),
  );
  const enqueuedPerS = TASKS / ((clock() - sentAt) / 1000);
  const before = await written(it);
  const workers = await Promise.all(Array.from({ length: count }, () => startWorker(it)));
  const starts: number[] = [];
  const readAll = async (worker: Worker) => {
    while (starts.length < TASKS) starts.push(await worker.next());
  };
  await Promise.race(workers.map(readAll));
  const seconds = (Math.max(...starts) - Math.min(...starts)) / 1000;
  const after = await written(it);
  for (const worker of workers) await worker[Symbol.asyncDispose]();
  const per = (name: "commits" | "walBytes") =>
    ((after[name] - before[name]) / TASKS).toFixed(name === "commits" ? 1 : 0);
  console.log(
    `${count} worker${count > 1 ? "s" : ""} of ${CONCURRENCY}: ${(TASKS / seconds).toFixed(0)} empty tasks/s; ` +
      `a task takes ${per("commits")} transactions, ${per("walBytes")} bytes of WAL (enqueued before, ${enqueuedPerS.toFixed(0)}/s by ${SENDERS})`,
  );
}

type Worker = AsyncDisposable & { readonly next: () => Promise<number> };

/** `next` gives the start of the next run. */
async function startWorker(it: BenchWorld): Promise<Worker> {
  const args = [join(import.meta.dirname, "queue/worker.ts"), it.database.url, String(CONCURRENCY)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ready = await lines.next();
  const first: number[] = ready.value === "ready" ? [] : [Number(ready.value)]; // A backlog is taken before it is ready.
  const next = async (): Promise<number> => {
    const known = first.shift();
    if (known !== undefined) return known;
    const line = await lines.next();
    if (line.done) throw new Error("a worker ended");
    return line.value === "ready" ? next() : Number(line.value);
  };
  const stop = async () => {
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  return { next, [Symbol.asyncDispose]: stop };
}

async function written({ database }: BenchWorld) {
  await database.query("SELECT pg_stat_force_next_flush()");
  const [row] = await database.query<{ commits: number; wal: number }>(
    `SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8 AS commits,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS wal`,
  );
  return { commits: row?.commits ?? 0, walBytes: row?.wal ?? 0 };
}
