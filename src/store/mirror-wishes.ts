/**
 * Tells all workers, each of which has mirrors of its own, that one will be wanted soon. A hint: who is not there misses it, and the task
 * itself fetches what it needs.
 */
import { z } from "zod";
import type { MirrorWish } from "../repo-event.ts";
import type { Database, Sql } from "./database.ts";

const CHANNEL = "pullwright_mirrors";

const Wish = z.object({
  repo: z.object({ installationId: z.number(), id: z.number(), owner: z.string(), name: z.string() }),
  defaultBranch: z.string().nullable(),
  onlyWhereMirrored: z.boolean(),
});

/** Heard when `tx` commits. A notification holds 8000 bytes (PostgreSQL's NOTIFY); names of GitHub's are far shorter. */
export async function announceMirrorWish(tx: Sql, wish: MirrorWish): Promise<void> {
  await tx.query("SELECT pg_notify($1, $2)", [CHANNEL, JSON.stringify(wish)]);
}

/** Calls `hear` for each until what it resolves to is called. */
export function hearMirrorWishes(
  database: Pick<Database, "listen">,
  hear: (wish: MirrorWish) => void,
): Promise<() => Promise<void>> {
  return database.listen(CHANNEL, (payload) => {
    // "" says that the connection was lost; what was said meanwhile is nobody's loss.
    if (payload !== "") hear(Wish.parse(JSON.parse(payload)));
  });
}
