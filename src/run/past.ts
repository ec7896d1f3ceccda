/** What earlier attempts of a task left in their journals: where the next one may go on. Pure. */
import { sinceLast, type CommandRun, type JournalEntry } from "../journal.ts";
import type { Outcome } from "../outcome.ts";
import type { AttemptEntry } from "../store/journal.ts";
import type { Charge, Charged } from "../store/ledger.ts";

/** A conversation with a model that was begun and has not ended. */
export type Begun = {
  readonly baseSha: string;
  readonly headSha: string;
  readonly brief: string;
  /** How the checks stood before anything was changed. */
  readonly before: readonly CommandRun[];
  /** The last one that was paid for. */
  readonly turn: number;
  /** From its brief on, of all attempts that took part. */
  readonly written: readonly JournalEntry[];
  readonly tree: KeptTree;
};

/** The work tree after the last observed call. */
export type KeptTree =
  | { readonly kind: "untouched" }
  | { readonly kind: "kept"; readonly tree: string }
  | { readonly kind: "missed"; readonly why: string };

/** Null when no reply was paid for since the last start: nothing is lost by starting anew. */
export function readBegun(earlier: readonly AttemptEntry[]): Begun | null {
  const entries = earlier.map(({ entry }) => entry);
  const at = entries.findLastIndex(({ kind }) => kind === "briefed");
  const briefed = entries[at];
  const written = entries.slice(at);
  const reply = written.findLast((entry) => entry.kind === "model-replied");
  const settled = entries.slice(0, Math.max(0, at));
  const ready = settled.findLast((entry) => entry.kind === "workspace-ready");
  if (briefed?.kind !== "briefed" || !reply || !ready) return null;
  const before = sinceLast(settled, "started").flatMap((entry) => (entry.kind === "verified" ? [entry.command] : []));
  const { baseSha, headSha } = ready;
  return { baseSha, headSha, brief: briefed.brief, before, turn: reply.turn, written, tree: readTree(written) };
}

function readTree(written: readonly JournalEntry[]): KeptTree {
  const last = written.findLast(({ kind }) => kind === "checkpointed" || kind === "checkpoint-missed");
  if (last?.kind === "checkpointed") return { kind: "kept", tree: last.tree };
  return last?.kind === "checkpoint-missed" ? { kind: "missed", why: last.why } : { kind: "untouched" };
}

/** The end an earlier attempt had come to, when it was lost before it had published everything. */
export function readReached(earlier: readonly AttemptEntry[]): Outcome | null {
  const finished = earlier.findLast(({ entry }) => entry.kind === "finished")?.entry;
  return finished?.kind === "finished" && finished.outcome.kind !== "failed" ? finished.outcome : null;
}

/** The time the attempts were at work, without that between them. */
export function workedMs(earlier: readonly AttemptEntry[]): number {
  let sum = 0;
  for (const [i, { attempt, at }] of earlier.entries()) {
    const before = earlier[i - 1];
    if (before?.attempt === attempt) sum += Math.max(0, at - before.at);
  }
  return sum;
}

/** Epoch milliseconds of the model's last word, the same for every attempt that hears no other; null before the first. */
export function lastReplyAt(entries: readonly { readonly at: number; readonly entry: JournalEntry }[]): number | null {
  return entries.findLast(({ entry }) => entry.kind === "model-replied")?.at ?? null;
}

/** Replies are journaled first and charged then, so a worker may be lost between the two. */
export function findUncharged(
  earlier: readonly AttemptEntry[],
  charged: readonly Charged[],
): readonly Omit<Charge, "taskId">[] {
  const left = charged.map(nameOf);
  const missing: Omit<Charge, "taskId">[] = [];
  for (const { attempt, at, entry } of earlier) {
    const reply = entry.kind === "sub-agent" ? entry.entry : entry;
    if (reply.kind !== "model-replied" && reply.kind !== "summarised") continue;
    const { turn, model, usage, costUsd } = reply;
    const found = left.indexOf(nameOf({ attempt, turn, model, usage }));
    if (found >= 0) left.splice(found, 1);
    else missing.push({ attempt, turn, model, usage, costUsd, at });
  }
  return missing;
}

function nameOf({ attempt, turn, model, usage }: Charged): string {
  const { input, cachedRead, cacheWrite, output, reasoning } = usage;
  return JSON.stringify([attempt, turn, model, input, cachedRead, cacheWrite, output, reasoning]);
}
