/** One suite for every store of a journal: what holds for the database holds for the file of a local run. */
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Journal, JournalEntry } from "../../src/journal.ts";
import { JOURNAL_CHANNEL, postgresJournal, readRun, readTaskJournal } from "../../src/store/journal.ts";
import { fileJournal } from "../../src/store/journal-file.ts";
import { markRunning } from "../../src/store/tasks.ts";
import { openTestDatabase } from "../database.ts";
import { startedTask } from "../store/builders.ts";

type Opened = AsyncDisposable & { open(now: () => number): Journal };

const stores: Readonly<Record<string, () => Promise<Opened>>> = {
  "the journal in PostgreSQL": async () => {
    const opened = await openTestDatabase();
    const run = await startedTask(opened.database);
    return {
      open: (now) => postgresJournal(opened.database, { ...run, now }),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  },
  "the journal in a file": async () => {
    const folder = await mkdtemp(join(tmpdir(), "journal-"));
    const opened = new AsyncDisposableStack();
    opened.defer(() => rm(folder, { recursive: true, force: true }));
    return {
      open: (now) => opened.use(fileJournal(join(folder, "runs", "journal.jsonl"), now)),
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  },
};

const started: JournalEntry = { kind: "started", attempt: 1, goal: "implement", title: "Fix" };
const steered = (text: string): JournalEntry => ({ kind: "steered", text });

describe.each(Object.entries(stores))("%s", (_name, openStore) => {
  test("starts empty and gives entries back in order, with their time", async () => {
    await using store = await openStore();
    let clock = 1_700_000_000_000;
    const journal = store.open(() => clock++);
    expect(await journal.read()).toEqual([]);
    await journal.append(started);
    await journal.append(steered("hurry"));
    expect(await journal.read()).toEqual([
      { seq: 1, at: 1_700_000_000_000, entry: started },
      { seq: 2, at: 1_700_000_000_001, entry: steered("hurry") },
    ]);
  });

  test("numbers entries without gaps when many are appended at once", async () => {
    await using store = await openStore();
    const journal = store.open(() => 5);
    const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
    await Promise.all(texts.map((text) => journal.append(steered(text))));
    const entries = await journal.read();
    expect(entries.map(({ seq }) => seq)).toEqual(texts.map((_, index) => index + 1));
    expect(entries.map(({ entry }) => entry)).toEqual(texts.map(steered));
  });

  test("is gone on with by the next process", async () => {
    await using store = await openStore();
    await store.open(() => 1).append(steered("a"));
    const next = store.open(() => 2);
    await next.append(steered("b"));
    expect((await next.read()).map(({ seq, at }) => [seq, at])).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test("keeps every character and the order of keys, so that a transcript is rebuilt to the byte", async () => {
    await using store = await openStore();
    const journal = store.open(() => 1);
    const input = {
      zeta: "nul \u0000 and \\u0000",
      a: "\ud800 alone",
      "k\u0000": ["\n", "👩‍💻", 1e21, -0.1, null],
      "": {},
    };
    const entry: JournalEntry = { kind: "tool-called", turn: 1, call: { id: "1", tool: "shell", input } };
    await journal.append(entry);
    const [read] = await journal.read();
    expect(JSON.stringify(read?.entry)).toBe(JSON.stringify(entry));
  });

  test("takes an observation of a megabyte", async () => {
    await using store = await openStore();
    const journal = store.open(() => 1);
    await journal.append(steered("x".repeat(1_000_000)));
    expect((await journal.read()).map(({ entry }) => entry)).toEqual([steered("x".repeat(1_000_000))]);
  });
});

test("a torn last line of a journal file does not count and is written over", async () => {
  const folder = await mkdtemp(join(tmpdir(), "journal-"));
  const path = join(folder, "journal.jsonl");
  const first = fileJournal(path, () => 1);
  await first.append(steered("whole"));
  await first[Symbol.asyncDispose]();
  await appendFile(path, '{"seq":2,"at":1,"entry":{"kind":"ste');
  await using next = fileJournal(path, () => 2);
  expect(await next.read()).toHaveLength(1);
  await next.append(steered("again"));
  expect((await next.read()).map(({ seq, entry }) => [seq, entry])).toEqual([
    [1, steered("whole")],
    [2, steered("again")],
  ]);
  expect((await readFile(path, "utf8")).split("\n")).toHaveLength(3);
  await rm(folder, { recursive: true });
});

test("a superseded attempt cannot write to its journal any more, and a task's attempts are read one after the other", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const run = await startedTask(database);
  const first = postgresJournal(database, { ...run, now: () => 1 });
  await first.append(steered("a"));
  await markRunning(database, run.taskId);
  await expect(first.append(steered("late"))).rejects.toThrow(/Attempt 1 .* is over/);
  const second = postgresJournal(database, { ...run, attempt: 2, now: () => 2 });
  await second.append(steered("b"));
  await second.append(steered("c"));
  const all = await readTaskJournal(database, run.taskId);
  expect(all.map(({ attempt, seq, entry }) => [attempt, seq, entry])).toEqual([
    [1, 1, steered("a")],
    [2, 1, steered("b")],
    [2, 2, steered("c")],
  ]);
  expect(await readRun(database, { ...run, attempt: 2, after: 1 })).toEqual([{ seq: 2, at: 2, entry: steered("c") }]);
});

test("whoever listens is told the task when an entry is there to be read", async () => {
  await using opened = await openTestDatabase();
  const run = await startedTask(opened.database);
  const heard = new Promise<string>(
    (resolve) =>
      void opened.database
        .listen(JOURNAL_CHANNEL, resolve)
        .then(() => postgresJournal(opened.database, { ...run, now: () => 1 }).append(started)),
  );
  expect(await heard).toBe(run.taskId);
  expect(await readRun(opened.database, run)).toHaveLength(1);
});
