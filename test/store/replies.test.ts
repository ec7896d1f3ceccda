/** The kept replies in a real PostgreSQL: whose they are, how long, how many. */
import { expect, test } from "vitest";
import { Database } from "../../src/store/database.ts";
import { postgresReplies, type ReplyLimits } from "../../src/store/replies.ts";
import { openTestDatabase } from "../database.ts";

const DAY_MS = 24 * 60 * 60_000;

const desk = (change: ReplyLimits & { readonly repoId?: number; readonly now?: () => number } = {}) => ({
  repoId: 22,
  secrets: ["the-key-of-this-app"],
  now: () => 40 * DAY_MS,
  ...change,
});

test("a reply comes back byte for byte, to its own repository only", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const text = JSON.stringify({ text: "naïve „quotes“ \u0000 \ud800 \\u0000", b: 1, a: 2 });
  await postgresReplies(database, desk()).keep("key", text);
  expect(await postgresReplies(database, desk()).find("key")).toBe(text);
  expect(await postgresReplies(database, desk()).find("other")).toBeNull();
  expect(await postgresReplies(database, desk({ repoId: 23 })).find("key")).toBeNull();
});

test("a reply is forgotten after thirty days, and its row goes when one in sixteen clears up", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  let now = 40 * DAY_MS;
  const replies = postgresReplies(database, desk({ now: () => now }));
  await replies.keep("old", "{}");
  now += 30 * DAY_MS - 1;
  expect(await replies.find("old")).toBe("{}");
  now += 1;
  expect(await replies.find("old")).toBeNull();
  await replies.keep("1new", "{}");
  expect(await keys(database)).toEqual(["1new", "old"]);
  await replies.keep("0new", "{}");
  expect(await keys(database)).toEqual(["0new", "1new"]);
});

test("a reply larger than its limit is not kept, and the oldest go when all are too many", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  let now = 40 * DAY_MS;
  const limits = { entryBytesMax: 100, totalBytesMax: 250 };
  const replies = postgresReplies(database, desk({ ...limits, now: () => (now += 1) }));
  await replies.keep("large", "x".repeat(101));
  expect(await keys(database)).toEqual([]);
  for (const key of ["0a", "0b", "0c"]) await replies.keep(key, "x".repeat(100));
  expect(await keys(database)).toEqual(["0b", "0c"]);
  await replies.keep("0b", "y".repeat(50)); // Kept again, it is the newest.
  await replies.keep("0d", "x".repeat(100));
  await replies.keep("0e", "x".repeat(100));
  expect(await keys(database)).toEqual(["0b", "0d", "0e"]);
});

test.each(["the-key-of-this-app", `ghs_${"a1".repeat(18)}`])(
  "a reply that repeats a credential is not kept",
  async (secret) => {
    await using opened = await openTestDatabase();
    await postgresReplies(opened.database, desk()).keep("key", JSON.stringify({ text: `It says ${secret} there.` }));
    expect(await keys(opened.database)).toEqual([]);
  },
);

test("two workers that keep and read the same keys at once never wait for each other nor read half a reply", async () => {
  await using opened = await openTestDatabase();
  await using second = new Database({ engine: "postgresql", url: opened.url, release: async () => {} });
  const names = ["0a", "0b", "0c", "0d"];
  const whole = new Set(["1", "2"].map((digit) => digit.repeat(200_000)));
  const work = async (database: Database, digit: string) => {
    const replies = postgresReplies(database, desk({ totalBytesMax: 500_000 }));
    for (let round = 0; round < 10; round++) {
      for (const name of names) {
        await replies.keep(name, digit.repeat(200_000));
        const read = await replies.find(name);
        if (read !== null) expect(whole.has(read)).toBe(true);
      }
    }
  };
  await Promise.all([work(opened.database, "1"), work(second, "2"), work(second, "1"), work(opened.database, "2")]);
  expect((await keys(opened.database)).length).toBeLessThanOrEqual(names.length);
});

async function keys(database: Database): Promise<readonly string[]> {
  const rows = await database.query<{ key: string }>("SELECT key FROM pullwright.replies ORDER BY key");
  return rows.map(({ key }) => key);
}
