import { expect, test } from "vitest";
import { openTestDatabase } from "../database.ts";
import { charge, spentOnTask, spentSince } from "../../src/store/ledger.ts";
import { taskRequest, startedTask } from "./builders.ts";

const usage = { input: 100, cachedRead: 2000, cacheWrite: 300, output: 40, reasoning: 5 };

test("what was spent adds up per task, repository and installation", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const { repo } = taskRequest();
  const shop = await startedTask(database);
  const site = await startedTask(database, { repo: { ...repo, id: 33 } });
  const pay = (task: typeof shop, costUsd: number, at: number) =>
    charge(database, { ...task, turn: 1, model: "anthropic/x", usage, costUsd, at }, 2000);
  await pay(shop, 0.1, 1000);
  await pay(shop, 0.2, 2000);
  await pay({ ...shop, attempt: 2 }, 0.000001, 2001);
  // What a charge tells is the day's sum with it, here since 2000.
  expect(await pay(site, 1, 3000)).toEqual({ repoUsd: 1, installationUsd: 1.200001 });

  expect(await spentOnTask(database, shop.taskId)).toBe(0.300001);
  expect(await spentSince(database, { since: 0 })).toBe(1.300001);
  expect(await spentSince(database, { since: 2000 })).toBe(1.200001);
  expect(await spentSince(database, { since: 0, repoId: 33 })).toBe(1);
  expect(await spentSince(database, { since: 0, installationId: 11, repoId: 22 })).toBe(0.300001);
  expect(await spentSince(database, { since: 0, installationId: 12 })).toBe(0);
});
