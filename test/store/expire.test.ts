import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { recordDelivery } from "../../src/store/deliveries.ts";
import { expire } from "../../src/store/expire.ts";
import { postgresJournal } from "../../src/store/journal.ts";
import { charge } from "../../src/store/ledger.ts";
import { saveResult } from "../../src/store/results.ts";
import { finishTask, listTasks } from "../../src/store/tasks.ts";
import { openTestDatabase } from "../database.ts";
import { startedTask } from "./builders.ts";

const DAY_MS = 86_400_000;
const KEEP = { taskMs: 10 * DAY_MS, workMs: 2 * DAY_MS, replyMs: DAY_MS };
const none = { tasks: 0, results: 0, packs: 0, deliveries: 0, replies: 0, alerts: 0 };

/** A task with everything it can have, ended so many days ago; null: still at work. */
async function addTask(database: Database, daysAgo: number | null) {
  const run = await startedTask(database);
  await postgresJournal(database, { ...run, now: Date.now }).append({ kind: "steered", text: "x" });
  const bytes = Buffer.from("bundle");
  const kept = { bytes, size: bytes.length };
  await saveResult(database, run, { commit: "c", base: "b", bundle: kept, patch: kept, place: null });
  const usage = { input: 1, cachedRead: 0, cacheWrite: 0, output: 1, reasoning: 0 };
  await charge(database, { ...run, turn: 1, model: "m", usage, costUsd: 1, at: 1 }, 0);
  if (daysAgo === null) return run.taskId;
  await finishTask(database, { ...run, state: "succeeded" });
  await database.query("UPDATE pullwright.tasks SET finished_at = now() - make_interval(days => $2) WHERE id = $1", [
    ...[run.taskId, daysAgo],
  ]);
  return run.taskId;
}

async function count(database: Database, table: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(`SELECT count(*) FROM pullwright.${table}`);
  return row?.count ?? 0;
}

test("work goes first, then the task with all that hangs on it; money and live tasks stay", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const live = await addTask(database, null);
  const fresh = await addTask(database, 1);
  const older = await addTask(database, 5);
  await addTask(database, 11);
  expect(await expire(database, KEEP, Date.now())).toEqual({ ...none, tasks: 1, results: 2 });
  expect((await listTasks(database, { limit: 9 })).map(({ id }) => id).toSorted()).toEqual(
    [live, fresh, older].toSorted(),
  );
  const tables = ["runs", "journal", "results", "ledger"];
  expect(await Promise.all(tables.map((table) => count(database, table)))).toEqual([3, 3, 2, 4]);
  expect(await expire(database, KEEP, Date.now())).toEqual(none);
});

test("deliveries, replies and alerts go by their own age, in as many steps as it takes", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const delivery = { event: "e", repo: null, decision: "ignore", reason: "r", taskId: null };
  for (const [guid, age] of Object.entries({ old: 11, fresh: 9 })) {
    await recordDelivery(database, {
      ...delivery,
      guid,
      receivedAt: new Date(Date.now() - age * DAY_MS).toISOString(),
    });
  }
  await database.query(
    `INSERT INTO pullwright.replies (repo_id, key, reply, bytes, at)
     SELECT 1, n::text, '{}', 2, now() - interval '2 days' FROM generate_series(1, 250) n`,
  );
  await database.query(
    `INSERT INTO pullwright.alerts (key, kind, message, due_at, at) VALUES ('a', 'digest', '{}', now(), now() - interval '11 days')`,
  );
  expect(await expire(database, KEEP, Date.now())).toEqual({ ...none, deliveries: 1, replies: 250, alerts: 1 });
  expect(await database.query("SELECT guid FROM pullwright.deliveries")).toEqual([{ guid: "fresh" }]);
});

test("two workers that remove at once get in nobody's way", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  for (let index = 0; index < 12; index++) await addTask(database, 11);
  const both = await Promise.all([1, 2].map(() => expire(database, KEEP, Date.now())));
  expect(both.reduce((sum, { tasks }) => sum + tasks, 0)).toBe(12);
  expect(await count(database, "tasks")).toBe(0);
});
