/** How far the forge's delivery log was swept, and by whom it is being swept now. */
import type { Sql } from "./database.ts";

/** A server that was killed in the middle of a sweep leaves it to the next one after this time. */
const LEASE = "10 minutes";

/** Epoch ms up to which nothing is missing. Null while another server sweeps, and the first time ever: nothing was promised before. */
export async function beginSweep(sql: Sql, now: number): Promise<number | null> {
  const [row] = await sql.query<{ swept_to: Date; is_first: boolean }>(
    `INSERT INTO pullwright.sweeps AS s (name, swept_to, leased_until) VALUES ('deliveries', to_timestamp($1::float8 / 1000), '-infinity')
     ON CONFLICT (name) DO UPDATE SET leased_until = now() + interval '${LEASE}' WHERE s.leased_until < now()
     RETURNING swept_to, leased_until = '-infinity' AS is_first`,
    [now],
  );
  return row && !row.is_first ? row.swept_to.getTime() : null;
}

export async function endSweep(sql: Sql, sweptTo: number): Promise<void> {
  await sql.query(
    `UPDATE pullwright.sweeps SET swept_to = greatest(swept_to, to_timestamp($1::float8 / 1000)), leased_until = '-infinity'
     WHERE name = 'deliveries'`,
    [sweptTo],
  );
}
