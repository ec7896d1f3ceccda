import { readdir } from "node:fs/promises";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expect, inject, test } from "vitest";
import { TransientError, UserError } from "../../src/failure.ts";
import { openDatabase } from "../../src/store/database.ts";
import { openTestDatabase } from "../database.ts";
import { databaseUrl } from "../database-setup.ts";

test("a second start finds every migration applied and changes nothing", async () => {
  await using opened = await openTestDatabase();
  const read = () => opened.database.query("SELECT version, applied_at FROM pullwright.migrations ORDER BY version");
  const before = await read();
  await using again = await openDatabase({ databaseUrl: opened.url, dataDir: "/nowhere" });
  expect(await again.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  expect(await read()).toEqual(before);
});

test("four processes that start together on an empty database migrate it once", async () => {
  await using opened = await openTestDatabase();
  await opened.database.query("DROP SCHEMA pullwright CASCADE");
  const open = () => openDatabase({ databaseUrl: opened.url, dataDir: "/nowhere" });
  const all = await Promise.all([open(), open(), open(), open()]);
  for (const database of all) await database.close();
  const applied = await opened.database.query("SELECT name FROM pullwright.migrations ORDER BY version");
  const files = (await readdir("src/store/migrations")).toSorted();
  expect(applied.map(({ name }) => name)).toEqual(files);
});

test("a server that is not there is a transient error, a wrong database name the operator's", async () => {
  const open = (url: string) => openDatabase({ databaseUrl: url, dataDir: "/nowhere" });
  await expect(open("postgresql://a:b@127.0.0.1:1/x")).rejects.toThrow(TransientError);
  await expect(open("postgresql://a:b@localhost:1/x")).rejects.toThrow(TransientError);
  await expect(open("postgresql://a:b@%2Fnowhere:5432/x")).rejects.toThrow(TransientError);
  await expect(open(databaseUrl(inject("databaseServerUrl"), "no_such_database"))).rejects.toThrow(UserError);
  const wrongPassword = inject("databaseServerUrl").replace(/:[0-9a-f]+@/, ":wrong@");
  await expect(open(wrongPassword)).rejects.toThrow(/DATABASE_URL/);
});

test("a transaction that throws leaves nothing behind and its connection is used again", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  await database.query("CREATE TABLE t (x integer)");
  const failing = database.transaction(async (tx) => {
    await tx.query("INSERT INTO t VALUES (1)");
    throw new UserError("no");
  });
  await expect(failing).rejects.toThrow(UserError);
  await database.transaction((tx) => tx.query("INSERT INTO t VALUES ($1)", [2]));
  expect(await database.query("SELECT x FROM t")).toEqual([{ x: 2 }]);
});

test("a connection cut in the middle of a transaction is a transient error, and the pool goes on", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const failing = database.transaction(async (tx) => {
    await tx.query("CREATE TABLE t (x integer)");
    const [me] = await tx.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await database.query("SELECT pg_terminate_backend($1)", [me?.pid]);
    await tx.query("SELECT 1");
  });
  await expect(failing).rejects.toThrow(TransientError);
  expect(await database.query("SELECT to_regclass('t') AS t")).toEqual([{ t: null }]);
});

test("a listener hears what is committed, and is told when it may have missed something", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const heard = new EventTarget();
  const all: string[] = [];
  const stop = await database.listen("news", (payload) => {
    all.push(payload);
    heard.dispatchEvent(new Event("news"));
  });
  const next = () => once(heard, "news");

  const first = next();
  await database.query("SELECT pg_notify('news', 'one')");
  await first;
  const back = next();
  await database.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()",
  );
  await back;
  const second = next();
  await database.query("SELECT pg_notify('news', 'two')");
  await second;
  await stop();
  await database.query("SELECT pg_notify('news', 'three')");
  await database.query("SELECT 1").then(() => delay(20));
  expect(all).toEqual(["one", "", "two"]);
});
