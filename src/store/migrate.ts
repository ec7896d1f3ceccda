/** Brings the tables of schema `pullwright` up to date: migrations/NNNN-name.sql, each once, in order, in a transaction of its own. */
import { readdir, readFile } from "node:fs/promises";
import { UserError } from "../failure.ts";
import type { Sql } from "./database.ts";

type Transactions = Sql & { transaction<T>(fn: (tx: Sql) => Promise<T>): Promise<T> };

/** The advisory lock's name, so that two processes that start together do not both migrate. Any fixed number does. */
const LOCK = 7_203_411;

const FOLDER = new URL("./migrations/", import.meta.url);

export async function migrate(database: Transactions): Promise<void> {
  const files = (await readdir(FOLDER)).filter((name) => /^\d{4}-.*\.sql$/.test(name)).sort();
  const known = files.map((name) => ({ name, version: Number(name.slice(0, 4)) }));
  const applied = await readApplied(database);
  const newest = Math.max(0, ...known.map(({ version }) => version));
  const unknown = [...applied].find((version) => version > newest);
  if (unknown !== undefined) {
    throw new UserError(
      `This database was changed by a newer Pullwright (migration ${unknown}; this one knows ${newest}). ` +
        `Update Pullwright, or give this version a database of its own.`,
    );
  }
  for (const migration of known) if (!applied.has(migration.version)) await apply(database, migration);
}

async function readApplied(sql: Sql): Promise<ReadonlySet<number>> {
  // Not to_regclass: its answer "no such schema" is cached for the connection, and stays when another process has made it.
  const tables = await sql.query(
    "SELECT 1 FROM pg_tables WHERE schemaname = 'pullwright' AND tablename = 'migrations'",
  );
  if (tables.length === 0) return new Set();
  const rows = await sql.query<{ version: number }>("SELECT version FROM pullwright.migrations");
  return new Set(rows.map(({ version }) => version));
}

async function apply(database: Transactions, { name, version }: { readonly name: string; readonly version: number }) {
  const text = await readFile(new URL(name, FOLDER), "utf8");
  await database.transaction(async (tx) => {
    await tx.query("SET LOCAL statement_timeout = 0"); // A change of a large table takes its time.
    await tx.query("SELECT pg_advisory_xact_lock($1)", [LOCK]);
    if ((await readApplied(tx)).has(version)) return; // Another process was faster.
    await tx.query(text);
    await tx.query("INSERT INTO pullwright.migrations (version, name) VALUES ($1, $2)", [version, name]);
  });
}
