/** `costs`: what the models were paid, by day, repository and model, from the ledger. */
import { parseArgs } from "node:util";
import { UserError } from "../failure.ts";
import { renderTable } from "../ops/tables.ts";
import { startOfDay } from "../policy/budget.ts";
import { renderUsd } from "../policy/spending.ts";
import { readSettings } from "../settings.ts";
import { openDatabase } from "../store/database.ts";
import { readSpending, type Spending } from "../store/spending.ts";

const DAY_MS = 86_400_000;
/** Ten years; the ledger is never pruned. */
const DAYS_MAX = 3660;

export async function costs(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { days: { type: "string", default: "7" }, json: { type: "boolean", default: false } },
  });
  const days = readDays(values.days);
  await using database = await openDatabase(readSettings());
  const to = startOfDay(Date.now()) + DAY_MS;
  const spending = await readSpending(database, { from: to - days * DAY_MS, to });
  if (values.json) for (const row of spending.filter(isDetail)) console.log(JSON.stringify(row));
  else console.log(renderCosts(spending, days));
  return 0;
}

function renderCosts(spending: readonly Spending[], days: number): string {
  if (spending.length === 0) return `Nothing was spent in ${days === 1 ? "this UTC day" : `these ${days} UTC days`}.`;
  const rows = spending.filter(isDetail).map(({ day, repository, model, runs, tokens, usd }) => {
    const { input, cachedRead, cacheWrite, output } = tokens;
    const cells = [day, repository ?? "", String(runs), ...[input, cachedRead, cacheWrite, output].map(String)];
    return [...cells, renderUsd(usd), model ?? ""];
  });
  const usd = spending.reduce((sum, row) => (row.repository === null ? sum + row.usd : sum), 0);
  const header = ["day (UTC)", "repository", "runs", "input", "cached", "cache write", "output", "cost", "model"];
  return `${renderTable(header, rows)}\n\n${renderUsd(usd)} in all`;
}

/** A model's row; the sums above it are in it. */
function isDetail({ model }: Spending): boolean {
  return model !== null;
}

function readDays(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days > 0 && days <= DAYS_MAX) return days;
  throw new UserError(`--days must be a whole number from 1 to ${DAYS_MAX}, not "${text}".`);
}
