/**
 * One attempt at a task, from top to bottom. Every step appends to the journal before the next begins, the end is decided and the
 * work kept before anything is published, and publishing twice is publishing once: so a lost attempt can be followed by another.
 */
import type { Logger } from "pino";
import { UserError } from "../failure.ts";
import type { ForgeReader, ForgeWriter } from "../forge/forge.ts";
import type { Outcome } from "../outcome.ts";
import { authorize } from "../policy/authorize.ts";
import { publicText, publicTitle } from "../policy/redact.ts";
import { perform, type Desk } from "../publish/perform.ts";
import { planAcknowledgement, planPublications, type Voice } from "../publish/plan.ts";
import { restoreResult } from "../publish/result.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { DayLimits, RunLimits } from "../settings.ts";
import type { Task, TaskState } from "../task.ts";
import type { AttemptEntry } from "../store/journal.ts";
import type { Mirrors } from "../workspace/mirror.ts";
import type { FindBrowser } from "../tools/find-browser.ts";
import { openCheckout, type Checkout } from "./checkout.ts";
import { commentAlert } from "./comment-alert.ts";
import { RunInbox } from "./inbox.ts";
import { decideOutcome, type OpenModels } from "./decide-outcome.ts";
import { readBegun, readReached } from "./past.ts";
import { Progress } from "./progress.ts";
import { publishOutcome, readKeptWork, unlessShut } from "./publish-outcome.ts";
import type { SetUpParts } from "./set-up.ts";
import type { TaskRecords } from "./records.ts";

export type RunParts = {
  readonly reader: ForgeReader;
  readonly writer: ForgeWriter;
  readonly mirrors: Mirrors;
  readonly sandbox: Sandbox;
  readonly setUp: SetUpParts;
  readonly openModels: OpenModels;
  readonly findBrowser: FindBrowser;
  readonly wantsOpinion: boolean;
  /** False where alerts about money go to a webhook. */
  readonly commentsAlerts: boolean;
  readonly runsDir: string;
  readonly resultsDir: string;
  readonly limits: RunLimits;
  readonly dayLimits: DayLimits;
  /** Texts that must never leave the house, whatever says them. */
  readonly secrets: readonly string[];
  readonly progressGapMs: number;
  /** Aborted when the worker is to stop: the run ends at its next turn, and another worker goes on. */
  readonly leaving?: AbortSignal;
  readonly now: () => number;
  readonly log: Logger;
};

export type TaskEnd = Extract<TaskState, "succeeded" | "failed" | "ignored" | "superseded">;

/** One attempt at one task, with what it keeps. */
export type TaskRun = { readonly task: Task; readonly attempt: number; readonly records: TaskRecords };

/** What a run may take besides its agent: a first fetch, the set-up, slow checks twice, publishing. Each has a limit of its own. */
export const AROUND_MS_MAX = 4 * 3_600_000;
/** Nobody waits for an answer any more, and the code has moved on. */
export const QUEUE_AGE_MS_MAX = 3 * 24 * 3_600_000;
/** From the asking to the end of the work: batches take a day each at most, and whatever keeps a task longer will not end by itself. */
export const TASK_AGE_MS_MAX = 7 * 24 * 3_600_000;

/** Resolves when the task has ended and its asker was told. What it throws is judged by the queue: again, or `failTask`. */
export async function runTask(parts: RunParts, run: TaskRun, signal: AbortSignal): Promise<TaskEnd> {
  const limitMs = parts.limits.wallMsMax + AROUND_MS_MAX;
  const deadline = AbortSignal.timeout(limitMs);
  try {
    return await attemptTask(parts, run, AbortSignal.any([signal, deadline]));
  } catch (error) {
    if (signal.aborted || !deadline.aborted) throw error;
    const hours = Math.round(limitMs / 360_000) / 10;
    throw new UserError(`I was not done after ${hours} hours and stopped: something around the work took too long.`);
  }
}

async function attemptTask(parts: RunParts, run: TaskRun, signal: AbortSignal): Promise<TaskEnd> {
  const { task, attempt, records } = run;
  const voice = openVoice(parts, task);
  const desk = openDesk(parts, run);
  const earlier = await records.takeOver();
  await using progress = openProgress(parts, { ...run, earlier }, desk);
  const denied = await whyDenied(parts, desk, task, voice);
  if (denied !== null) {
    // What an earlier attempt had said would stand there for ever.
    if (earlier.length > 0) await progress.finish(denied, null);
    return "ignored";
  }
  if (readReached(earlier) === null) requireYoung(task, { isBegun: earlier.length > 0, now: parts.now() });
  await progress.append({ kind: "started", attempt, goal: task.goal, title: task.text.title });
  await perform(desk, planAcknowledgement(task));
  const checkout = await openCheckout(parts, { task, pin: readBegun(earlier) }, signal);
  using mirror = checkout.mirror;
  const outcome = await reachOutcome(parts, { ...run, earlier, progress }, { task, checkout, voice }, signal);
  return await publishOutcome({ ...desk, mirror }, progress, { checkout, outcome, task, voice, log: parts.log });
}

/** The last word on a task that will not be tried again. `message` is Markdown for the asker. */
export async function failTask(parts: RunParts, run: TaskRun, message: string): Promise<void> {
  const { task } = run;
  const desk = openDesk(parts, run);
  await using progress = openProgress(parts, { ...run, earlier: await run.records.takeOver() }, desk);
  const outcome: Outcome = { kind: "failed", message, spend: null };
  await progress.append({ kind: "finished", outcome });
  await unlessShut({ task, log: parts.log }, async () => {
    for (const publication of planPublications(task, outcome, { pull: null, voice: openVoice(parts, task) })) {
      await perform(desk, publication);
    }
    await progress.finish(message, await readKeptWork(run.records.results, task));
  });
}

function openDesk(parts: RunParts, { task, records }: Pick<TaskRun, "task" | "records">): Desk {
  const { publications, assertCurrent } = records;
  return { writer: parts.writer, task, log: publications, mirror: null, assertCurrent };
}

function openProgress(parts: RunParts, { task, records, earlier }: Omit<Known, "progress">, desk: Desk): Progress {
  return new Progress({
    earlier,
    ...{ journal: records.journal, desk, task, voice: openVoice(parts, task), now: parts.now, log: parts.log },
    usdMax: parts.limits.usdMax,
    gapMs: parts.progressGapMs,
  });
}

function openVoice({ secrets }: RunParts, task: Task): Voice {
  return {
    say: (markdown, closes) => publicText(markdown, { secrets, mention: task.asker.login, closes: closes ?? null }),
    sayTitle: (title) => publicTitle(title, { secrets }),
  };
}

function requireYoung(task: Task, { isBegun, now }: { readonly isBegun: boolean; readonly now: number }): void {
  const ageMs = now - Date.parse(task.createdAt);
  if (ageMs <= (isBegun ? TASK_AGE_MS_MAX : QUEUE_AGE_MS_MAX)) return;
  const days = Math.floor(ageMs / 86_400_000);
  throw new UserError(
    isBegun
      ? `I am not done with this after ${days} days, so I stopped. Ask again if it is still wanted.`
      : `This waited ${days} days before I came to it, so I did not begin. Ask again if it is still wanted.`,
  );
}

/**
 * Asks the forge for the asker's right, by id. Outsiders get silence; someone who could have the right is told, once. Null when it is
 * there.
 */
async function whyDenied(parts: RunParts, desk: Desk, task: Task, voice: Voice): Promise<string | null> {
  const permission = await parts.reader.permission(task.repo, task.asker.id);
  const verdict = authorize(task.goal, permission, { isAutomatic: task.origin.kind === "automatic" });
  if (verdict.kind === "allow") return null;
  parts.log.info({ taskId: task.id, permission, why: verdict.why }, "task denied");
  if (verdict.answer === "explain") {
    const place = { kind: "conversation", thread: task.thread } as const;
    await perform(desk, { kind: "comment", role: "denial", place, body: voice.say(verdict.why) });
  }
  return verdict.why;
}

/** The end an earlier attempt had already reached, if its commit is still at hand; else the work itself. */
async function reachOutcome(parts: RunParts, run: Known, about: About, signal: AbortSignal): Promise<Outcome> {
  const { mirror } = about.checkout;
  const reached = readReached(run.earlier);
  const isUsable =
    reached !== null &&
    (reached.kind !== "changed" || (await restoreResult(run.records.results, { mirror, commit: reached.commit })));
  const outcome = isUsable ? reached : await workOut(parts, run, about, signal);
  await run.progress.append({ kind: "finished", outcome });
  return outcome;
}

/** A run with what was written before it. */
type Known = TaskRun & { readonly earlier: readonly AttemptEntry[]; readonly progress: Progress };

type About = { readonly task: Task; readonly checkout: Checkout; readonly voice: Voice };

async function workOut(parts: RunParts, run: Known, about: About, signal: AbortSignal): Promise<Outcome> {
  const { records, progress, earlier, attempt } = run;
  const { takeNotes, supersededBy } = records;
  const desk = openDesk(parts, { task: about.task, records });
  await using inbox = new RunInbox({ ...parts, task: about.task, desk, takeNotes, supersededBy });
  const tell = commentAlert({ desk, task: about.task, voice: about.voice, log: parts.log });
  const openLedger = (usdMax: number | undefined) => records.openLedger(usdMax, parts.commentsAlerts ? tell : null);
  return await decideOutcome(
    { ...parts, ...records, attempt, earlier, openLedger, journal: progress, inbox },
    about,
    signal,
  );
}
