/** A database of its own for one test, with every table of ours and the queue's in it, gone when the test ends. */
import { randomUUID } from "node:crypto";
import { inject } from "vitest";
import { Database, openDatabase } from "../src/store/database.ts";
import { databaseUrl, TEMPLATE } from "./database-setup.ts";

export type TestDatabase = AsyncDisposable & { readonly url: string; readonly database: Database };

export async function openTestDatabase(): Promise<TestDatabase> {
  const serverUrl = inject("databaseServerUrl");
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await administer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} STRATEGY FILE_COPY`);
  const url = databaseUrl(serverUrl, name);
  const database = await openDatabase({ databaseUrl: url, dataDir: "/nowhere" });
  return {
    url,
    database,
    [Symbol.asyncDispose]: async () => {
      await database.close();
      await administer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function administer(url: string, statement: string): Promise<void> {
  await using admin = new Database({ engine: "postgresql", url, release: async () => {} });
  await admin.query(statement);
}
