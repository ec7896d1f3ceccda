/** What every model call cost. Charged before the next call starts, so that no budget is passed by more than one call. */
import type { Usage } from "../journal.ts";
import type { TaskId } from "../task.ts";
import type { Sql } from "./database.ts";
import type { Attempt } from "./tasks.ts";

export type Charge = Attempt & {
  readonly turn: number;
  readonly model: string;
  readonly usage: Usage;
  readonly costUsd: number;
  /** Epoch milliseconds. */
  readonly at: number;
};

/** Counts for the task's repository and installation. Also for a superseded attempt: the vendor was paid. */
export async function charge(sql: Sql, { taskId, attempt, turn, model, usage, costUsd, at }: Charge): Promise<void> {
  const { input, cachedRead, cacheWrite, output, reasoning } = usage;
  await sql.query(
    `INSERT INTO pullwright.ledger (task_id, attempt, turn, model, input_tokens, cached_read_tokens, cache_write_tokens,
       output_tokens, reasoning_tokens, cost_usd, at, installation_id, repo_id)
     SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, to_timestamp($11::float8 / 1000), installation_id, repo_id
     FROM pullwright.tasks WHERE id = $1`,
    [taskId, attempt, turn, model, input, cachedRead, cacheWrite, output, reasoning, costUsd, at],
  );
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
