/** The progress comment: a reader of the journal. Owned by the harness; the model contributes only its plan's words. */
import { sinceLast, type JournalEntry, type PlanStep, type RecordedEntry } from "../journal.ts";
import type { Outcome } from "../outcome.ts";
import { unreachable } from "../failure.ts";
import { renderSetUp } from "./render-set-up.ts";
import { duration, joinSections as join, money, renderFixReply, renderSpend } from "./render.ts";
import { renderWork, type Work } from "./render-work.ts";

export type ProgressFacts = {
  readonly usdMax: number;
  readonly now: number;
  /** To be shown when it is on no branch that was asked for. */
  readonly work: Work | null;
};

/** The comment as it should stand after these entries. `failure` is why publishing itself failed, in words for the asker. */
export function renderProgress(
  entries: readonly RecordedEntry[],
  facts: ProgressFacts,
  failure: string | null,
): string {
  const finished = entries.findLast(({ entry }) => entry.kind === "finished");
  if (failure !== null) return renderFailed([failure, renderPushed(entries)], facts.work, finished?.entry);
  if (finished?.entry.kind !== "finished") return renderWorking(entries, facts);
  return join([renderEnd(finished.entry.outcome, entries, facts), renderSetUp(entries)]);
}

function renderWorking(entries: readonly RecordedEntry[], facts: ProgressFacts): string {
  const startedAt = entries.find(({ entry }) => entry.kind === "started")?.at ?? facts.now;
  const spent = entries.reduce((sum, { entry }) => sum + costOf(entry), 0);
  const told = entries.map(({ entry }) => entry);
  const own = sinceLast(told, "restarted");
  const turns = own.filter(({ kind }) => kind === "model-replied").length;
  const plan = own.findLast(({ kind }) => kind === "plan-updated");
  const called = own.findLast(({ kind }) => kind === "tool-called");
  const heard = entries.flatMap(({ entry }) => (entry.kind === "steered" && entry.by !== undefined ? [entry.by] : []));
  const numbers = `${duration(facts.now - startedAt)} · turn ${turns} · ${money(spent)} of at most ${money(facts.usdMax)}`;
  return join([
    `**Working:** ${renderStep(told)}`,
    plan?.kind === "plan-updated" ? renderPlan(plan.steps) : "",
    called?.kind === "tool-called" ? `Last: ${renderCall(called)}` : "",
    heard.length === 0 ? "" : `Heard: ${heard.join(", ")}.`,
    renderSetUp(entries),
    `<sub>${numbers}${renderEstimate(entries)}</sub>`,
  ]);
}

/** A sub-agent's replies are paid by the run. */
function costOf(entry: JournalEntry): number {
  const reply = entry.kind === "sub-agent" ? entry.entry : entry;
  return reply.kind === "model-replied" || reply.kind === "summarised" ? reply.costUsd : 0;
}

function renderEstimate(entries: readonly RecordedEntry[]): string {
  const known = entries.find(({ entry }) => entry.kind === "estimated")?.entry;
  if (known?.kind !== "estimated") return "";
  return ` · runs like this cost about ${money(known.medianUsd)}, the dearest ${money(known.highUsd)} (of ${known.runs})`;
}

/** Which part of a run's road the journal has reached, and how its attempt came onto it. */
function renderStep(entries: readonly JournalEntry[]): string {
  const since = sinceLast(entries, "started");
  const taken = since.findLast((entry) => entry.kind === "resumed" || entry.kind === "restarted");
  switch (taken?.kind) {
    case "resumed":
      return `${renderReached(entries)}, resumed at turn ${taken.turn} by attempt ${taken.attempt}`;
    case "restarted":
      return `${renderReached(since)}; attempt ${taken.attempt} started over, because ${taken.why}`;
    default:
      return renderReached(since);
  }
}

function renderReached(entries: readonly JournalEntry[]): string {
  const kinds = new Set(entries.map(({ kind }) => kind));
  if (kinds.has("second-opinion")) return "the change goes back and forth with its reviewer";
  if (kinds.has("model-replied")) return "the agent is at work";
  if (kinds.has("briefed")) return "the agent has been briefed";
  if (kinds.has("set-up-finished")) return "the set-up has ended";
  if (kinds.has("workspace-ready")) return "the repository is checked out";
  return "getting the repository";
}

function renderPlan(steps: readonly PlanStep[]): string {
  return steps
    .map(
      ({ step, status }) =>
        `- [${status === "completed" ? "x" : " "}] ${status === "in_progress" ? `**${step}**` : step}`,
    )
    .join("\n");
}

function renderCall({ call }: Extract<JournalEntry, { kind: "tool-called" }>): string {
  const input = call.input;
  const isShell =
    typeof input === "object" && input !== null && "command" in input && typeof input.command === "string";
  const text = isShell ? String(input.command) : call.tool;
  const line = text.replaceAll(/\s+/g, " ").replaceAll("`", "'");
  return `\`${line.length > 100 ? `${line.slice(0, 99)}…` : line}\``;
}

function renderEnd(outcome: Outcome, entries: readonly RecordedEntry[], facts: ProgressFacts): string {
  const published = entries.flatMap(({ entry }) => (entry.kind === "published" ? [entry] : []));
  const urls = new Map(published.map(({ role, url }) => [role, url]));
  const notes = [...new Set(published.flatMap(({ note }) => note ?? []))];
  switch (outcome.kind) {
    case "changed": {
      // The evidence stands once: in the pull request when one was opened, else here.
      const pull = urls.get("pull");
      if (pull !== undefined) return join([`**Done:** ${outcome.title}, ${pull}`, renderSpend(outcome.spend)]);
      const done = urls.has("push")
        ? `**Done:** ${urls.get("push")}`
        : "**Done.** It was not pushed: the branch is in a fork.";
      const work = facts.work === null ? "" : renderWork(facts.work);
      // A branch that had moved got the change as another commit.
      const commit = urls.get("push")?.split("/").at(-1) ?? outcome.commit;
      return join([done, ...notes, renderFixReply({ ...outcome, commit }), work, renderSpend(outcome.spend)]);
    }
    case "reviewed":
      return join([`**Reviewed:** ${urls.get("review") ?? ""}`, renderSpend(outcome.spend)]);
    case "nothing-changed":
      return join(["**Nothing was changed.**", outcome.summary, renderSpend(outcome.spend)]);
    case "superseded": {
      const spent = outcome.spend.turns === 0 ? "" : renderSpend(outcome.spend);
      return join([`**Superseded** by ${outcome.headSha}, which has a review of its own.`, spent]);
    }
    case "refused":
      return join([`**Not done.** ${outcome.reason}`, renderSpend(outcome.spend)]);
    case "failed":
      return renderFailed([outcome.message], facts.work, undefined);
    default:
      return unreachable(outcome);
  }
}

/** Of a run that pushed its branch and then could not go on. */
function renderPushed(entries: readonly RecordedEntry[]): string {
  const pushed = entries.findLast(({ entry }) => entry.kind === "published" && entry.role === "push")?.entry;
  return pushed?.kind === "published" ? `The work is on its branch: ${pushed.url}` : "";
}

function renderFailed(why: readonly string[], work: Work | null, finished: JournalEntry | undefined): string {
  const outcome = finished?.kind === "finished" ? finished.outcome : null;
  const spend = outcome?.spend ? renderSpend(outcome.spend) : "";
  return join([`**Failed.** ${join(why)}`, work === null ? "" : renderWork(work), spend]);
}
