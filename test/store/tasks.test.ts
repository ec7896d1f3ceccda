import { expect, test } from "vitest";
import type { JournalEntry } from "../../src/journal.ts";
import { postgresJournal } from "../../src/store/journal.ts";
import { openTestDatabase } from "../database.ts";
import {
  countSteps,
  findRun,
  finishTask,
  insertTask,
  isCurrent,
  listRuns,
  listTasks,
  markRunning,
  readTask,
} from "../../src/store/tasks.ts";
import { complete, intend } from "../../src/store/publications.ts";
import { linkDelivery, listDeliveries, recordDelivery } from "../../src/store/deliveries.ts";
import { newTaskId, startedTask, taskRequest } from "./builders.ts";

test("a task comes back as it was asked for, whatever characters are in it", async () => {
  await using opened = await openTestDatabase();
  const body = "nul \u0000, half a surrogate \ud83d, an emoji 👩‍💻, a backslash \\u0000";
  const request = taskRequest({ text: { title: "T", body, author: { id: 1, login: "ann", isBot: false } } });
  const id = newTaskId();
  expect(await insertTask(opened.database, request, id)).toBe(id);
  expect(await readTask(opened.database, id)).toEqual({
    ...request,
    id,
    state: "queued",
    attempt: 0,
    createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
    startedAt: null,
    finishedAt: null,
  });
  expect(await readTask(opened.database, newTaskId())).toBeNull();
});

test("the same key twice is one task, even at the same moment", async () => {
  await using opened = await openTestDatabase();
  const request = taskRequest();
  const ids = await Promise.all([1, 2, 3, 4].map(() => insertTask(opened.database, request, newTaskId())));
  expect(ids.filter((id) => id !== null)).toHaveLength(1);
  expect(await listTasks(opened.database, { limit: 10 })).toHaveLength(1);
});

test("a later attempt takes the right to write from an earlier one", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const { taskId } = await startedTask(database);
  expect(await isCurrent(database, { taskId, attempt: 1 })).toBe(true);

  expect(await markRunning(database, taskId)).toBe(2);
  expect(await isCurrent(database, { taskId, attempt: 1 })).toBe(false);
  expect(await finishTask(database, { taskId, attempt: 1, state: "succeeded" })).toBe(false);
  expect((await readTask(database, taskId))?.state).toBe("running");

  expect(await finishTask(database, { taskId, attempt: 2, state: "succeeded" })).toBe(true);
  expect(await isCurrent(database, { taskId, attempt: 2 })).toBe(false);
  expect(await markRunning(database, taskId)).toBeNull();
  expect((await listRuns(database, { limit: 10, taskId })).map(({ attempt, state }) => [attempt, state])).toEqual([
    [2, "succeeded"],
    [1, "superseded"],
  ]);
});

test("a task can be failed before it ever ran", async () => {
  await using opened = await openTestDatabase();
  const id = newTaskId();
  await insertTask(opened.database, taskRequest(), id);
  expect(await finishTask(opened.database, { taskId: id, attempt: 0, state: "failed" })).toBe(true);
});

test("tasks are listed newest first, and by state", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const first = await startedTask(database);
  const second = newTaskId();
  await insertTask(database, taskRequest(), second);
  expect((await listTasks(database, { limit: 10 })).map(({ id }) => id)).toEqual([second, first.taskId]);
  expect((await listTasks(database, { limit: 1 })).map(({ id }) => id)).toEqual([second]);
  expect((await listTasks(database, { limit: 9, state: "running" })).map(({ id }) => id)).toEqual([first.taskId]);
});

test("a run is found by its id and by any beginning that names one task only", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const { taskId } = await startedTask(database);
  await markRunning(database, taskId);
  await startedTask(database);
  const short = taskId.replaceAll("-", "").slice(0, 12);
  expect((await findRun(database, `${short}-1`))?.attempt).toBe(1);
  expect((await findRun(database, short))?.attempt).toBe(2);
  expect((await findRun(database, ""))?.attempt).toBeUndefined();
  expect(await findRun(database, "zzz")).toBeNull();
});

test("a delivery is recorded once, and one that repeats a request points to its task", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const delivery = {
    guid: "g-1",
    event: "issues.labeled",
    receivedAt: "2026-11-21T10:00:00.000Z",
    repo: "octo/shop",
    decision: "start",
    reason: "label",
    taskId: null,
  };
  expect(await recordDelivery(database, delivery)).toBe(true);
  expect(await recordDelivery(database, { ...delivery, reason: "again" })).toBe(false);
  expect(await listDeliveries(database, { limit: 5 })).toEqual([delivery]);

  const request = taskRequest();
  const id = newTaskId();
  await insertTask(database, request, id);
  await linkDelivery(database, { guid: "g-1", key: request.key });
  expect(await listDeliveries(database, { limit: 5 })).toMatchObject([
    { guid: "g-1", decision: "duplicate", taskId: id },
  ]);
});

test("a task gets further by replies, observations, its end and what is published, and not by doing the same again", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const { taskId } = await startedTask(database);
  const steps = async (attempt: number, ...entries: readonly JournalEntry[]) => {
    for (const entry of entries) await postgresJournal(database, { taskId, attempt, now: Date.now }).append(entry);
    return await countSteps(database, taskId);
  };
  const publish = async (attempt: number, role: string) => {
    const before = await countSteps(database, taskId);
    await intend(database, { taskId, attempt, role, intent: {} });
    expect(await countSteps(database, taskId)).toBe(before);
    await complete(database, { taskId, attempt, role, ref: "1", url: "https://github.com/octo/shop" });
    return await countSteps(database, taskId);
  };
  const command = { command: "true", exitCode: 0, wallMs: 1, outputTail: "" };
  const end: JournalEntry = { kind: "finished", outcome: { kind: "failed", message: "No.", spend: null } };
  expect(await steps(1, { kind: "started", attempt: 1, goal: "fix", title: "T" })).toBe(0);
  expect(await steps(1, { kind: "verified", command })).toBe(0);
  const observation = { callId: "1", text: "", isError: false };
  expect(await steps(1, { kind: "tool-observed", turn: 1, tool: "shell", observation, wallMs: 1, command })).toBe(1);
  expect(await steps(1, end)).toBe(2);
  expect(await publish(1, "progress")).toBe(3);
  await markRunning(database, taskId);
  expect(await steps(2, end)).toBe(2 + 1);
  expect(await publish(2, "progress")).toBe(3);
  expect(await publish(2, "push")).toBe(4);
});
