import { expect, test } from "vitest";
import { openTestDatabase } from "../database.ts";
import { TransientError } from "../../src/failure.ts";
import { complete, find, intend, listPublications } from "../../src/store/publications.ts";
import { markRunning } from "../../src/store/tasks.ts";
import { startedTask } from "./builders.ts";

test("an intent is known to the next attempt, done or not", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const run = await startedTask(database);
  const { taskId } = run;
  expect(await intend(database, { ...run, role: "comment", intent: { kind: "comment", body: "a\u0000" } })).toBeNull();
  expect(await intend(database, { ...run, role: "comment", intent: { body: "b" } })).toEqual({
    state: "intended",
    role: "comment",
    attempt: 1,
    intent: { kind: "comment", body: "a\u0000" },
  });

  await complete(database, { taskId, role: "comment", ref: "123", url: "https://x/123" });
  await markRunning(database, taskId);
  const done = { state: "done", role: "comment", ref: "123", url: "https://x/123", intent: { body: "b" }, attempt: 1 };
  expect(await find(database, { taskId, role: "comment" })).toEqual(done);
  expect(await intend(database, { taskId, attempt: 2, role: "comment", intent: { body: "c" } })).toEqual(done);
  expect(await listPublications(database, taskId)).toEqual([{ ...done, intent: { body: "c" }, attempt: 2 }]);
  expect(await find(database, { taskId, role: "other" })).toBeNull();
});

test("a superseded attempt can intend nothing more, but may still say what it did", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const run = await startedTask(database);
  await intend(database, { ...run, role: "pull", intent: {} });
  await markRunning(database, run.taskId);
  await expect(intend(database, { ...run, role: "pull", intent: {} })).rejects.toThrow(TransientError);
  await expect(intend(database, { ...run, role: "new", intent: {} })).rejects.toThrow(TransientError);
  await complete(database, { taskId: run.taskId, role: "pull", ref: "1", url: "u" });
  expect(await find(database, { taskId: run.taskId, role: "pull" })).toMatchObject({ state: "done" });
  await expect(complete(database, { taskId: run.taskId, role: "x", ref: "1", url: "u" })).rejects.toThrow(
    /never intended/,
  );
});
