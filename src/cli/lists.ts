/** `tasks`, `show` and `deliveries`: what the database remembers, for people and for scripts. */
import { writeFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { UserError } from "../failure.ts";
import { renderRun, renderTable } from "../ops/tables.ts";
import { readBundleRef, readPlace } from "../publish/result.ts";
import { readSettings } from "../settings.ts";
import { openDatabase, type Database } from "../store/database.ts";
import { listDeliveries } from "../store/deliveries.ts";
import { readRun } from "../store/journal.ts";
import { findResult, type Result } from "../store/results.ts";
import { findRun, listTasks, type Run } from "../store/tasks.ts";

export async function tasks(args: readonly string[]): Promise<number> {
  const limit = readLimit(args);
  await using database = await open();
  const rows = (await listTasks(database, { limit })).map((task) => [
    task.id.slice(0, 13),
    task.state,
    task.goal,
    `${task.repo.owner}/${task.repo.name}#${task.thread.number}`,
    task.asker.login,
    task.createdAt.slice(0, 19).replace("T", " "),
    task.text.title,
  ]);
  print(rows, ["task", "state", "goal", "thread", "asked by", "when (UTC)", "title"], "No task was asked for yet.");
  return 0;
}

export async function deliveries(args: readonly string[]): Promise<number> {
  const limit = readLimit(args);
  await using database = await open();
  const rows = (await listDeliveries(database, { limit })).map((delivery) => [
    delivery.receivedAt.slice(0, 19).replace("T", " "),
    delivery.guid.slice(0, 8),
    delivery.event,
    delivery.repo ?? "-",
    delivery.decision,
    delivery.taskId?.slice(0, 13) ?? "-",
    delivery.reason,
  ]);
  const nothing = "GitHub delivered nothing yet. Is the webhook URL of the App right, and does it reach this server?";
  print(rows, ["received (UTC)", "guid", "event", "repository", "decision", "task", "reason"], nothing);
  return 0;
}

export async function show(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean", default: false },
      patch: { type: "boolean", default: false },
      bundle: { type: "string" },
    },
    allowPositionals: true,
  });
  const [id] = positionals;
  if (id === undefined) throw new UserError("show needs a run's or a task's id; `pullwright tasks` lists them.");
  if ([values.json, values.patch, values.bundle !== undefined].filter(Boolean).length > 1)
    throw new UserError("show takes one of --json, --patch and --bundle FILE.");
  await using database = await open();
  const run = await findRun(
    database,
    id.replaceAll("-", "").length > 12 ? id : id.replace(/^(\w{8})-(\w{4})$/, "$1$2"),
  );
  if (run === null)
    throw new UserError(`There is no run "${id}", or several begin so. \`pullwright tasks\` lists them.`);
  if (values.patch) return await showPatch(await requireResult(database, run));
  if (values.bundle !== undefined) return await saveBundle(await requireResult(database, run), values.bundle);
  const entries = await readRun(database, run);
  if (values.json) for (const entry of entries) console.log(JSON.stringify(entry));
  else console.log(`run ${run.id}: ${run.state}\n\n${renderRun(entries)}${await tellKept(database, run)}`);
  return 0;
}

async function tellKept(database: Database, run: Run): Promise<string> {
  const result = await findResult(database, run);
  if (result === null) return "";
  return `\n\nkept: commit ${result.commit.slice(0, 10)}; --patch shows it, --bundle FILE writes it`;
}

async function requireResult(database: Database, run: Run): Promise<Result> {
  const result = await findResult(database, run);
  if (result !== null) return result;
  throw new UserError(`Run ${run.id} has kept no change: it made none, has not ended, or its result has expired.`);
}

async function showPatch({ patch, commit }: Result): Promise<number> {
  if (patch.bytes === null) {
    throw new UserError(`The patch of ${commit} has ${patch.size} bytes, too many to be kept; take --bundle FILE.`);
  }
  const bytes = process.stdout.isTTY ? Buffer.from(forTerminal(patch.bytes.toString())) : patch.bytes;
  await pipeline([bytes], process.stdout, { end: false });
  return 0;
}

/** A patch holds whatever a model wrote: a terminal must not obey it. */
function forTerminal(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, "\u{fffd}");
}

/** Says how to get at the commit, whose base the repository must have. */
async function saveBundle({ bundle, place, commit, base }: Result, file: string): Promise<number> {
  const bytes = bundle.bytes ?? (place === null ? null : await readPlace(place));
  if (bytes === null) {
    throw new UserError(
      `The bundle of ${commit} has ${bundle.size} bytes, too many for the database. It was left on a worker, at ${place}; ` +
        "copy it from there, or run this command there.",
    );
  }
  try {
    await writeFile(file, bytes, { flag: "wx" });
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw isThere ? new UserError(`${file} exists; give another name.`) : error;
  }
  console.log(
    `${file}: commit ${commit} on top of ${base}\n\n  git fetch ${file} ${readBundleRef(bytes)} && git log FETCH_HEAD`,
  );
  return 0;
}

function readLimit(args: readonly string[]): number {
  const { values } = parseArgs({ args: [...args], options: { limit: { type: "string", default: "20" } } });
  const limit = Number(values.limit);
  if (Number.isInteger(limit) && limit > 0 && limit <= 10_000) return limit;
  throw new UserError(`--limit must be a whole number from 1 to 10000, not "${values.limit}".`);
}

function open(): Promise<Database> {
  return openDatabase(readSettings());
}

function print(rows: readonly (readonly string[])[], header: readonly string[], nothing: string): void {
  console.log(rows.length === 0 ? nothing : renderTable(header, rows));
}
