import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keepHouse } from "../../src/run/keep-house.ts";
import type { Database } from "../../src/store/database.ts";
import { saveResult } from "../../src/store/results.ts";
import { finishTask } from "../../src/store/tasks.ts";
import { openQueueWorld } from "../queue/world.ts";
import { startedTask } from "../store/builders.ts";

const DAY_MS = 86_400_000;
const KEEP = { taskMs: 90 * DAY_MS, workMs: 40 * DAY_MS, replyMs: DAY_MS };
const log = { info: () => {}, warn: () => {} };

/** A task that ended so many days ago, whose bundle is too large for the database. To the file's name. */
async function addResult(database: Database, dir: string, daysAgo: number): Promise<string> {
  const run = await startedTask(database);
  const name = `${run.taskId}-0123456789ab.bundle`;
  const large = { bytes: null, size: 1e9 };
  const place = `${hostname()}:${join(dir, name)}`;
  await saveResult(database, run, { commit: "c", base: "b", bundle: large, patch: large, place });
  await finishTask(database, { ...run, state: "succeeded" });
  await database.query("UPDATE pullwright.tasks SET finished_at = now() - make_interval(days => $2) WHERE id = $1", [
    ...[run.taskId, daysAgo],
  ]);
  return name;
}

test("bundles that lie as files are kept as long as the settings keep work", async () => {
  await using world = await openQueueWorld();
  const { database, queue } = world;
  const resultsDir = await mkdtemp(join(tmpdir(), "pw-results-"));
  const put = async (name: string, daysAgo: number) => {
    const file = join(resultsDir, name);
    await writeFile(file, "bundle");
    const then = new Date(Date.now() - daysAgo * DAY_MS);
    await utimes(file, then, then);
    return name;
  };
  const kept = await put(await addResult(database, resultsDir, 35), 36);
  await put(await addResult(database, resultsDir, 41), 41);
  await put("00000000-0000-4000-8000-000000000000-0123456789ab.bundle", 2);
  const justPacked = await put("00000000-0000-4000-8000-000000000001-0123456789ab.bundle", 0);
  const notOurs = await put("README", 500);
  for (const name of ["packing-old", "packing-now"]) await mkdir(join(resultsDir, name));
  const then = new Date(Date.now() - 2 * DAY_MS);
  await utimes(join(resultsDir, "packing-old"), then, then);

  await keepHouse({ queue, database, resultsDir, keep: KEEP, now: Date.now, log });
  expect((await readdir(resultsDir)).toSorted()).toEqual([kept, justPacked, notOurs, "packing-now"].toSorted());
  await keepHouse({ queue, database, resultsDir: join(resultsDir, "never-made"), keep: KEEP, now: Date.now, log });
  await rm(resultsDir, { recursive: true });
});
