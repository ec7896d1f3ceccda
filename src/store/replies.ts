/** The response cache's rows. A repository sees its own only; all together stay within bounds, the oldest out first. */
import type { ReplyStore } from "../model/response-cache.ts";
import { redactSecrets } from "../policy/redact.ts";
import type { Sql } from "./database.ts";

/** Prompts, tools and models have changed by then, so an older reply would hardly be found and should not be believed. */
const KEPT_MS_MAX = 30 * 24 * 60 * 60_000;

/** Eight times the longest reply a run asks for (32,000 tokens, thinking and its opaque twin included). */
const ENTRY_BYTES_MAX = 1_000_000;

/** Of all repositories: some ten thousand replies. A database that also holds the journals must not notice it. */
const TOTAL_BYTES_MAX = 256_000_000;

/**
 * Looking for what is too much reads the whole index (50 ms at the limit), so one key in sixteen does it; a key is a hash in hex.
 * What comes in between two of them is little against the limit.
 */
const CLEARS_UP = /^0/;

export type ReplyLimits = {
  readonly keptMsMax?: number;
  readonly entryBytesMax?: number;
  readonly totalBytesMax?: number;
};

type Desk = ReplyLimits & {
  readonly repoId: number;
  /** Our own keys. A reply that repeats one, or anything shaped like a credential, is not kept: redacted it would be another reply. */
  readonly secrets: readonly string[];
  readonly now: () => number;
};

/** Epoch milliseconds come from `now`. Two workers that keep one key at once: the later one stands, and no read sees half. */
export function postgresReplies(sql: Sql, desk: Desk): ReplyStore {
  const { repoId, secrets, now } = desk;
  const { keptMsMax = KEPT_MS_MAX, entryBytesMax = ENTRY_BYTES_MAX, totalBytesMax = TOTAL_BYTES_MAX } = desk;
  return {
    async find(key) {
      const rows = await sql.query<{ reply: string }>(
        `SELECT reply FROM pullwright.replies
         WHERE repo_id = $1 AND key = $2 AND at > to_timestamp($3::float8 / 1000)`,
        [repoId, key, now() - keptMsMax],
      );
      return rows[0]?.reply ?? null;
    },
    async keep(key, reply) {
      const bytes = Buffer.byteLength(reply);
      if (bytes > entryBytesMax || redactSecrets(reply, secrets) !== reply) return;
      await sql.query(
        `INSERT INTO pullwright.replies (repo_id, key, reply, bytes, at)
         VALUES ($1, $2, $3, $4, to_timestamp($5::float8 / 1000))
         ON CONFLICT (repo_id, key) DO UPDATE SET reply = excluded.reply, bytes = excluded.bytes, at = excluded.at`,
        [repoId, key, reply, bytes, now()],
      );
      if (CLEARS_UP.test(key)) await forgetOldest(sql, { olderThan: now() - keptMsMax, totalBytesMax });
    },
  };
}

/** What another worker is about to delete or to renew is skipped, so that two of them never wait for each other. */
async function forgetOldest(
  sql: Sql,
  { olderThan, totalBytesMax }: { readonly olderThan: number; readonly totalBytesMax: number },
): Promise<void> {
  await sql.query(
    `DELETE FROM pullwright.replies WHERE (repo_id, key) IN (
       SELECT repo_id, key FROM pullwright.replies
       WHERE at <= to_timestamp($1::float8 / 1000) OR (repo_id, key) IN (
         SELECT repo_id, key FROM (
           SELECT repo_id, key, sum(bytes) OVER (ORDER BY at DESC, repo_id, key) AS bytes_so_far FROM pullwright.replies
         ) AS newest_first WHERE bytes_so_far > $2
       ) FOR UPDATE SKIP LOCKED
     )`,
    [olderThan, totalBytesMax],
  );
}
