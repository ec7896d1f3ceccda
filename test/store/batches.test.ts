/** Questions in a batch, in a real PostgreSQL: who may ask, what stands, what is forgotten. */
import { expect, test } from "vitest";
import { Database } from "../../src/store/database.ts";
import { postgresBatches } from "../../src/store/batches.ts";
import { openTestDatabase } from "../database.ts";

const DAY_MS = 24 * 60 * 60_000;
const at = 100 * DAY_MS;
const fresh = { at, staleBefore: at - 1_000 };

test("of many that claim a question at once, one may ask it", async () => {
  await using opened = await openTestDatabase();
  await using second = new Database({ engine: "postgresql", url: opened.url, release: async () => {} });
  const stores = [opened.database, second].map((database) => postgresBatches(database));
  const claims = await Promise.all(
    Array.from({ length: 20 }, (_, i) => stores[i % 2]?.claim("key", fresh) ?? Promise.resolve(false)),
  );
  expect(claims.filter(Boolean)).toEqual([true]);
});

test("a claim of a lost worker is taken over when it is stale, one that led to a batch never", async () => {
  await using opened = await openTestDatabase();
  const batches = postgresBatches(opened.database);
  await batches.claim("lost", { at: at - 2_000, staleBefore: 0 });
  await batches.claim("sent", { at: at - 2_000, staleBefore: 0 });
  await batches.place(["sent"], "batch_1");
  expect([await batches.claim("lost", fresh), await batches.claim("sent", fresh)]).toEqual([true, false]);
  expect(await batches.claim("lost", fresh)).toBe(false);
  expect(await batches.find("lost")).toEqual({ claimedAt: at, batchId: null, result: null });
  expect(await batches.find("sent")).toEqual({ claimedAt: at - 2_000, batchId: "batch_1", result: null });
});

test("a result comes back byte for byte, and the rest of the batch gets the other word", async () => {
  await using opened = await openTestDatabase();
  const batches = postgresBatches(opened.database);
  for (const key of ["a", "b", "c"]) await batches.claim(key, fresh);
  await batches.place(["a", "b"], "batch_1");
  await batches.place(["c"], "batch_2");
  const result = JSON.stringify({ z: "\u0000 \ud800 naïve", a: 1 });
  await batches.settle("batch_1", { key: "a", result });
  await batches.settle("batch_1", { key: "c", result: "not its batch" });
  await batches.settleRest("batch_1", "null");
  const results = await Promise.all(["a", "b", "c"].map(async (key) => (await batches.find(key))?.result));
  expect(results).toEqual([result, "null", null]);
  expect([await batches.take("a"), await batches.take("a"), await batches.take("b")]).toEqual([true, false, true]);
  await batches.unclaim(["a", "b"]); // They were sent.
  expect(await batches.find("a")).not.toBeNull();
  for (const key of ["a", "b"]) await batches.forget(key);
  expect([await batches.find("a"), await batches.find("b")]).toEqual([null, null]);
});

test("a question nobody came back for is gone after a week", async () => {
  await using opened = await openTestDatabase();
  const batches = postgresBatches(opened.database);
  await batches.claim("old", { at: at - 7 * DAY_MS - 1, staleBefore: 0 });
  await batches.claim("young", { at: at - 7 * DAY_MS, staleBefore: 0 });
  await batches.claim("new", fresh);
  const rows = await opened.database.query<{ key: string }>("SELECT key FROM pullwright.batch_requests ORDER BY key");
  expect(rows.map(({ key }) => key)).toEqual(["new", "young"]);
});
