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
    ref: null,
    url: null,
  });

  await complete(database, { ...run, role: "comment", ref: "123", url: "https://x/123" });
  await markRunning(database, taskId);
  const done = { state: "done", role: "comment", ref: "123", url: "https://x/123", intent: { body: "b" }, attempt: 1 };
  expect(await find(database, { taskId, role: "comment" })).toEqual(done);
  expect(await intend(database, { taskId, attempt: 2, role: "comment", intent: { body: "c" } })).toEqual(done);
  // What is meant now is not done yet; what stands there is known all the same.
  const meant = { ...done, state: "intended", intent: { body: "c" }, attempt: 2 };
  expect(await listPublications(database, taskId)).toEqual([meant]);
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
  await complete(database, { ...run, role: "pull", ref: "1", url: "u" });
  expect(await find(database, { taskId: run.taskId, role: "pull" })).toMatchObject({ state: "done" });
  await expect(complete(database, { ...run, role: "x", ref: "1", url: "u" })).rejects.toThrow(/never intended/);
});

test("what a superseded attempt did late is known, but does not make the new intent done or its effect another", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const old = await startedTask(database);
  const role = "progress";
  await intend(database, { ...old, role, intent: {} });
  const attempt = (await markRunning(database, old.taskId)) ?? 0;
  const now = { taskId: old.taskId, attempt };
  await intend(database, { ...now, role, intent: {} });
  await complete(database, { ...old, role, ref: "1", url: "u1" });
  expect(await find(database, { ...now, role })).toMatchObject({ state: "intended", ref: "1" });
  await complete(database, { ...now, role, ref: "2", url: "u2" });
  await complete(database, { ...old, role, ref: "1", url: "u1" });
  expect(await find(database, { ...now, role })).toMatchObject({ state: "done", ref: "2", url: "u2" });
});

test("a later attempt that finds on the forge what an earlier one meant to do makes it done", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const lost = await startedTask(database);
  const role = "push";
  await intend(database, { ...lost, role, intent: {} });
  const attempt = (await markRunning(database, lost.taskId)) ?? 0;
  await complete(database, { taskId: lost.taskId, attempt, role, ref: "agent/7", url: "u" });
  expect(await find(database, { taskId: lost.taskId, role })).toMatchObject({ state: "done", ref: "agent/7" });
});
