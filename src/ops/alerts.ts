/**
 * Tells whoever pays: an alert when a day's limit is nearly reached, and a digest of yesterday. What a run noted is sent here, by one
 * worker of all, to a webhook that takes JSON as Slack does; without one it is written to the log.
 */
import { TransientError } from "../failure.ts";
import { nameDay } from "../policy/spending.ts";
import { startOfDay } from "../policy/budget.ts";
import { isNoted, listDue, noteAlert, sendOnce, type AlertKind } from "../store/alerts.ts";
import type { Database } from "../store/database.ts";
import { readCostliest, readSpending } from "../store/spending.ts";
import { planDigest, renderDigest } from "./digest.ts";

export type SpendingWatchParts = {
  readonly database: Database;
  /** Its path is a secret at Slack and most others, so it never stands in a log. Null: the log is all there is. */
  readonly alertUrl: string | null;
  /** Where the forge's pages are: https://github.com. */
  readonly webUrl: string;
  readonly now: () => number;
  readonly log: { readonly info: Say; readonly warn: Say };
};

type Say = (facts: object, message: string) => void;

/** An alert is for people, who do not look more often. */
const LOOK_MS = 60_000;
const POST_MS_MAX = 10_000;
const DAY_MS = 86_400_000;
const DEAREST = 5;

/** Looks at once and then every minute, until it is disposed of. */
export function watchSpending(parts: SpendingWatchParts): AsyncDisposable {
  const ending = new AbortController();
  let looking = Promise.resolve();
  const look = () => {
    looking = looking
      .then(() => lookAtSpending(parts, ending.signal))
      .catch((error: unknown) => {
        // What was not sent waits in the database for the next look.
        if (!ending.signal.aborted) parts.log.warn({ err: error }, "spending could not be looked at");
      });
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      ending.abort();
      await looking;
    },
  };
}

/** Notes yesterday's digest unless it is noted, and sends what waits. */
export async function lookAtSpending(parts: SpendingWatchParts, signal: AbortSignal): Promise<void> {
  const { database, now } = parts;
  await noteDigest(parts);
  // Without a webhook a repository's alert is a comment, which the run writes.
  const kinds: readonly AlertKind[] = parts.alertUrl === null ? ["installation", "digest"] : KINDS;
  for (const key of await listDue(database, kinds, now())) {
    signal.throwIfAborted();
    const sending = await sendOnce(database, { key, now: now() }, (message) => tell(parts, message, signal));
    if (sending.kind !== "failed") continue;
    const what = sending.isLast ? "alert given up" : "alert not sent, to be tried again";
    parts.log.warn({ key, err: sending.cause }, what);
  }
}

const KINDS: readonly AlertKind[] = ["repository", "installation", "digest"];

/** Cheap when it is noted, which it is but for the first look of a day. */
async function noteDigest({ database, webUrl, now }: SpendingWatchParts): Promise<void> {
  const at = now();
  const to = startOfDay(at);
  const span = { from: to - DAY_MS, to };
  const day = nameDay(span.from);
  if (await isNoted(database, `digest/${day}`)) return;
  const spending = await readSpending(database, span);
  const costliest = await readCostliest(database, span, DEAREST);
  const digest = planDigest({ day, spending, costliest, webUrl });
  if (digest === null) return;
  const message = { text: renderDigest(digest), ...digest };
  await noteAlert(database, { key: digest.key, kind: "digest", message, taskId: null, at });
}

async function tell({ alertUrl, log }: SpendingWatchParts, message: unknown, signal: AbortSignal): Promise<void> {
  if (alertUrl !== null) return post(alertUrl, message, signal);
  log.info({ spending: message }, "money of a day");
}

/** Throws TransientError for whatever keeps the receiver from taking it; its message tells no more of the address than the host. */
async function post(url: string, message: unknown, signal: AbortSignal): Promise<void> {
  const { host } = new URL(url);
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(message),
    redirect: "error", // An alert goes where the operator said, and nowhere else.
    signal: AbortSignal.any([signal, AbortSignal.timeout(POST_MS_MAX)]),
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new TransientError(`${host} cannot be reached: ${explain(error)}`);
  });
  await response.body?.cancel();
  if (!response.ok) throw new TransientError(`${host} answered ${response.status}`);
}

/** fetch says "fetch failed" and keeps the reason one level down. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
