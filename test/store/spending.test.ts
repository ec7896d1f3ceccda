import { expect, test } from "vitest";
import { charge } from "../../src/store/ledger.ts";
import { readCostliest, readSpending } from "../../src/store/spending.ts";
import { openTestDatabase } from "../database.ts";
import { startedTask, taskRequest } from "./builders.ts";

const usage = { input: 100, cachedRead: 2000, cacheWrite: 300, output: 40, reasoning: 5 };
const DAY = 86_400_000;
const NOON = Date.UTC(2026, 10, 20, 12);

test("the ledger adds up by day, repository and model, a day's last millisecond included", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const { repo } = taskRequest();
  const shop = await startedTask(database);
  const site = await startedTask(database, {
    repo: { ...repo, id: 33, name: "site" },
    goal: "review",
    thread: { kind: "pull", number: 9 },
  });
  const pay = (task: typeof shop, model: string, costUsd: number, at: number) =>
    charge(database, { ...task, turn: 1, model, usage, costUsd, at }, 0);
  await pay(shop, "a/opus", 1, NOON);
  await pay({ ...shop, attempt: 2 }, "a/opus", 2, NOON);
  await pay(shop, "o/gpt", 0.5, NOON);
  await pay(site, "a/opus", 0.25, Date.UTC(2026, 10, 20, 23, 59, 59, 999));
  await pay(site, "a/opus", 4, Date.UTC(2026, 10, 21));
  const tokens = (n: number) => ({
    ...{ input: 100 * n, cachedRead: 2000 * n, cacheWrite: 300 * n, output: 40 * n, reasoning: 5 * n },
  });
  const from = Date.UTC(2026, 10, 20);
  const day = "2026-11-20";
  expect(await readSpending(database, { from, to: from + DAY })).toEqual([
    { day, repository: null, model: null, runs: 3, usd: 3.75, tokens: tokens(4) },
    { day, repository: "octo/shop", model: null, runs: 2, usd: 3.5, tokens: tokens(3) },
    { day, repository: "octo/shop", model: "a/opus", runs: 2, usd: 3, tokens: tokens(2) },
    { day, repository: "octo/shop", model: "o/gpt", runs: 1, usd: 0.5, tokens: tokens(1) },
    { day, repository: "octo/site", model: null, runs: 1, usd: 0.25, tokens: tokens(1) },
    { day, repository: "octo/site", model: "a/opus", runs: 1, usd: 0.25, tokens: tokens(1) },
  ]);
  const both = await readSpending(database, { from, to: from + 2 * DAY });
  expect(both.filter(({ repository }) => repository === null).map((row) => [row.day, row.usd])).toEqual([
    ["2026-11-20", 3.75],
    ["2026-11-21", 4],
  ]);
  expect(await readCostliest(database, { from, to: from + 2 * DAY }, 1)).toEqual([
    { repository: "octo/site", thread: { kind: "pull", number: 9 }, goal: "review", usd: 4.25 },
  ]);
});

test("what a task spent stays when the task is gone", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const task = await startedTask(database);
  await charge(database, { ...task, turn: 1, model: "a/opus", usage, costUsd: 1, at: NOON }, 0);
  await database.query("DELETE FROM pullwright.tasks");
  const span = { from: NOON, to: NOON + 1 };
  expect((await readSpending(database, span)).map(({ repository }) => repository)).toEqual([
    ...[null, "repository 22", "repository 22"],
  ]);
  expect(await readCostliest(database, span, 5)).toEqual([
    { repository: "repository 22", thread: null, goal: null, usd: 1 },
  ]);
});
