/** `tasks`, `show` and `deliveries`: what the database remembers, for people and for scripts. */
import { parseArgs } from "node:util";
import { UserError } from "../failure.ts";
import { renderRun, renderTable } from "../ops/tables.ts";
import { readSettings } from "../settings.ts";
import { openDatabase, type Database } from "../store/database.ts";
import { listDeliveries } from "../store/deliveries.ts";
import { readRun } from "../store/journal.ts";
import { findRun, listTasks } from "../store/tasks.ts";

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
    options: { json: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const [id] = positionals;
  if (id === undefined) throw new UserError("show needs a run's or a task's id; `pullwright tasks` lists them.");
  await using database = await open();
  const run = await findRun(
    database,
    id.replaceAll("-", "").length > 12 ? id : id.replace(/^(\w{8})-(\w{4})$/, "$1$2"),
  );
  if (run === null)
    throw new UserError(`There is no run "${id}", or several begin so. \`pullwright tasks\` lists them.`);
  const entries = await readRun(database, run);
  if (values.json) for (const entry of entries) console.log(JSON.stringify(entry));
  else console.log(`run ${run.id}: ${run.state}\n\n${renderRun(entries)}`);
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
