/**
 * Author and reviewer are two: when the author has handed in a change, another model, another vendor's where one is configured, sees
 * the task and the diff and nothing else. What blocks goes back to the author; the last verdict is shown with the work.
 */
import type { ModelChain } from "../model/model.ts";
import type { AgentEnd, AgentRun } from "../agent/loop.ts";
import { openReportingToolset, renderForAgent, renderReport, traits } from "../agent/reporting.ts";
import { runSubAgent, type SubAgentGround } from "../agent/sub-agent.ts";
import type { JournalEntry } from "../journal.ts";
import type { SecondOpinion } from "../outcome.ts";
import { fence } from "../publish/render.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";

/** How often the author gets the work back: a dispute that outlives two rounds is for people. */
const RETURNS_MAX = 2;
/** Of the money that is left, for one look; the author needs the rest to mend. */
const SHARE = 0.4;
/** Characters of the diff shown; the rest is read in the workspace. */
const DIFF_CHARS_MAX = 120_000;

export type OpinionParts = {
  readonly ground: SubAgentGround;
  readonly models: ModelChain;
  readonly session: SandboxSession;
  readonly readOnlySession: SandboxSession;
  /** The task and its data, as the author was told. */
  readonly brief: string;
  /** The work so far against its base, "" when nothing was changed. */
  readonly readDiff: () => Promise<string>;
  /** Whether the reviewer's model is to write tests for the change before it is looked at. */
  readonly isTested: boolean;
};

export type Judged = { readonly end: AgentEnd; readonly opinion: SecondOpinion | null };

/** The author's end after the last round, with the last verdict on it. */
export async function seekOpinion(
  parts: OpinionParts,
  author: AgentRun,
  handedIn: AgentEnd,
  signal: AbortSignal,
): Promise<Judged> {
  const { written } = parts.ground.past;
  let end = handedIn;
  let opinion = readOpinion(written);
  const isTested = opinion !== null || hasGoneOn(written, (entry) => entry.kind === "sub-agent" && entry.id === TESTS);
  if (parts.isTested && !isTested && end.ending.kind === "reported") end = await addTests(parts, author, end, signal);
  if (opinion && isLast(opinion)) return { end, opinion };
  const isReturned = hasGoneOn(written, ({ kind }) => kind === "second-opinion");
  if (opinion && !isReturned) end = await author.goOn(renderReturn(opinion), signal);
  for (let round = 1 + (opinion?.round ?? 0); round <= RETURNS_MAX + 1; round += 1) {
    const diff = end.ending.kind === "reported" ? await parts.readDiff() : "";
    if (diff === "") break; // Nothing to judge, or an end that nobody would go on from.
    opinion = await judge(parts, { round, diff }, signal);
    await parts.ground.journal.append({ kind: "second-opinion", ...opinion });
    if (isLast(opinion)) break;
    end = await author.goOn(renderReturn(opinion), signal);
  }
  return { end, opinion };
}

const TESTS = "tests";

/** The last verdict that an earlier attempt had. */
function readOpinion(written: readonly JournalEntry[]): SecondOpinion | null {
  const last = written.findLast((entry) => entry.kind === "second-opinion");
  if (last?.kind !== "second-opinion") return null;
  const { kind: _, ...opinion } = last;
  return opinion;
}

/** Whether the author has been spoken to since the last such entry, so that its own conversation says where it stands. */
function hasGoneOn(written: readonly JournalEntry[], isIt: (entry: JournalEntry) => boolean): boolean {
  const at = written.findLastIndex(isIt);
  return at >= 0 && written.slice(at).some(({ kind }) => kind === "steered" || kind === "model-replied");
}

function isLast({ verdict, round }: SecondOpinion): boolean {
  return verdict !== "blocks" || round > RETURNS_MAX;
}

type Round = { readonly round: number; readonly diff: string };

async function judge(parts: OpinionParts, { round, diff }: Round, signal: AbortSignal): Promise<SecondOpinion> {
  const { ground, models, readOnlySession } = parts;
  const { toolset, reports, report } = openReportingToolset({
    ...{ session: readOnlySession, goal: "review", ...traits(models[0]), onPlan: () => {} },
  });
  const brief = `${parts.brief}\n\n${renderChange(diff)}`;
  const about = { id: `opinion-${round}`, role: "reviewer", share: SHARE } as const;
  const ended = await runSubAgent(ground, { ...about, models, toolset, brief, reports }, signal);
  if (ended.kind === "failed") {
    return {
      round,
      model: models[0].id,
      verdict: "none",
      summary: `It could not be asked. ${ended.why}`,
      findings: [],
    };
  }
  const said = report();
  const { model } = ended.end.spend;
  if (said?.kind !== "review") {
    const summary = renderReport(said) || "The reviewer ended without a report.";
    return { round, model, verdict: "none", summary, findings: [] };
  }
  const blocks = said.findings.some(({ severity }) => severity === "P0" || severity === "P1");
  return { round, model, verdict: blocks ? "blocks" : "approves", summary: said.summary, findings: said.findings };
}

async function addTests(parts: OpinionParts, author: AgentRun, end: AgentEnd, signal: AbortSignal): Promise<AgentEnd> {
  const { ground, models, session } = parts;
  const diff = await parts.readDiff();
  if (diff === "") return end;
  const { toolset, reports, report } = openReportingToolset({
    ...{ session, goal: "change", ...traits(models[0]), onPlan: () => {} },
  });
  const brief = `${parts.brief}\n\n${renderChange(diff)}`;
  const about = { id: TESTS, role: "test-writer", share: SHARE } as const;
  await runSubAgent(ground, { ...about, models, toolset, brief, reports }, signal);
  const said = renderReport(report());
  if (said === "") return end;
  return await author.goOn(
    `Another engineer has written tests for your change; they are in the workspace. Mend what they show to be wrong, say which of them ` +
      `are wrong themselves, and report again.\n\n${said}`,
    signal,
  );
}

function renderChange(diff: string): string {
  const note =
    diff.length > DIFF_CHARS_MAX ? "\n\nThe diff is longer and was cut here: read the rest in the workspace." : "";
  return (
    `# The change to review\n\nSomeone has done the task above in your workspace; this is the difference to its base. Review it, not the ` +
    `task. P0 and P1 go back to the author.\n\n${fence(diff.slice(0, DIFF_CHARS_MAX), "diff")}${note}`
  );
}

function renderReturn({ model, summary, findings }: SecondOpinion): string {
  return (
    `A reviewer (${model}) looked at your change and has remarks. Check each against the code: mend what is right, leave what is ` +
    `wrong and say why in the report. Then report again, the whole change and not only this round.\n\n${summary}\n\n` +
    findings.map(renderForAgent).join("\n\n")
  );
}
