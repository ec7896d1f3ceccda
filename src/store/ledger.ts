/** What every model call cost. Charged before the next call starts, so that no budget is passed by more than one call. */
import type { Usage } from "../journal.ts";
import type { TaskId } from "../task.ts";
import type { DaySpent } from "../policy/budget.ts";
import type { Row, Sql } from "./database.ts";
import type { Attempt } from "./tasks.ts";

export type Charge = Attempt & {
  readonly turn: number;
  readonly model: string;
  readonly usage: Usage;
  readonly costUsd: number;
  /** Epoch milliseconds. */
  readonly at: number;
};

/** Counts for the task's repository and installation, also for a superseded attempt: the vendor was paid. Tells what `since` holds with it. */
export async function charge(
  sql: Sql,
  { taskId, attempt, turn, model, usage, costUsd, at }: Charge,
  since: number,
): Promise<DaySpent> {
  const { input, cachedRead, cacheWrite, output, reasoning } = usage;
  const [row] = await sql.query<DayRow>(
    `WITH charged AS (
       INSERT INTO pullwright.ledger (task_id, attempt, turn, model, input_tokens, cached_read_tokens, cache_write_tokens,
         output_tokens, reasoning_tokens, cost_usd, at, installation_id, repo_id)
       SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, to_timestamp($11::float8 / 1000), installation_id, repo_id
       FROM pullwright.tasks WHERE id = $1 RETURNING cost_usd, installation_id, repo_id
     )
     SELECT charged.cost_usd + coalesce(sum(ledger.cost_usd), 0) AS installation_usd,
       charged.cost_usd + coalesce(sum(ledger.cost_usd) FILTER (WHERE ledger.repo_id = charged.repo_id), 0) AS repo_usd
     FROM charged LEFT JOIN pullwright.ledger ON ledger.installation_id = charged.installation_id
       AND ledger.at >= to_timestamp($12::float8 / 1000)
     GROUP BY charged.cost_usd`,
    [taskId, attempt, turn, model, input, cachedRead, cacheWrite, output, reasoning, costUsd, at, since],
  );
  if (!row) throw new Error(`a charge for task ${taskId}, which does not exist`);
  return { installationUsd: row.installation_usd, repoUsd: row.repo_usd };
}

export type Charged = Pick<Charge, "attempt" | "turn" | "model" | "usage">;

/** What all attempts of a task were charged for. */
export async function readCharges(sql: Sql, taskId: TaskId): Promise<readonly Charged[]> {
  const rows = await sql.query<Row & Omit<Charged, "usage"> & Usage>(
    `SELECT attempt, turn, model, input_tokens AS input, cached_read_tokens AS "cachedRead", cache_write_tokens AS "cacheWrite",
       output_tokens AS output, reasoning_tokens AS reasoning FROM pullwright.ledger WHERE task_id = $1`,
    [taskId],
  );
  return rows.map(({ attempt, turn, model, ...usage }) => ({ attempt, turn, model, usage }));
}

type DayRow = Row & { readonly installation_usd: number; readonly repo_usd: number };

/** What ended tasks of this repository and goal cost; null without one. The newest twenty: prices and prompts change. */
export async function estimateCost(sql: Sql, of: { readonly repoId: number; readonly goal: string }) {
  const [row] = await sql.query<{ runs: number; median: number | null; high: number | null }>(
    `SELECT count(*)::int AS runs, percentile_cont(0.5) WITHIN GROUP (ORDER BY usd) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY usd) AS high
     FROM (
       SELECT (SELECT sum(cost_usd)::float8 FROM pullwright.ledger WHERE task_id = tasks.id) AS usd
       FROM pullwright.tasks WHERE repo_id = $1 AND goal = $2 AND state IN ('succeeded', 'failed')
       ORDER BY created_at DESC LIMIT 20
     ) AS past WHERE usd > 0`,
    [of.repoId, of.goal],
  );
  if (!row || row.median === null || row.high === null) return null;
  return { runs: row.runs, medianUsd: row.median, highUsd: row.high };
}

/** USD of all attempts. */
export async function spentOnTask(sql: Sql, taskId: TaskId): Promise<number> {
  return sum(sql, "task_id = $1", [taskId]);
}

/** USD since `since` (epoch milliseconds): of everyone, of an installation, or of one repository. */
export async function spentSince(
  sql: Sql,
  {
    since,
    installationId = null,
    repoId = null,
  }: {
    readonly since: number;
    readonly installationId?: number | null;
    readonly repoId?: number | null;
  },
): Promise<number> {
  const where = `at >= to_timestamp($1::float8 / 1000) AND ($2::bigint IS NULL OR installation_id = $2)
    AND ($3::bigint IS NULL OR repo_id = $3)`;
  return sum(sql, where, [since, installationId, repoId]);
}

async function sum(sql: Sql, where: string, values: readonly unknown[]): Promise<number> {
  const rows = await sql.query<{ usd: number }>(
    `SELECT coalesce(sum(cost_usd), 0) AS usd FROM pullwright.ledger WHERE ${where}`,
    values,
  );
  return rows[0]?.usd ?? 0;
}
