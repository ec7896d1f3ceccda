/** A task's work at its desk: checks as they stand and a brief, or what an attempt before had settled of them, then the agent with its reviewer. */
import type { CommandRun, Journal } from "../journal.ts";
import type { BudgetState } from "../policy/budget.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import type { RunLimits } from "../settings.ts";
import type { Task } from "../task.ts";
import { readDiff, snapshot } from "../workspace/snapshot.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { renderBrief, renderGuidance } from "./brief.ts";
import type { Checkout } from "./checkout.ts";
import type { DecideParts } from "./decide-outcome.ts";
import { gatherBrief, gatherGuidance } from "./gather.ts";
import type { Ledger } from "./records.ts";
import type { RepoSettings } from "./repo-settings.ts";
import type { Start } from "./start.ts";
import { TreeKeeper } from "./tree-keeper.ts";
import { recordChecks } from "./verify.ts";
import { work, type WorkEnd } from "./work.ts";

export type TaskDesk = {
  readonly task: Task;
  readonly checkout: Checkout;
  readonly workspace: Workspace;
  readonly session: SandboxSession;
  readonly readOnlySession: SandboxSession;
  readonly settings: RepoSettings;
  readonly ledger: Ledger;
  readonly today: BudgetState;
  readonly start: Start;
  /** What the brief says of the set-up. */
  readonly installed: string;
};

export type Worked = {
  readonly worked: WorkEnd;
  /** The checks before anything was changed. */
  readonly before: readonly CommandRun[];
};

export async function workTask(parts: DecideParts, desk: TaskDesk, signal: AbortSignal): Promise<Worked> {
  const { task, workspace, session, readOnlySession, settings, ledger, start } = desk;
  const isReview = task.goal === "review";
  const { brief, guidance, before } = await settle(parts, desk, signal);
  const wantsOpinion = parts.wantsOpinion && settings.second_opinion.enabled;
  const readWork = async () => {
    const tree = await snapshot(workspace, signal);
    return await readDiff(workspace.place, workspace.baseSha, tree);
  };
  const review = isReview ? { repoId: task.repo.id, mayWait: task.origin.kind === "automatic" } : null;
  const journal: Journal = isReview
    ? parts.journal
    : new TreeKeeper({ journal: parts.journal, workspace, packs: start.packs, now: parts.now }, signal);
  const own = async () => (await parts.journal.read()).map(({ entry }) => entry);
  const worked = await work(
    {
      goal: isReview ? "review" : "change",
      openModels: (role) => parts.openModels(role, settings, review),
      findBrowser: parts.findBrowser,
      ...{ session, readOnlySession, inbox: parts.inbox, journal, brief, guidance },
      ...{ past: start.past, paid: start.paid, today: desk.today, charge: ledger.charge, now: parts.now },
      entries: async () => [...start.past.written, ...(await own())],
      limits: narrowLimits(parts.limits, settings),
      opinion: isReview || !wantsOpinion ? null : { readDiff: readWork, isTested: settings.second_opinion.tests },
      cacheKey: task.id,
    },
    signal,
  );
  return { worked, before };
}

type Settled = { readonly brief: string; readonly guidance: string; readonly before: readonly CommandRun[] };

/** What stands before the first turn. An attempt that goes on takes it from the journal: its transcript must be the same to the byte. */
async function settle(parts: DecideParts, desk: TaskDesk, signal: AbortSignal): Promise<Settled> {
  const { task, checkout, session, settings, start } = desk;
  if (start.begun) {
    const { brief, before } = start.begun;
    return { brief, before, guidance: renderGuidance(await gatherGuidance(checkout)) };
  }
  const checks = task.goal === "review" ? [] : settings.checks;
  const before = await recordChecks({ journal: parts.journal, session, commands: checks }, signal);
  const gathered = await gatherBrief(parts.reader, task, checkout, before);
  const { baseSha, headSha } = checkout;
  const guidance = gathered.guidance.files.map(({ path }) => path);
  await parts.journal.append({ kind: "workspace-ready", baseSha, headSha, guidance });
  const brief = [renderBrief(gathered), desk.installed].filter(Boolean).join("\n\n");
  return { brief, before, guidance: renderGuidance(gathered.guidance) };
}

/** A repository may lower its limits, never raise them above the installation's. */
function narrowLimits(limits: RunLimits, { limits: own }: RepoSettings): RunLimits {
  return {
    turnsMax: Math.min(limits.turnsMax, own.turns ?? Infinity),
    wallMsMax: Math.min(limits.wallMsMax, (own.minutes ?? Infinity) * 60_000),
    usdMax: Math.min(limits.usdMax, own.usd ?? Infinity),
  };
}
