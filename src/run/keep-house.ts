/** What a worker does at its start and every hour beside its runs: nobody who asked is forgotten, and nothing is kept for ever. */
import type { Logger } from "pino";
import type { Keep } from "../keep-settings.ts";
import { sweepBundles } from "../publish/result.ts";
import type { Queue } from "../queue/queue.ts";
import type { Sql } from "../store/database.ts";
import { expire } from "../store/expire.ts";
import { listPlaces } from "../store/results.ts";
import { rejoinLine } from "./rejoin-line.ts";

export type House = {
  readonly queue: Queue<Sql>;
  readonly database: Sql;
  /** Where bundles lie that are too large for the database. */
  readonly resultsDir: string;
  readonly keep: Keep;
  readonly now: () => number;
  readonly log: Pick<Logger, "info" | "warn">;
};

export async function keepHouse({ queue, database, resultsDir, keep, now, log }: House): Promise<void> {
  const rejoined = await rejoinLine(queue, database);
  if (rejoined.length > 0) log.warn({ tasks: rejoined }, "tasks without a job joined the line again");
  const expired = {
    ...(await expire(database, keep, now())),
    bundles: await sweepBundles(resultsDir, await listPlaces(database), now()),
  };
  if (Object.values(expired).some((count) => count > 0)) log.info(expired, "removed what was kept long enough");
}
