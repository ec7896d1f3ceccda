import { expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import type { JournalEntry, TreePack } from "../../src/journal.ts";
import { readPacks } from "../../src/store/checkpoints.ts";
import type { Sql } from "../../src/store/database.ts";
import { postgresJournal, readRun } from "../../src/store/journal.ts";
import { finishTask, markRunning } from "../../src/store/tasks.ts";
import { openTestDatabase } from "../database.ts";
import { startedTask } from "./builders.ts";

const steered = (text: string): JournalEntry => ({ kind: "steered", text });
const pack = (tree: string, isBase: boolean): TreePack => ({ tree, isBase, pack: Buffer.from(`pack of ${tree}`) });

test("packs come back in order from the last base on, over all attempts, and go with the task", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const run = await startedTask(database);
  const first = postgresJournal(database, { ...run, now: () => 1 });
  for (const one of [pack("a", true), pack("b", false), pack("c", true), pack("d", false)]) {
    await first.appendTogether([steered("seen"), steered(one.tree)], one);
  }
  await markRunning(database, run.taskId);
  const second = postgresJournal(database, { ...run, attempt: 2, now: () => 2 });
  await second.appendTogether([steered("e")], pack("e", false));
  expect(await readPacks(database, run.taskId)).toEqual([pack("c", true), pack("d", false), pack("e", false)]);
  const rows = await database.query("SELECT tree FROM pullwright.checkpoints ORDER BY tree");
  expect(rows.map(({ tree }) => tree)).toEqual(["c", "d", "e"]);

  await finishTask(database, { ...run, attempt: 1, state: "failed" });
  expect(await readPacks(database, run.taskId)).toHaveLength(3);
  await finishTask(database, { ...run, attempt: 2, state: "succeeded" });
  expect(await readPacks(database, run.taskId)).toEqual([]);
});

test("a superseded attempt leaves neither its entries nor its pack", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const run = await startedTask(database);
  const first = postgresJournal(database, { ...run, now: () => 1 });
  await first.appendTogether([steered("a")], pack("a", true));
  await markRunning(database, run.taskId);
  const late = first.appendTogether([steered("late"), steered("later")], pack("b", true));
  await expect(late).rejects.toThrow(/Attempt 1 .* is over/);
  expect(await readPacks(database, run.taskId)).toEqual([pack("a", true)]);
  expect(await readRun(database, run)).toHaveLength(1);
});

/** A connection that breaks: before the statement arrives, or before its answer does. */
function breaking(sql: Sql, breaks: ("before" | "after" | null)[]): Sql {
  return {
    query: async (text, values) => {
      const how = breaks.shift();
      const away = new TransientError("The database is away", { cause: new Error("ECONNRESET") });
      if (how === "before") throw away;
      const rows = await sql.query<never>(text, values);
      if (how === "after") throw away;
      return rows;
    },
  };
}

test("an entry is written once, whatever its connection did, and waits for a database that restarts", async () => {
  await using opened = await openTestDatabase();
  const run = await startedTask(opened.database);
  const sql = breaking(opened.database, ["before", null, "after", "before", null, "before", "after"]);
  const journal = postgresJournal(sql, { ...run, now: () => 1 });
  for (const text of ["a", "b", "c"]) await journal.appendTogether([steered(text)], pack(text, text === "a"));
  const entries = await readRun(opened.database, run);
  expect(entries.map(({ seq, entry }) => [seq, entry])).toEqual([
    [1, steered("a")],
    [2, steered("b")],
    [3, steered("c")],
  ]);
  expect(await readPacks(opened.database, run.taskId)).toHaveLength(3);
});

test("two journals of one attempt number their entries without a gap", async () => {
  await using opened = await openTestDatabase();
  const run = await startedTask(opened.database);
  const [one, other] = [1, 2].map((at) => postgresJournal(opened.database, { ...run, now: () => at }));
  for (let i = 0; i < 4; i += 1) {
    await one?.append(steered("one"));
    await other?.append(steered("other"));
  }
  const entries = await readRun(opened.database, run);
  expect(entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});
