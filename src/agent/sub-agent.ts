/**
 * An agent inside a run: its own conversation, a slice of the run's money, and only its report comes back. It has no sub-agents of
 * its own, since each level hides more of what was asked.
 */
import type { Journal, JournalEntry, SubAgentRole } from "../journal.ts";
import { TransientError, UserError } from "../failure.ts";
import type { RunLimits } from "../settings.ts";
import type { Toolset } from "../tools/toolset.ts";
import type { ModelChain } from "../model/model.ts";
import { SILENT } from "./inbox.ts";
import { AgentRun, type AgentEnd } from "./loop.ts";
import { readSpent, type Purse } from "./purse.ts";
import type { Past } from "./resumption.ts";
import { readSystemPrompt } from "./system-prompt.ts";

/** What sub-agents of one run share. */
export type SubAgentGround = {
  readonly journal: Journal;
  readonly purse: Purse;
  readonly limits: RunLimits;
  readonly cacheKey: string;
  /** Of the run: what its sub-agents had written is in it. */
  readonly past: Pick<Past, "written" | "isTreeRestored">;
  readonly now: () => number;
};

export type SubAgent = {
  /** Unique in the run; in the journal and in the vendor's cache key. */
  readonly id: string;
  readonly role: SubAgentRole;
  readonly models: ModelChain;
  readonly toolset: Toolset;
  readonly brief: string;
  readonly reports: () => number;
  /** Of the money that the run has left when it starts. */
  readonly share: number;
};

/** A question that takes more turns was too large for one. */
const TURNS_MAX = 40;
const WALL_MS_MAX = 15 * 60_000;

/** `failed`: its models could not be asked, in words for the asker. The run goes on without it. */
export type SubAgentEnd =
  { readonly kind: "ended"; readonly end: AgentEnd } | { readonly kind: "failed"; readonly why: string };

export async function runSubAgent(ground: SubAgentGround, it: SubAgent, signal: AbortSignal): Promise<SubAgentEnd> {
  const { journal, purse, limits, cacheKey, past, now } = ground;
  const written = readWritten(past.written, it.id);
  const before = readSpent(written);
  const leftUsd = Math.max(0, limits.usdMax - purse.spent().usd + before.usd);
  const run = new AgentRun({
    ...{ models: it.models, toolset: it.toolset, brief: it.brief, reports: it.reports, now },
    system: readSystemPrompt(it.role),
    journal: inside(journal, it),
    limits: {
      turnsMax: Math.min(TURNS_MAX, limits.turnsMax),
      wallMsMax: Math.min(WALL_MS_MAX, limits.wallMsMax),
      usdMax: leftUsd * it.share,
    },
    cacheKey: `${cacheKey}-${it.id}`,
    effort: it.role === "explorer" ? "low" : null, // Looking around needs many quick turns, not deep ones.
    purse: purse.slice(before),
    inbox: SILENT, // Whoever speaks, speaks to the run; its signal ends this one too.
    past: { written, workedMs: 0, isTreeRestored: past.isTreeRestored, note: null },
  });
  try {
    return { kind: "ended", end: await run.work(signal) };
  } catch (error) {
    // A helper that cannot be had must not cost the work it was to help with; another model of the chain was tried.
    if (error instanceof TransientError || error instanceof UserError) return { kind: "failed", why: error.message };
    throw error;
  }
}

/** What an earlier process wrote of this sub-agent: it goes on there. */
function readWritten(entries: readonly JournalEntry[], id: string): readonly JournalEntry[] {
  return entries.flatMap((entry) => (entry.kind === "sub-agent" && entry.id === id ? [entry.entry] : []));
}

function inside(journal: Journal, { id, role }: SubAgent): Journal {
  return {
    append: (entry) => journal.append({ kind: "sub-agent", id, role, entry }),
    read: async () => {
      const all = await journal.read();
      return all.flatMap(({ entry, ...stamp }) =>
        entry.kind === "sub-agent" && entry.id === id ? [{ ...stamp, entry: entry.entry }] : [],
      );
    },
  };
}
