/** The middle of a run, with or without a forge: the agent in its sandbox, its sub-agents and reviewer, and what it proposed. */
import type { ModelChain } from "../model/model.ts";
import { delegateTool } from "../agent/delegate.ts";
import type { Inbox } from "../agent/inbox.ts";
import { AgentRun, type AgentEnd } from "../agent/loop.ts";
import { openPurse, type Charge, type PurseSpent } from "../agent/purse.ts";
import { openReportingToolset } from "../agent/reporting.ts";
import type { SubAgentGround } from "../agent/sub-agent.ts";
import { readSystemPrompt } from "../agent/system-prompt.ts";
import type { CommandRun, Journal, JournalEntry, PlanStep } from "../journal.ts";
import type { ModelRole } from "../model/roles.ts";
import type { SecondOpinion } from "../outcome.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import type { RunLimits } from "../settings.ts";
import type { Report } from "../tools/report.ts";
import { unreachable } from "../failure.ts";
import { seekOpinion } from "./second-opinion.ts";

export type Work = {
  readonly goal: "change" | "review";
  readonly openModels: (role: ModelRole) => Promise<ModelChain>;
  readonly session: SandboxSession;
  /** The same workspace, where nothing can be written. */
  readonly readOnlySession: SandboxSession;
  readonly brief: string;
  /** The part of the brief that sub-agents get as well. */
  readonly guidance: string;
  readonly journal: Journal;
  readonly limits: RunLimits;
  readonly cacheKey: string;
  readonly charge: Charge;
  readonly inbox: Inbox;
  /** What an earlier process of this run wrote; [] for a fresh start. */
  readonly written: readonly JournalEntry[];
  /** Null when no second opinion is wanted. */
  readonly opinion: { readonly readDiff: () => Promise<string>; readonly isTested: boolean } | null;
  readonly now: () => number;
};

export type WorkEnd = {
  readonly end: AgentEnd;
  /** What the agent handed in with its report tool, null when it never did. */
  readonly report: Report | null;
  readonly opinion: SecondOpinion | null;
  /** Commands it ran, in order, as evidence. */
  readonly commands: readonly CommandRun[];
};

/** Runs the agent to its end. Nothing here reaches a forge; a limit is an end, a dead vendor throws. */
export async function work(it: Work, signal: AbortSignal): Promise<WorkEnd> {
  const { journal, limits, cacheKey, inbox, now, session, readOnlySession, written } = it;
  const purse = openPurse(it.charge, readSpent(written));
  const ground: SubAgentGround = { journal, purse, limits, cacheKey, now };
  const models = await it.openModels(it.goal === "review" ? "reviewer" : "author");
  const openModels = (role: ModelRole | "explorer" | "test-writer") => it.openModels(MODELS_OF[role]);
  const { toolset, reports, report } = openReportingToolset({
    ...{ session, goal: it.goal, editing: models[0].facts.editing },
    more: [delegateTool({ ground, openModels, session, readOnlySession, guidance: it.guidance })],
    onPlan: (steps: readonly PlanStep[]) => journal.append({ kind: "plan-updated", steps }),
  });
  const system = readSystemPrompt(it.goal === "review" ? "reviewer" : "author");
  const about = { models, toolset, system, reports, brief: it.brief, effort: null };
  const author = new AgentRun({ ...about, journal, limits, cacheKey, purse, inbox, written, now });
  const handedIn = await author.work(signal);
  const isJudged = it.opinion !== null && report()?.kind === "change";
  const { end, opinion } = isJudged
    ? await seekOpinion(
        { ...it.opinion, ground, session, readOnlySession, models: await openModels("reviewer"), brief: it.brief },
        author,
        handedIn,
        signal,
      )
    : { end: handedIn, opinion: null };
  // The reviewer's money was spent after the author's last word.
  const spend = { ...end.spend, ...purse.spent() };
  return { end: { ...end, spend }, report: report(), opinion, commands: await readCommands(journal) };
}

/** Looking around needs no strong model; whoever did not write it tests it. */
const MODELS_OF = {
  author: "author",
  reviewer: "reviewer",
  small: "small",
  explorer: "small",
  "test-writer": "reviewer",
} as const;

/** USD and tokens of all replies in these entries, those of sub-agents too. */
export function readSpent(entries: readonly JournalEntry[]): PurseSpent {
  const spent = { usd: 0, inputTokens: 0, outputTokens: 0 };
  for (const entry of entries) {
    const reply = entry.kind === "sub-agent" ? entry.entry : entry;
    if (reply.kind !== "model-replied" && reply.kind !== "summarised") continue;
    const { input, cachedRead, cacheWrite, output } = reply.usage;
    spent.usd += reply.costUsd;
    spent.inputTokens += input + cachedRead + cacheWrite;
    spent.outputTokens += output;
  }
  return spent;
}

async function readCommands(journal: Journal): Promise<readonly CommandRun[]> {
  const entries = await journal.read();
  return entries.flatMap(({ entry }) => (entry.kind === "tool-observed" && entry.command ? [entry.command] : []));
}

/** Words for a change when the model gave none: its last text, or an honest sentence. */
export function wordsOf(
  { end, report }: WorkEnd,
  fallbackTitle: string,
): { title: string; summary: string; notDone: string } {
  switch (report?.kind) {
    case "change":
      return { title: report.title, summary: report.summary, notDone: report.notDone };
    case "review":
    case "answer":
    case "refusal":
    case undefined:
      return { title: fallbackTitle, summary: end.lastText || "The agent ended without a report.", notDone: "" };
    default:
      return unreachable(report);
  }
}
