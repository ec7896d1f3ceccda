import { expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import { isNoted, listDue, markSent, noteAlert, sendOnce } from "../../src/store/alerts.ts";
import { openDatabase } from "../../src/store/database.ts";
import { openTestDatabase } from "../database.ts";
import { newTaskId } from "./builders.ts";

const AT = Date.UTC(2026, 10, 21, 12);
const MINUTE = 60_000;
const taskId = newTaskId();
const note = {
  key: "repository/22/2026-11-21",
  kind: "repository",
  message: { text: "Much." },
  taskId,
  at: AT,
} as const;
const due = { key: note.key, now: AT };

test("what is noted first under a key stays, and the second hears whose it is and whether it was sent", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  expect(await isNoted(database, note.key)).toBe(false);
  expect(await noteAlert(database, note)).toEqual({ taskId, isSent: false });
  const other = { ...note, message: { text: "More." }, taskId: newTaskId() };
  expect(await noteAlert(database, other)).toEqual({ taskId, isSent: false });
  await markSent(database, note.key, AT);
  expect(await noteAlert(database, other)).toEqual({ taskId, isSent: true });
  expect(await isNoted(database, note.key)).toBe(true);
  expect(await listDue(database, ["repository"], AT)).toEqual([]);
});

test("twenty who note one thing at once make one row", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const all = Array.from({ length: 20 }, () => ({ ...note, taskId: newTaskId() }));
  const noted = await Promise.all(all.map((one) => noteAlert(database, one)));
  const owners = new Set(noted.flatMap((one) => (one === null ? [] : [one.taskId])));
  expect(owners.size).toBe(1);
  expect(await listDue(database, ["repository"], AT)).toEqual([note.key]);
});

test("while one worker sends, another does not, and afterwards nobody does", async () => {
  await using opened = await openTestDatabase();
  await using other = await openDatabase({ databaseUrl: opened.url, dataDir: "/nowhere" });
  await noteAlert(opened.database, note);
  const sent: unknown[] = [];
  const first = sendOnce(opened.database, due, async (message) => {
    expect(await sendOnce(other, due, async () => void sent.push("twice"))).toEqual({ kind: "taken" });
    sent.push(message);
  });
  expect(await first).toEqual({ kind: "sent" });
  expect(await sendOnce(other, due, async () => void sent.push("again"))).toEqual({ kind: "taken" });
  expect(sent).toEqual([{ text: "Much." }]);
});

test("what could not be sent comes later, each time after twice as long, and is given up after the eighth try", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  await noteAlert(database, note);
  const fail = async () => {
    throw new TransientError("away");
  };
  const tried: unknown[] = [];
  for (let minute = 0; minute < 300; minute += 1) {
    const now = AT + minute * MINUTE;
    for (const key of await listDue(database, ["repository"], now)) {
      const sending = await sendOnce(database, { key, now }, fail);
      tried.push([minute, sending.kind === "failed" && sending.isLast]);
    }
  }
  expect(tried).toEqual([...[0, 1, 3, 7, 15, 31, 63].map((minute) => [minute, false]), [127, true]]);
});

test("a worker that goes down while it sends costs no try", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  await noteAlert(database, note);
  const broken = sendOnce(database, due, async () => {
    throw new DOMException("stopping", "AbortError");
  });
  await expect(broken).rejects.toThrow("stopping");
  expect(await listDue(database, ["repository"], AT)).toEqual([note.key]);
});

test("only the kinds asked for are due, and nothing that is a day old", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  await noteAlert(database, note);
  await noteAlert(database, { ...note, key: "digest/2026-11-20", kind: "digest", taskId: null, at: AT + 1 });
  expect(await listDue(database, ["installation", "digest"], AT + 1)).toEqual(["digest/2026-11-20"]);
  expect(await listDue(database, ["repository", "digest"], AT + 1)).toEqual([note.key, "digest/2026-11-20"]);
  expect(await listDue(database, ["repository", "digest"], AT + 24 * 60 * MINUTE)).toEqual(["digest/2026-11-20"]);
});
