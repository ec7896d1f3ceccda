/** What the benches of the queue share: a PostgreSQL of their own that is as durable as a real one, and tasks without content. */
import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Queue } from "../../src/queue/queue.ts";
import { takeDelivery } from "../../src/run/take-delivery.ts";
import { openDatabase, type Database, type Sql } from "../../src/store/database.ts";
import type { TaskRequest } from "../../src/task.ts";

export type BenchWorld = AsyncDisposable & { readonly database: Database; readonly queue: Queue<Sql> };

export async function openBenchWorld(): Promise<BenchWorld> {
  const dataDir = await mkdtemp(join(tmpdir(), "pw-bench-"));
  await chmod(dataDir, 0o711); // As root, PostgreSQL runs as a user of its own and must pass through.
  const database = await openDatabase({ databaseUrl: null, dataDir });
  const queue = await openBenchQueue(database);
  const close = async () => {
    await queue.stop({ graceMs: 5_000 });
    await database.close();
    await rm(dataDir, { recursive: true, force: true });
  };
  return { database, queue, [Symbol.asyncDispose]: close };
}

export function openBenchQueue(database: Database): Promise<Queue<Sql>> {
  return Queue.open<Sql>({
    url: database.url,
    transaction: (fn) => database.transaction(fn),
    listen: (channel, hear) => database.listen(channel, hear),
    onError: (error) => console.error(error),
  });
}

/** A command of a person on an issue of its own, as a delivery brings it. Resolves when GitHub would have its 2xx. */
export async function enqueue(queue: Queue<Sql>, installationId: number, number: number): Promise<void> {
  const asker = { id: 1, login: "ada", isBot: false };
  const request: TaskRequest = {
    ...{ key: randomUUID(), goal: "implement", origin: { kind: "label" }, instruction: "", headSha: null, asker },
    repo: { installationId, id: installationId, owner: "acme", name: "shop", defaultBranch: "main" },
    thread: { kind: "issue", number },
    text: { title: "A title of usual length for an issue", body: "Some words. ".repeat(40), author: asker },
  };
  const decision = { kind: "start", request, headAt: null } as const;
  await takeDelivery(queue, { guid: randomUUID(), name: "issues.labeled", repo: "acme/shop", decision }, Date.now);
}

/** Milliseconds, of the same clock in every process of the machine. */
export const clock = () => performance.timeOrigin + performance.now();

export function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** "p50 1.2  p99 3.4  max 5.6" */
export function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `p50 ${at(sorted, 0.5).toFixed(1)}  p99 ${at(sorted, 0.99).toFixed(1)}  max ${at(sorted, 1).toFixed(1)}`;
}
