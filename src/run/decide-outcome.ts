/** Workspace, brief, agent, verification: how a run ends. Nothing is published here; the commit is kept before this returns. */
import type { ModelChain } from "../model/model.ts";
import { Superseded, type Inbox } from "../agent/inbox.ts";
import { UserError } from "../failure.ts";
import type { ForgeReader, ForgeWriter } from "../forge/forge.ts";
import type { CommandRun, CostEstimate, TreeJournal, TreePack } from "../journal.ts";
import type { ModelRole } from "../model/roles.ts";
import type { Check, Ending, Outcome } from "../outcome.ts";
import type { Voice } from "../publish/plan.ts";
import { renderCommitMessage } from "../publish/render.ts";
import { keepResult, type ResultShelf } from "../publish/result.ts";
import { lazySession } from "../sandbox/lazy-session.ts";
import { SANDBOX_LIMITS } from "../sandbox/limits.ts";
import type { Sandbox, SandboxSession } from "../sandbox/sandbox.ts";
import type { BudgetState } from "../policy/budget.ts";
import type { RunLimits } from "../settings.ts";
import type { Task } from "../task.ts";
import { layObjects } from "../workspace/lfs-tree.ts";
import { keepCommit } from "../workspace/mirror.ts";
import { readDiffLines } from "../review/anchor.ts";
import { selectFindings } from "../review/select.ts";
import { commitTree, listChanges, readDiff, snapshot } from "../workspace/snapshot.ts";
import { Workspace } from "../workspace/workspace.ts";
import type { AttemptEntry } from "../store/journal.ts";
import type { FindBrowser } from "../tools/find-browser.ts";
import type { Checkout } from "./checkout.ts";
import { describeCheckout } from "./checkout-notes.ts";
import { lastReplyAt, readBegun } from "./past.ts";
import type { Ledger } from "./records.ts";
import { EgressLog } from "./egress-log.ts";
import { readRepoSettings, type RepoSettings } from "./repo-settings.ts";
import { agentEgress, NOT_SET_UP, setUp, type SetUpParts } from "./set-up.ts";
import { openStart, putBack } from "./start.ts";
import { recordChecks } from "./verify.ts";
import { wordsOf, type WorkEnd } from "./work.ts";
import { workTask } from "./work-task.ts";

/**
 * The model of a role and those to fall back on; a repository may want others than the installation. A review's replies may be kept, and
 * one that nobody asked for may wait for a batch, if the repository's settings say so.
 */
export type OpenModels = (
  role: ModelRole,
  settings: Pick<RepoSettings, "models" | "review">,
  review: { readonly repoId: number; readonly mayWait: boolean } | null,
) => Promise<ModelChain>;

export type DecideParts = {
  readonly reader: ForgeReader;
  readonly writer: ForgeWriter;
  readonly sandbox: Sandbox;
  readonly setUp: SetUpParts;
  readonly openModels: OpenModels;
  readonly findBrowser: FindBrowser;
  readonly runsDir: string;
  readonly limits: RunLimits;
  readonly journal: TreeJournal;
  readonly attempt: number;
  /** What earlier attempts wrote, and what the work tree of the last of them is put back from. */
  readonly earlier: readonly AttemptEntry[];
  readonly readPacks: () => Promise<readonly TreePack[]>;
  readonly openLedger: (repoUsdMax: number | undefined) => Ledger;
  readonly estimate: () => Promise<CostEstimate | null>;
  readonly inbox: Inbox;
  readonly results: ResultShelf;
  readonly wantsOpinion: boolean;
  readonly now: () => number;
};

type About = { readonly task: Task; readonly checkout: Checkout; readonly voice: Voice };

export async function decideOutcome(parts: DecideParts, about: About, signal: AbortSignal): Promise<Outcome> {
  const { task, checkout } = about;
  const startedAt = parts.now();
  const settings = await readRepoSettings({ gitDir: checkout.mirror.gitDir, workTree: null }, checkout.baseSha);
  const isReview = task.goal === "review";
  const aside = isReview ? whyNoReview(task, checkout, settings) : null;
  if (isSuperseded(task, checkout)) return { kind: "superseded", headSha: checkout.newestHeadSha, spend: NO_SPEND };
  if (aside !== null) return { kind: "nothing-changed", summary: aside, ending: { kind: "reported" }, spend: NO_SPEND };

  const ledger = parts.openLedger(settings.limits.usd_per_day);
  // What was begun ends with what it has, rather than with nothing.
  const today = readBegun(parts.earlier) ? await ledger.dayState() : await requireMoney(parts, ledger);
  const { mirror, headSha } = checkout;
  await using workspace = await Workspace.open(
    { mirror, sha: headSha, runsDir: parts.runsDir, sparse: settings.checkout.sparse },
    signal,
  );
  const missing = settings.checkout.lfs
    ? await layObjects(workspace, { mirror, access: await parts.reader.readAccess(task.repo) }, signal)
    : null;
  const start = await openStart(parts, { checkout, workspace, isReview }, signal);
  const { treeDir, owner, layers } = workspace;
  const written = { owner, writtenDir: layers?.upperDir ?? null };
  const bare = { workspaceDir: treeDir, ...written, readOnlyPaths: [], limits: SANDBOX_LIMITS };
  const ground = { ...parts, parts: parts.setUp, opening: bare, workspace, checkout, repoId: task.repo.id, settings };
  await using ready = isReview && !settings.review.setup ? NOT_SET_UP : await setUp(ground, signal);
  await putBack(start, workspace, signal);
  await using log = new EgressLog(parts.journal, "agent");
  const opening = { ...bare, environment: ready.environment, egress: agentEgress(settings, parts.setUp.network, log) };
  await using session = await parts.sandbox.open({ ...opening, isReadOnly: isReview });
  await using readOnlySession = lazySession(() => parts.sandbox.open({ ...opening, isReadOnly: true }));
  const sessions = { session, readOnlySession };
  const notes = await describeCheckout({ place: workspace.place, sha: headSha, missing }, settings);
  const installed = [notes, ready.brief].filter((section) => section !== "").join("\n\n");
  const desk = { ...about, workspace, ...sessions, settings, ledger, today, start, installed };
  const { worked, before } = await workTask(parts, desk, signal);
  // What the asker waited for is the whole of it, checks included.
  const spend = { ...worked.end.spend, wallMs: parts.now() - startedAt + start.past.workedMs };
  const ended = { ...worked, end: { ...worked.end, spend } };
  if (ended.report?.kind === "refusal") return { kind: "refused", reason: ended.report.reason, spend };
  if (ended.end.ending.kind === "refused") return { kind: "refused", reason: DECLINED, spend };
  const ending = ended.end.ending;
  const { reason } = parts.inbox.stopped;
  if (isReview && ending.kind === "stopped" && reason instanceof Superseded) {
    return { kind: "superseded", headSha: reason.headSha, spend };
  }
  if (isReview) return await reviewed(ended, checkout, ending);
  return await changed(parts, { ...about, workspace, session, settings, before, ended, ending }, signal);
}

const NO_SPEND = {
  usd: 0,
  turns: 0,
  wallMs: 0,
  inputTokens: 0,
  outputTokens: 0,
  model: "no model",
  switches: [],
} as const;
const DECLINED = "The model declined this task.";

/** Nothing starts on a day whose money is spent; what it will probably cost is said before it is. */
async function requireMoney({ estimate, journal }: DecideParts, ledger: Ledger): Promise<BudgetState> {
  const day = await ledger.dayState();
  if (day.kind === "over") {
    throw new UserError(
      `The limit on ${day.limit} is used up. Ask again after 00:00 UTC, or ask whoever runs this App to raise it.`,
    );
  }
  const known = await estimate();
  if (known) await journal.append({ kind: "estimated", ...known });
  return day;
}

/** An automatic review of a commit that is no longer the head ends before it costs anything. */
function isSuperseded(task: Task, { newestHeadSha }: Checkout): boolean {
  return task.goal === "review" && task.origin.kind === "automatic" && task.headSha !== newestHeadSha;
}

/** An automatic review that the repository does not want ends before it costs anything. */
function whyNoReview(task: Task, { pull }: Checkout, settings: RepoSettings): string | null {
  if (task.origin.kind !== "automatic") return null;
  if (!settings.review.automatic) return "Automatic reviews are turned off for this repository.";
  if (pull?.state !== "open") return "The pull request is no longer open.";
  return pull.isDraft && !settings.review.drafts ? "Drafts are not reviewed in this repository." : null;
}

async function reviewed(ended: WorkEnd, { mirror, forkSha, headSha }: Checkout, ending: Ending): Promise<Outcome> {
  const report = ended.report?.kind === "review" ? ended.report : null;
  const diff = await readDiff({ gitDir: mirror.gitDir, workTree: null }, forkSha, headSha);
  const selection = selectFindings(report?.findings ?? [], readDiffLines(diff));
  const summary = report?.summary ?? wordsOf(ended, "").summary;
  return { kind: "reviewed", headSha, summary, ...selection, ending, spend: ended.end.spend };
}

type Change = About & {
  readonly workspace: Workspace;
  readonly session: SandboxSession;
  readonly settings: RepoSettings;
  readonly before: readonly CommandRun[];
  readonly ended: WorkEnd;
  readonly ending: Ending;
};

async function changed(parts: DecideParts, it: Change, signal: AbortSignal): Promise<Outcome> {
  const { task, checkout, workspace, ended, ending } = it;
  const tree = await snapshot(workspace, signal);
  const files = await listChanges(workspace.place, workspace.baseSha, tree);
  const words = wordsOf(ended, `Work on #${task.thread.number}`);
  if (files.length === 0) return { kind: "nothing-changed", summary: words.summary, ending, spend: ended.end.spend };
  // Checked after the snapshot: what a test run leaves behind is not part of the change.
  const commands = it.settings.checks;
  const after = await recordChecks({ journal: parts.journal, session: it.session, commands }, signal);
  const identity = await parts.writer.identity(task.repo);
  const said = { title: it.voice.sayTitle(words.title), summary: it.voice.say(words.summary) };
  // Dated by the model's last word, so that an attempt that has to make it again makes the same commit.
  const at = lastReplyAt([...parts.earlier, ...(await parts.journal.read())]) ?? parts.now();
  const commit = await commitTree(workspace, tree, { message: renderCommitMessage(said, task.asker), identity, at });
  await keepCommit(checkout.mirror, workspace.gitDir, commit, task.id);
  await keepResult(parts.results, { mirror: checkout.mirror, taskId: task.id, commit });
  const checks: Check[] = after.map((run, i) => ({ command: run.command, before: it.before[i] ?? null, after: run }));
  const { opinion, end } = ended;
  return {
    kind: "changed",
    ...words,
    commit,
    files,
    commands: ended.commands,
    checks,
    opinion,
    ending,
    spend: end.spend,
  };
}
