/** The ledger, summed up for people: by day, repository and model. Days are UTC, as the limits count them. */
import type { Usage } from "../journal.ts";
import type { Goal, TaskId, TaskRequest } from "../task.ts";
import type { ThreadRef } from "../repo-event.ts";
import type { Row, Sql } from "./database.ts";

/** Epoch milliseconds; `to` is not part of it. */
export type Span = { readonly from: number; readonly to: number };

export type Spending = {
  /** YYYY-MM-DD. */
  readonly day: string;
  /** "owner/name" as of its newest task, null for all repositories together. */
  readonly repository: string | null;
  /** Null for all models together. */
  readonly model: string | null;
  /** Attempts that were charged for at least one reply. */
  readonly runs: number;
  readonly usd: number;
  readonly tokens: Usage;
};

export type CostlyTask = {
  readonly repository: string;
  readonly thread: ThreadRef | null;
  readonly goal: Goal | null;
  readonly usd: number;
};

/** Each day by model, by repository and as a whole; in each day the dearest first. Days without a charge are left out. */
export async function readSpending(sql: Sql, { from, to }: Span): Promise<readonly Spending[]> {
  const rows = await sql.query<SpendingRow>(
    `SELECT to_char(day, 'YYYY-MM-DD') AS day, repo_id, model, sum(cost_usd) AS usd,
       count(DISTINCT (task_id, attempt)) AS runs, sum(input_tokens) AS input, sum(cached_read_tokens) AS cached_read,
       sum(cache_write_tokens) AS cache_write, sum(output_tokens) AS output, sum(reasoning_tokens) AS reasoning
     FROM (
       SELECT *, (at AT TIME ZONE 'UTC')::date AS day FROM pullwright.ledger
       WHERE at >= to_timestamp($1::float8 / 1000) AND at < to_timestamp($2::float8 / 1000)
     ) AS charged
     GROUP BY GROUPING SETS ((day, repo_id, model), (day, repo_id), (day))
     ORDER BY day, usd DESC, repo_id NULLS FIRST, model NULLS FIRST`,
    [from, to],
  );
  const names = await readNames(sql, new Set(rows.flatMap(({ repo_id: id }) => (id === null ? [] : [id]))));
  return rows.map(({ day, repo_id: id, model, runs, usd, input, cached_read, cache_write, output, reasoning }) => ({
    ...{ day, repository: id === null ? null : (names.get(id) ?? `repository ${id}`), model, runs, usd },
    tokens: { input, cachedRead: cached_read, cacheWrite: cache_write, output, reasoning },
  }));
}

/** Those that cost most in the span, dearest first. Of a task that is gone only its repository's name may be known. */
export async function readCostliest(sql: Sql, { from, to }: Span, count: number): Promise<readonly CostlyTask[]> {
  const rows = await sql.query<CostlyRow>(
    `SELECT costly.repo_id, costly.usd, tasks.request FROM (
       SELECT task_id, min(repo_id) AS repo_id, sum(cost_usd) AS usd FROM pullwright.ledger
       WHERE at >= to_timestamp($1::float8 / 1000) AND at < to_timestamp($2::float8 / 1000)
       GROUP BY task_id ORDER BY usd DESC, task_id LIMIT $3
     ) AS costly LEFT JOIN pullwright.tasks ON tasks.id = costly.task_id ORDER BY costly.usd DESC, costly.task_id`,
    [from, to, count],
  );
  const names = await readNames(sql, new Set(rows.map(({ repo_id: id }) => id)));
  return rows.map(({ repo_id: id, usd, request }) => ({
    repository: names.get(id) ?? `repository ${id}`,
    thread: request?.thread ?? null,
    goal: request?.goal ?? null,
    usd,
  }));
}

async function readNames(sql: Sql, repoIds: ReadonlySet<number>): Promise<ReadonlyMap<number, string>> {
  const rows = await sql.query<{ repo_id: number; request: TaskRequest }>(
    `SELECT newest.* FROM unnest($1::bigint[]) AS repo (id), LATERAL (
       SELECT repo_id, request FROM pullwright.tasks WHERE repo_id = repo.id ORDER BY created_at DESC LIMIT 1
     ) AS newest`,
    [[...repoIds]],
  );
  return new Map(rows.map(({ repo_id: id, request: { repo } }) => [id, `${repo.owner}/${repo.name}`]));
}

type SpendingRow = Row & {
  readonly day: string;
  readonly repo_id: number | null;
  readonly model: string | null;
  readonly runs: number;
  readonly usd: number;
  readonly input: number;
  readonly cached_read: number;
  readonly cache_write: number;
  readonly output: number;
  readonly reasoning: number;
};

type CostlyRow = Row & {
  readonly task_id: TaskId;
  readonly repo_id: number;
  readonly usd: number;
  readonly request: TaskRequest | null;
};
