import { execa } from "execa";
import { join } from "node:path";
import { expect, test } from "vitest";
import { charge } from "../../src/store/ledger.ts";
import { openTestDatabase } from "../database.ts";
import { startedTask } from "../store/builders.ts";

const BIN = join(import.meta.dirname, "../../bin/pullwright");
const usage = { input: 100, cachedRead: 2000, cacheWrite: 300, output: 40, reasoning: 5 };
const DAY = 86_400_000;

async function costs(databaseUrl: string, ...args: string[]) {
  const env = { PATH: process.env["PATH"] ?? "", DATABASE_URL: databaseUrl };
  return execa(BIN, ["costs", ...args], { env, extendEnv: false, reject: false });
}

test("costs lists the ledger by day, repository and model, as a table and as JSON lines", async () => {
  await using opened = await openTestDatabase();
  const { database, url } = opened;
  expect((await costs(url)).stdout).toBe("Nothing was spent in these 7 UTC days.");
  const task = await startedTask(database);
  const now = Date.now();
  const pay = (model: string, costUsd: number, at: number) =>
    charge(database, { ...task, turn: 1, model, usage, costUsd, at }, 0);
  await pay("a/opus", 1.5, now);
  await pay("a/opus", 0.5, now);
  await pay("o/gpt", 0.25, now);
  await pay("o/gpt", 3, now - 8 * DAY);
  const day = new Date(now).toISOString().slice(0, 10);
  expect((await costs(url)).stdout).toBe(
    [
      "day (UTC)   repository  runs  input  cached  cache write  output  cost     model",
      `${day}  octo/shop   1     200    4000    600          80      $2.00    a/opus`,
      `${day}  octo/shop   1     100    2000    300          40      $0.2500  o/gpt`,
      "",
      "$2.25 in all",
    ].join("\n"),
  );
  const lines = (await costs(url, "--days", "30", "--json")).stdout.split("\n").map((line) => JSON.parse(line));
  expect(lines.map(({ model, usd }) => [model, usd])).toEqual([
    ["o/gpt", 3],
    ["a/opus", 2],
    ["o/gpt", 0.25],
  ]);
  expect(lines[1]).toMatchObject({ day, repository: "octo/shop", runs: 1, tokens: { cachedRead: 4000 } });
});

test("costs refuses a number of days that is none", async () => {
  expect(await costs("postgres://nobody@127.0.0.1:1/none", "--days", "0")).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining("--days must be a whole number"),
  });
});
