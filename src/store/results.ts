/** The commit of an attempt, durable before anything is pushed: as a git bundle and as a patch, for whoever has to get at the work by hand. */
import type { Row, Sql } from "./database.ts";
import { type Attempt, superseded } from "./tasks.ts";

/** Of a bundle, and of a patch, in bytes. Twice this passes through memory when it is read; few changes have a hundredth of it. */
export const RESULT_BYTES_MAX = 32 * 1024 * 1024;

export type Result = {
  readonly commit: string;
  /** The parent, which a bundle needs and does not hold. */
  readonly base: string;
  readonly bundle: Kept;
  readonly patch: Kept;
  /** "HOST:/path" of a bundle that is too large for the database, else null. */
  readonly place: string | null;
};

/** Null bytes: too large to be kept here. */
export type Kept = { readonly bytes: Buffer | null; readonly size: number };

/** Replaces what the attempt had kept. Throws when the attempt is superseded. */
export async function saveResult(sql: Sql, { taskId, attempt }: Attempt, result: Result): Promise<void> {
  const { commit, base, bundle, patch, place } = result;
  const rows = await sql.query(
    `INSERT INTO pullwright.results
       (task_id, attempt, commit_sha, base_sha, bundle, bundle_bytes, patch, patch_bytes, place)
     SELECT id, attempt, $3, $4, $5, $6, $7, $8, $9 FROM pullwright.tasks WHERE id = $1 AND attempt = $2
     ON CONFLICT (task_id, attempt) DO UPDATE SET commit_sha = excluded.commit_sha, base_sha = excluded.base_sha,
       bundle = excluded.bundle, bundle_bytes = excluded.bundle_bytes,
       patch = excluded.patch, patch_bytes = excluded.patch_bytes, place = excluded.place, at = now()
     RETURNING attempt`,
    [taskId, attempt, commit, base, bundle.bytes, bundle.size, patch.bytes, patch.size, place],
  );
  if (rows.length === 0) throw superseded({ taskId, attempt });
}

/** The newest of the task up to this attempt, which may have gone on with an earlier one's. Null when none had any. */
export async function findResult(sql: Sql, { taskId, attempt }: Attempt): Promise<Result | null> {
  const [row] = await sql.query<ResultRow>(
    `SELECT * FROM pullwright.results WHERE task_id = $1 AND attempt <= $2 ORDER BY attempt DESC LIMIT 1`,
    [taskId, attempt],
  );
  if (!row) return null;
  return {
    commit: row.commit_sha,
    base: row.base_sha,
    bundle: { bytes: row.bundle, size: Number(row.bundle_bytes) },
    patch: { bytes: row.patch, size: Number(row.patch_bytes) },
    place: row.place,
  };
}

/** Of all bundles that lie beside the database. */
export async function listPlaces(sql: Sql): Promise<readonly string[]> {
  const rows = await sql.query<{ place: string }>("SELECT place FROM pullwright.results WHERE place IS NOT NULL");
  return rows.map(({ place }) => place);
}

type ResultRow = Row & {
  readonly commit_sha: string;
  readonly base_sha: string;
  readonly bundle: Buffer | null;
  readonly bundle_bytes: number | string;
  readonly patch: Buffer | null;
  readonly patch_bytes: number | string;
  readonly place: string | null;
};
