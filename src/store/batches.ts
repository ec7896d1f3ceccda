/** Questions that were put into a vendor's batch, and their answers as they came, until the run has surely read them. */
import type { BatchStore } from "../model/batch-wire.ts";
import type { Row, Sql } from "./database.ts";

/** Vendors end a batch after a day. A run that has not come back for its answer within a week will not come. */
const KEPT_MS_MAX = 7 * 24 * 60 * 60_000;

/** Several times what a reply within a run's output limit can be; a longer result is kept as none at all. */
const RESULT_BYTES_MAX = 8_000_000;

export function postgresBatches(sql: Sql): BatchStore {
  return { ...questions(sql), ...answers(sql) };
}

function questions(sql: Sql): Pick<BatchStore, "find" | "claim" | "place" | "unclaim" | "forget"> {
  return {
    async find(key) {
      const [row] = await sql.query<PlacedRow>(
        "SELECT claimed_at, batch_id, result FROM pullwright.batch_requests WHERE key = $1",
        [key],
      );
      return row ? { claimedAt: row.claimed_at.getTime(), batchId: row.batch_id, result: row.result } : null;
    },
    async claim(key, { at, staleBefore }) {
      await sql.query("DELETE FROM pullwright.batch_requests WHERE claimed_at < to_timestamp($1::float8 / 1000)", [
        at - KEPT_MS_MAX,
      ]);
      const rows = await sql.query(
        `INSERT INTO pullwright.batch_requests AS known (key, claimed_at) VALUES ($1, to_timestamp($2::float8 / 1000))
         ON CONFLICT (key) DO UPDATE SET claimed_at = excluded.claimed_at
         WHERE known.batch_id IS NULL AND known.claimed_at < to_timestamp($3::float8 / 1000) RETURNING key`,
        [key, at, staleBefore],
      );
      return rows.length > 0;
    },
    async place(keys, batchId) {
      await sql.query("UPDATE pullwright.batch_requests SET batch_id = $2 WHERE key = ANY($1)", [keys, batchId]);
    },
    async unclaim(keys) {
      await sql.query("DELETE FROM pullwright.batch_requests WHERE key = ANY($1) AND batch_id IS NULL", [keys]);
    },
    async forget(key) {
      await sql.query("DELETE FROM pullwright.batch_requests WHERE key = $1", [key]);
    },
  };
}

function answers(sql: Sql): Pick<BatchStore, "settle" | "settleRest" | "take"> {
  return {
    async settle(batchId, { key, result }) {
      const kept = Buffer.byteLength(result) > RESULT_BYTES_MAX ? "null" : result;
      await sql.query("UPDATE pullwright.batch_requests SET result = $3 WHERE batch_id = $1 AND key = $2", [
        batchId,
        key,
        kept,
      ]);
    },
    async settleRest(batchId, result) {
      await sql.query("UPDATE pullwright.batch_requests SET result = $2 WHERE batch_id = $1 AND result IS NULL", [
        batchId,
        result,
      ]);
    },
    async take(key) {
      const rows = await sql.query(
        "UPDATE pullwright.batch_requests SET taken = true WHERE key = $1 AND NOT taken RETURNING key",
        [key],
      );
      return rows.length > 0;
    },
  };
}

type PlacedRow = Row & { readonly claimed_at: Date; readonly batch_id: string | null; readonly result: string | null };
