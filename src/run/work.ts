/** The middle of a run, with or without a forge: the agent in its sandbox, its sub-agents and reviewer, and what it proposed. */
import type { ModelChain } from "../model/model.ts";
import { delegateTool } from "../agent/delegate.ts";
import type { Inbox } from "../agent/inbox.ts";
import { AgentRun, type AgentEnd } from "../agent/loop.ts";
import { openPurse, type Charge, type PurseSpent } from "../agent/purse.ts";
import { openReportingToolset, traits } from "../agent/reporting.ts";
import type { Past } from "../agent/resumption.ts";
import type { SubAgentGround } from "../agent/sub-agent.ts";
import { readSystemPrompt } from "../agent/system-prompt.ts";
import type { CommandRun, Journal, JournalEntry, PlanStep } from "../journal.ts";
import type { ModelRole } from "../model/roles.ts";
import type { SecondOpinion } from "../outcome.ts";
import type { BudgetState } from "../policy/budget.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import type { RunLimits } from "../settings.ts";
import type { Report } from "../tools/report.ts";
import type { FindBrowser } from "../tools/find-browser.ts";
import { unreachable } from "../failure.ts";
import { seekOpinion } from "./second-opinion.ts";

export type Work = {
  readonly goal: "change" | "review";
  readonly openModels: (role: ModelRole) => Promise<ModelChain>;
  readonly findBrowser: FindBrowser;
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
  readonly past: Past;
  /** What earlier attempts have paid, those included that this one does not go on from. */
  readonly paid: PurseSpent;
  readonly today: BudgetState;
  /** All that was written up to now, by earlier attempts too. */
  readonly entries: () => Promise<readonly JournalEntry[]>;
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
  const { journal, limits, cacheKey, inbox, now, session, readOnlySession, past } = it;
  const purse = openPurse(it.charge, it.paid, it.today);
  const ground: SubAgentGround = { journal, purse, limits, cacheKey, past, now };
  const [models, browser] = await Promise.all([
    it.openModels(it.goal === "review" ? "reviewer" : "author"),
    it.findBrowser(session, signal),
  ]);
  const openModels = (role: ModelRole | "explorer" | "test-writer") => it.openModels(MODELS_OF[role]);
  const { toolset, reports, report } = openReportingToolset({
    ...{ session, goal: it.goal, browser, ...traits(models[0]) },
    more: [delegateTool({ ground, openModels, session, readOnlySession, guidance: it.guidance })],
    onPlan: (steps: readonly PlanStep[]) => journal.append({ kind: "plan-updated", steps }),
  });
  const system = readSystemPrompt(it.goal === "review" ? "reviewer" : "author");
  const about = { models, toolset, system, reports, brief: it.brief, effort: null };
  const author = new AgentRun({ ...about, journal, limits, cacheKey, purse, inbox, past, now });
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
  return { end: { ...end, spend }, report: report(), opinion, commands: readCommands(await it.entries()) };
}

/** Looking around needs no strong model; whoever did not write it tests it. */
const MODELS_OF = {
  author: "author",
  reviewer: "reviewer",
  small: "small",
  explorer: "small",
  "test-writer": "reviewer",
} as const;

function readCommands(entries: readonly JournalEntry[]): readonly CommandRun[] {
  return entries.flatMap((entry) => (entry.kind === "tool-observed" && entry.command ? [entry.command] : []));
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
