/** Old and new versions work side by side on one database while a new one is rolled out: what holds that up. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { finishTask, markRunning, readTask } from "../../src/store/tasks.ts";
import { openTestDatabase } from "../database.ts";
import { accept, openQueue } from "../queue/world.ts";

const DIR = join(import.meta.dirname, "../../src/store/migrations");
const FILES = readdirSync(DIR).sort();

/** From before the first release: nobody ran the version without it beside one with it. */
const BEFORE_RELEASES = new Set(["0031-alerts.sql"]);

/** What a version that does not know the change would stumble over: what it reads is gone, or what it writes is refused. */
const TAKES_AWAY: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["takes something away", /\bDROP\s+(?!INDEX|CONSTRAINT|DEFAULT|NOT\s+NULL)|\bTRUNCATE\b/i],
  ["renames", /\bRENAME\b/i],
  ["changes a type", /\bALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE\b/i],
  ["refuses what was allowed", /\bSET\s+NOT\s+NULL\b|\bADD\s+(CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY)\b/i],
  [
    "adds a column that must be filled",
    /\bADD\s+COLUMN\s+(?:(?!\bDEFAULT\b|,|;)[^])*\bNOT\s+NULL\b(?:(?!\bDEFAULT\b|,|;)[^])*[,;]/i,
  ],
];

function faults(sql: string): readonly string[] {
  if (sql.startsWith("-- breaks: ")) return [];
  const text = sql.replaceAll(/--.*$/gm, "");
  // A table that the same file makes is nobody's yet.
  const made = [...text.matchAll(/CREATE TABLE (\S+)/g)].map(([, name]) => name ?? "");
  const statements = text.split(/(?<=;)/).filter((one) => !made.some((name) => one.includes(`ALTER TABLE ${name}`)));
  return statements.flatMap((one) => TAKES_AWAY.filter(([, pattern]) => pattern.test(one)).map(([what]) => what));
}

test.each(FILES.filter((name) => !BEFORE_RELEASES.has(name)))("%s only adds, or says that it breaks", (name) => {
  expect(faults(readFileSync(join(DIR, name), "utf8"))).toEqual([]);
});

test.each([
  ["ALTER TABLE t DROP COLUMN a;", "takes something away"],
  ["DROP TABLE t;", "takes something away"],
  ["ALTER TABLE t RENAME COLUMN a TO b;", "renames"],
  ["ALTER TABLE t ALTER COLUMN a TYPE bigint;", "changes a type"],
  ["ALTER TABLE t ADD COLUMN a text, ADD CONSTRAINT c CHECK (a <> '');", "refuses what was allowed"],
  ["ALTER TABLE t ADD COLUMN a text NOT NULL;", "adds a column that must be filled"],
  ["ALTER TABLE t ADD COLUMN a text, ADD COLUMN b text NOT NULL CHECK (b <> '');", "adds a column that must be filled"],
])("the guard catches %s", (sql, what) => {
  expect(faults(sql)).toEqual([what]);
  expect(faults(`-- breaks: older workers\n${sql}`)).toEqual([]);
  expect(
    faults("ALTER TABLE t ADD COLUMN a text NOT NULL DEFAULT '', ADD COLUMN b text; CREATE INDEX i ON t (a);"),
  ).toEqual([]);
});

test("two migrations never have one number", () => {
  expect(new Set(FILES.map((name) => name.slice(0, 4))).size).toBe(FILES.length);
});

test("a worker of this version takes, runs and ends tasks in a database that a newer version has added to", async () => {
  await using opened = await openTestDatabase();
  // What the rule allows: a column with a default, one that may be null, a table, an index.
  await opened.database.query(`
    ALTER TABLE pullwright.tasks ADD COLUMN mood text NOT NULL DEFAULT 'calm', ADD COLUMN weather text;
    ALTER TABLE pullwright.places ADD COLUMN weight integer NOT NULL DEFAULT 1;
    CREATE TABLE pullwright.things (id integer);
    CREATE INDEX ON pullwright.tasks (mood);
    INSERT INTO pullwright.migrations (version, name) VALUES (9999, '9999-things.sql')`);
  await using database = await openDatabase({ databaseUrl: opened.url, dataDir: "/nowhere" });
  const queue = await openQueue(database);
  const { id } = await accept(queue);
  const done = Promise.withResolvers<void>();
  const run = async () => {
    const attempt = await markRunning(database, id);
    await finishTask(database, { taskId: id, attempt: attempt ?? 0, state: "succeeded" });
    done.resolve();
  };
  await queue.work({ concurrency: 1, run, fail: () => Promise.reject(new Error("not expected")) });
  await done.promise;
  await queue.stop({ graceMs: 1000 });
  expect(await readTask(database, id)).toMatchObject({ state: "succeeded", attempt: 1 });
});

test("a worker refuses a database that a newer version has changed so that it could not live with it", async () => {
  await using opened = await openTestDatabase();
  await opened.database.query(
    "INSERT INTO pullwright.migrations (version, name, is_breaking) VALUES (9999, '9999-things.sql', true)",
  );
  const again = openDatabase({ databaseUrl: opened.url, dataDir: "/nowhere" });
  await expect(again).rejects.toThrow("changed by a newer Pullwright (migration 9999");
});
