/** Brings the tables of schema `pullwright` up to date: migrations/NNNN-name.sql, each once, in order, in a transaction of its own. */
import { readdir, readFile } from "node:fs/promises";
import { UserError } from "../failure.ts";
import type { Sql } from "./database.ts";

type Transactions = Sql & { transaction<T>(fn: (tx: Sql) => Promise<T>): Promise<T> };

/** The advisory lock's name, so that two processes that start together do not both migrate. Any fixed number does. */
const LOCK = 7_203_411;

const FOLDER = new URL("./migrations/", import.meta.url);

/** The first line of a migration that a version before it cannot live with: `-- breaks: why`. */
const BREAKS = /^-- breaks: /;

export async function migrate(database: Transactions): Promise<void> {
  const files = (await readdir(FOLDER)).filter((name) => /^\d{4}-.*\.sql$/.test(name)).sort();
  const known = files.map((name) => ({ name, version: Number(name.slice(0, 4)) }));
  const applied = await readApplied(database);
  const newest = Math.max(0, ...known.map(({ version }) => version));
  // A newer version adds and takes nothing away, so that we may work beside it while it is rolled out. One that cannot says so.
  const breaking = [...applied].find(([version, isBreaking]) => version > newest && isBreaking);
  if (breaking !== undefined) {
    throw new UserError(
      `This database was changed by a newer Pullwright (migration ${breaking[0]}; this one knows ${newest}). ` +
        `Update Pullwright, or give this version a database of its own.`,
    );
  }
  for (const migration of known) if (!applied.has(migration.version)) await apply(database, migration);
}

/** Each applied version, and whether older ones of us cannot live with it. */
async function readApplied(sql: Sql): Promise<ReadonlyMap<number, boolean>> {
  // Not to_regclass: its answer "no such schema" is cached for the connection, and stays when another process has made it.
  const tables = await sql.query(
    "SELECT 1 FROM pg_tables WHERE schemaname = 'pullwright' AND tablename = 'migrations'",
  );
  if (tables.length === 0) return new Map();
  // As JSON, since the column is one that a migration adds.
  const rows = await sql.query<{ version: number; is_breaking: boolean }>(
    "SELECT version, coalesce((to_jsonb(m) ->> 'is_breaking')::boolean, false) AS is_breaking FROM pullwright.migrations m",
  );
  return new Map(rows.map(({ version, is_breaking }) => [version, is_breaking]));
}

async function apply(database: Transactions, { name, version }: { readonly name: string; readonly version: number }) {
  const text = await readFile(new URL(name, FOLDER), "utf8");
  await database.transaction(async (tx) => {
    await tx.query("SET LOCAL statement_timeout = 0"); // A change of a large table takes its time.
    await tx.query("SELECT pg_advisory_xact_lock($1)", [LOCK]);
    if ((await readApplied(tx)).has(version)) return; // Another process was faster.
    await tx.query(text);
    await tx.query("INSERT INTO pullwright.migrations (version, name) VALUES ($1, $2)", [version, name]);
    if (BREAKS.test(text)) {
      await tx.query("UPDATE pullwright.migrations SET is_breaking = true WHERE version = $1", [version]);
    }
  });
}
