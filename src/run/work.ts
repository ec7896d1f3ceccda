/** The middle of a run, with or without a forge: checks before, the agent in its sandbox, and what it proposed. */
import { runAgent, type AgentEnd } from "../agent/loop.ts";
import { readSystemPrompt } from "../agent/system-prompt.ts";
import type { CommandRun, Journal, PlanStep, Usage } from "../journal.ts";
import type { Model } from "../model/model.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import type { RunLimits } from "../settings.ts";
import type { ChangeReport, ReviewReport } from "../tools/report.ts";
import { openToolset } from "../tools/toolset.ts";
import { unreachable } from "../failure.ts";

export type Work = {
  readonly goal: "change" | "review";
  readonly model: Model;
  readonly session: SandboxSession;
  readonly brief: string;
  readonly journal: Journal;
  readonly limits: RunLimits;
  readonly cacheKey: string;
  readonly charge: (turn: number, model: string, usage: Usage, costUsd: number) => Promise<void>;
  readonly now: () => number;
};

export type WorkEnd = {
  readonly end: AgentEnd;
  /** What the agent handed in with its report tool, null when it never did. */
  readonly report: ChangeReport | ReviewReport | null;
  /** Commands it ran, in order, as evidence. */
  readonly commands: readonly CommandRun[];
};

/** Runs the agent to its end. Nothing here reaches a forge; a limit is an end, a dead vendor throws. */
export async function work(it: Work, signal: AbortSignal): Promise<WorkEnd> {
  let report: ChangeReport | ReviewReport | null = null;
  const toolset = openToolset({
    session: it.session,
    goal: it.goal,
    editing: it.model.facts.editing,
    onPlan: (steps: readonly PlanStep[]) => it.journal.append({ kind: "plan-updated", steps }),
    onReport: (value) => {
      report = value;
    },
  });
  const end = await runAgent(
    {
      model: it.model,
      toolset,
      system: readSystemPrompt(it.goal === "review" ? "reviewer" : "author"),
      ...{
        brief: it.brief,
        journal: it.journal,
        limits: it.limits,
        cacheKey: it.cacheKey,
        charge: it.charge,
        now: it.now,
      },
      hasReported: () => report !== null,
    },
    signal,
  );
  return { end, report, commands: await readCommands(it.journal) };
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
    case "refusal":
    case undefined:
      return { title: fallbackTitle, summary: end.lastText || "The agent ended without a report.", notDone: "" };
    default:
      return unreachable(report);
  }
}
