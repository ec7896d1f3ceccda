import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import type { SpendingWatchParts } from "../../src/ops/alerts.ts";
import { lookAtSpending, watchSpending } from "../../src/ops/alerts.ts";
import { openRecords } from "../../src/run/records.ts";
import { openDatabase } from "../../src/store/database.ts";
import { readTask } from "../../src/store/tasks.ts";
import { openTestDatabase, type TestDatabase } from "../database.ts";
import { startedTask, taskRequest } from "../store/builders.ts";

const NOON = Date.UTC(2026, 10, 21, 12);
const MINUTE = 60_000;
const DAY = 86_400_000;
const never = new AbortController().signal;
const usage = { input: 100, cachedRead: 2000, cacheWrite: 300, output: 40, reasoning: 5 };
const dayLimits = { repoUsdMax: 10, installationUsdMax: 20 };

type Post = { readonly text: string; readonly key: string; readonly [field: string]: unknown };

/** A receiver that answers with each status in turn, the last one for good. */
async function openReceiver(...statuses: number[]) {
  const posts: Post[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      if (request.headers["content-type"] === "application/json") posts.push(JSON.parse(body));
      const status = (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 200;
      if (status !== 0) response.writeHead(status, { location: "/elsewhere" }).end("ok");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${address.port}/hooks/s3cret`, posts, [Symbol.asyncDispose]: close };
}

type Logged = { readonly level: string; readonly message: string; readonly fields: unknown };

function openWatch({ database }: Pick<TestDatabase, "database">, alertUrl: string | null, now: () => number) {
  const logged: Logged[] = [];
  const log = (level: string) => (fields: unknown, message: string) => void logged.push({ level, message, fields });
  const parts: SpendingWatchParts = {
    ...{ database, alertUrl, webUrl: "https://github.com", now },
    log: { info: log("info"), warn: log("warn") },
  };
  return { logged, parts, look: () => lookAtSpending(parts, never) };
}

/** A task whose replies are charged as a run charges them. */
async function openPayer({ database }: TestDatabase, now: () => number, changes = {}) {
  const { taskId, attempt } = await startedTask(database, changes);
  const task = await readTask(database, taskId);
  if (task === null) throw new Error("no task");
  const records = openRecords(database, task, { attempt, now, secrets: [], dayLimits, resultsDir: "/nowhere" });
  const ledger = records.openLedger(undefined, null);
  return { pay: (usd: number, model = "a/opus") => ledger.charge(1, model, usage, usd), records };
}

test("a repository that passes 80 % of its day is told of once, with the figures, however often it is charged and looked at", async () => {
  await using opened = await openTestDatabase();
  await using receiver = await openReceiver(200);
  const { look } = openWatch(opened, receiver.url, () => NOON);
  const { pay } = await openPayer(opened, () => NOON);
  await pay(7.9);
  await look();
  expect(receiver.posts).toEqual([]);
  await pay(0.15);
  await look();
  await pay(0.5);
  await look();
  expect(receiver.posts).toEqual([
    {
      text:
        "octo/shop has spent $8.05 of the $10.00 it has for 2026-11-21 (UTC), 80 %. " +
        "At the limit a run hands in what it has, and no other begins before 00:00 UTC.",
      key: "repository/22/2026-11-21",
      kind: "repository",
      day: "2026-11-21",
      repository: "octo/shop",
      installationId: 11,
      usd: 8.05,
      usdMax: 10,
    },
  ]);
});

test("an installation is told of when its repositories together pass 80 %, and a repository at its own lower limit", async () => {
  await using opened = await openTestDatabase();
  await using receiver = await openReceiver(200);
  const { look } = openWatch(opened, receiver.url, () => NOON);
  const { repo } = taskRequest();
  const shop = await openPayer(opened, () => NOON);
  const site = await openPayer(opened, () => NOON, { repo: { ...repo, id: 33, name: "site" } });
  await shop.records.openLedger(1, null).charge(1, "a/opus", usage, 0.8);
  await look();
  expect(receiver.posts.map(({ key, usdMax }) => [key, usdMax])).toEqual([["repository/22/2026-11-21", 1]]);
  await shop.pay(7.1);
  await site.pay(7.9);
  await site.pay(0.2); // $16 of $20 in all, $8.10 of them its own
  await look();
  expect(
    receiver.posts
      .slice(1)
      .map(({ key }) => key)
      .toSorted(),
  ).toEqual([...["installation/11/2026-11-21", "repository/33/2026-11-21"]]);
});

test("two workers that look at once send one", async () => {
  await using opened = await openTestDatabase();
  await using second = await openDatabase({ databaseUrl: opened.url, dataDir: "/nowhere" });
  await using receiver = await openReceiver(200);
  const yesterday = await openPayer(opened, () => NOON - DAY);
  await yesterday.pay(3);
  const today = await openPayer(opened, () => NOON);
  await today.pay(9);
  const workers = [opened.database, second].map((database) => openWatch({ database }, receiver.url, () => NOON));
  for (let round = 0; round < 5; round += 1) await Promise.all(workers.map(({ look }) => look()));
  expect(receiver.posts.map(({ key }) => key).toSorted()).toEqual(["digest/2026-11-20", "repository/22/2026-11-21"]);
});

test("a receiver that fails gets it later, and the log never holds the secret in its address", async () => {
  await using opened = await openTestDatabase();
  await using receiver = await openReceiver(500, 404, 200);
  let clock = NOON;
  const { look, logged } = openWatch(opened, receiver.url, () => clock);
  const { pay } = await openPayer(opened, () => clock);
  await pay(9);
  const seen: number[] = [];
  for (; clock < NOON + 10 * MINUTE; clock += MINUTE) {
    await look();
    seen.push(receiver.posts.length);
  }
  expect(seen).toEqual([1, 2, 2, 3, 3, 3, 3, 3, 3, 3]);
  expect(logged.map(({ level, message }) => [level, message])).toEqual([
    ["warn", "alert not sent, to be tried again"],
    ["warn", "alert not sent, to be tried again"],
  ]);
  expect(JSON.stringify(logged.map(({ fields }) => Object.entries(Object(fields)).map(String)))).toMatch(
    /127\.0\.0\.1:\d+ answered 500/,
  );
  expect(JSON.stringify(logged)).not.toContain("s3cret");
});

test("a redirect is not followed, and a receiver that is not there is a failure like any other", async () => {
  await using opened = await openTestDatabase();
  await using receiver = await openReceiver(307);
  const { pay } = await openPayer(opened, () => NOON);
  await pay(9);
  const redirected = openWatch(opened, receiver.url, () => NOON);
  await redirected.look();
  expect([receiver.posts.length, redirected.logged.length]).toEqual([1, 1]);
  const away = openWatch(opened, "http://127.0.0.1:1/x", () => NOON + MINUTE);
  await away.look();
  expect(away.logged).toMatchObject([
    { level: "warn", fields: { err: { message: expect.stringContaining("127.0.0.1:1 cannot be reached") } } },
  ]);
});

test("a watch that ends in the middle of a post lets go of it, and the next one sends", async () => {
  await using opened = await openTestDatabase();
  await using receiver = await openReceiver(0, 200); // 0: never answers.
  const { pay } = await openPayer(opened, () => NOON);
  await pay(9);
  const { parts, look, logged } = openWatch(opened, receiver.url, () => NOON);
  const watch = watchSpending(parts);
  await expect.poll(() => receiver.posts.length).toBe(1);
  await watch[Symbol.asyncDispose]();
  await look();
  expect([receiver.posts.length, logged]).toEqual([2, []]);
});

test("the first look of a day sends the digest of the day before: by repository, by model, the dearest five", async () => {
  await using opened = await openTestDatabase();
  await using receiver = await openReceiver(200);
  let clock = NOON;
  const { repo } = taskRequest();
  const { look } = openWatch(opened, receiver.url, () => clock);
  const site = { repo: { ...repo, id: 33, name: "site" }, goal: "review", thread: { kind: "pull", number: 9 } };
  const review = await openPayer(opened, () => clock, site);
  await review.pay(1.5, "o/gpt");
  await review.pay(0.25);
  for (const number of [1, 2, 3, 4, 5]) {
    const { pay } = await openPayer(opened, () => clock, { thread: { kind: "issue", number } });
    await pay(number / 100);
  }
  await look();
  expect(receiver.posts).toEqual([]);
  clock = Date.UTC(2026, 10, 22);
  await look();
  await look();
  const tokens = (n: number) => ({
    input: 100 * n,
    cachedRead: 2000 * n,
    cacheWrite: 300 * n,
    output: 40 * n,
    reasoning: 5 * n,
  });
  const issue = (n: number) => ({
    name: `octo/shop#${n} (implement)`,
    url: `https://github.com/octo/shop/issues/${n}`,
    usd: n / 100,
  });
  expect(receiver.posts).toEqual([
    {
      text: `Pullwright spent $1.90 on 2026-11-21 (UTC): 6 runs, 17k tokens in (14k of them cached), 280 out.
octo/site: $1.75, 1 run, 4800 tokens in (4000 of them cached), 80 out
    o/gpt: $1.50, 2400 tokens in (2000 of them cached), 40 out
    a/opus: $0.2500, 2400 tokens in (2000 of them cached), 40 out
octo/shop: $0.1500, 5 runs, 12k tokens in (10k of them cached), 200 out
    a/opus: $0.1500, 12k tokens in (10k of them cached), 200 out
The dearest tasks:
$1.75 octo/site#9 (review) https://github.com/octo/site/pull/9
$0.0500 octo/shop#5 (implement) https://github.com/octo/shop/issues/5
$0.0400 octo/shop#4 (implement) https://github.com/octo/shop/issues/4
$0.0300 octo/shop#3 (implement) https://github.com/octo/shop/issues/3
$0.0200 octo/shop#2 (implement) https://github.com/octo/shop/issues/2`,
      ...{ key: "digest/2026-11-21", kind: "digest", day: "2026-11-21", usd: 1.9, runs: 6, tokens: tokens(7) },
      repositories: [
        {
          ...{ repository: "octo/site", usd: 1.75, runs: 1, tokens: tokens(2) },
          models: [
            { model: "o/gpt", usd: 1.5, tokens: tokens(1) },
            { model: "a/opus", usd: 0.25, tokens: tokens(1) },
          ],
        },
        {
          ...{ repository: "octo/shop", usd: 0.15, runs: 5, tokens: tokens(5) },
          models: [{ model: "a/opus", usd: 0.15, tokens: tokens(5) }],
        },
      ],
      more: 0,
      dearest: [
        { name: "octo/site#9 (review)", url: "https://github.com/octo/site/pull/9", usd: 1.75 },
        ...[5, 4, 3, 2].map(issue),
      ],
    },
  ]);
});

test("a day without a charge has no digest", async () => {
  await using opened = await openTestDatabase();
  await using receiver = await openReceiver(200);
  await openWatch(opened, receiver.url, () => NOON).look();
  expect(receiver.posts).toEqual([]);
});

test("without a webhook the digest and an installation's alert are logged once, a repository's is left to its run", async () => {
  await using opened = await openTestDatabase();
  await (await openPayer(opened, () => NOON - DAY)).pay(3);
  await (await openPayer(opened, () => NOON)).pay(17);
  const { look, logged } = openWatch(opened, null, () => NOON);
  await look();
  await look();
  expect(logged.map(({ message, fields }) => [message, fields])).toMatchObject([
    ["money of a day", { spending: { kind: "digest", usd: 3 } }],
    ["money of a day", { spending: { kind: "installation", usd: 17 } }],
  ]);
});
