/**
 * Deliveries that never reached us: GitHub tries each once, so while we were away they are only in the App's log. At the start and
 * every hour what we do not know is fetched from there and taken as if it had been delivered.
 */
import type { Rules } from "../trigger/decide.ts";
import { readDelivery, type Accept, type Log } from "./app.ts";

/** As forge/github-deliveries.ts has it. */
type Logged = { readonly id: number; readonly guid: string; readonly event: string; readonly deliveredAt: string };
type Page = { readonly deliveries: readonly Logged[]; readonly next: string | null };

export type SweepParts = {
  readonly page: (of: { readonly cursor: string | null; readonly failedOnly: boolean }) => Promise<Page>;
  /** Null when it is gone. */
  readonly payload: (id: number) => Promise<unknown>;
  /** Those of the guids that were recorded. */
  readonly known: (guids: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Until when (epoch ms) everything is known; null when another server sweeps now, or there is nothing to look back to. */
  readonly begin: () => Promise<number | null>;
  readonly end: (sweptTo: number) => Promise<void>;
  readonly accept: Accept;
  readonly rules: Rules;
  readonly now: () => number;
  readonly log: Log;
  /** Aborted when the server stops: the rest is for the next sweep. */
  readonly stopping: AbortSignal;
};

/** Requests, so that a sweep never eats up the 5,000 an hour that GitHub grants. Twice: everything, then what failed. */
const PAGES_MAX = 20;
/** The rest is the next sweep's; GitHub's log goes back three days. */
const TAKEN_MAX = 1_000;
/** GitHub's clock and ours, and deliveries that are on their way while we look. */
const OVERLAP_MS = 10 * 60_000;

export async function sweepDeliveries(parts: SweepParts): Promise<void> {
  const startedAt = parts.now();
  const since = await parts.begin();
  if (since === null) return;
  let sweptTo = since;
  let taken = 0;
  try {
    const missed = await findMissed(parts, since - OVERLAP_MS);
    // Oldest first, as they would have come.
    for (const delivery of missed.slice(0, TAKEN_MAX)) {
      parts.stopping.throwIfAborted();
      if (await take(parts, delivery)) taken++;
      sweptTo = Math.max(sweptTo, Date.parse(delivery.deliveredAt));
    }
    if (missed.length <= TAKEN_MAX) sweptTo = Math.max(sweptTo, startedAt);
    if (missed.length > 0) parts.log.info({ missed: missed.length, taken }, "missed deliveries taken");
  } finally {
    await parts.end(sweptTo);
  }
}

/** By their first try, oldest first; each once, however often GitHub tried. */
async function findMissed(parts: SweepParts, since: number): Promise<readonly Logged[]> {
  const seen = new Map<string, Logged>();
  const isWhole = await readLog(parts, { since, failedOnly: false, seen });
  // Of a busy App the whole log is long; what failed is not.
  if (!isWhole) await readLog(parts, { since, failedOnly: true, seen });
  const known = await parts.known([...seen.keys()]);
  return [...seen.values()]
    .filter(({ guid }) => !known.has(guid))
    .toSorted((a, b) => Date.parse(a.deliveredAt) - Date.parse(b.deliveredAt) || a.id - b.id);
}

type Reading = { readonly since: number; readonly failedOnly: boolean; readonly seen: Map<string, Logged> };

/** False when the log went on beyond what is read. */
async function readLog(parts: SweepParts, { since, failedOnly, seen }: Reading): Promise<boolean> {
  let cursor: string | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    parts.stopping.throwIfAborted();
    const page: Page = await parts.page({ cursor, failedOnly });
    for (const delivery of page.deliveries) {
      if (Date.parse(delivery.deliveredAt) < since) return true;
      seen.set(delivery.guid, delivery);
    }
    if (page.next === null) return true;
    cursor = page.next;
  }
  return false;
}

async function take(parts: SweepParts, { id, guid, event }: Logged): Promise<boolean> {
  const payload = await parts.payload(id);
  if (payload === null) return false;
  const delivery = readDelivery({ guid, event, payload }, parts.rules);
  await parts.accept(delivery);
  parts.log.info({ delivery: guid, event: delivery.name, decision: delivery.decision.kind }, "missed delivery taken");
  return true;
}
