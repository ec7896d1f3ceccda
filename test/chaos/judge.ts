/** What must be true when a play has ended, and what is not. */
import type { Stage } from "./play.ts";
import { readRecords, type Records, type TaskRecord } from "./records.ts";
import { judgeThreads } from "./judge-threads.ts";
import { judgeLeftovers } from "./judge-leftovers.ts";

export type Fault = {
  readonly what: string;
  /** Null for what is no single task's. */
  readonly task: string | null;
};

export type Verdict = {
  readonly faults: readonly Fault[];
  readonly records: Records;
  readonly counts: Readonly<Record<string, number>>;
};

/** Ends that are no one's fault in such a play, told to the asker as what they are. */
const HONEST_ENDS = /My worker was lost \d+ times|Something outside of me failed/;

export async function judge(stage: Stage): Promise<Verdict> {
  const records = await readRecords(stage);
  const { tasks, byCase } = records;
  const faults: Fault[] = stage.troubles.map((what) => ({ what, task: null }));
  for (const { name, what, log } of stage.members.flatMap((member) => member.falls)) {
    faults.push({ what: `${name} ended by itself (${what}):\n${log}`, task: null });
  }
  for (const { case: it } of stage.asked)
    if (!byCase.has(it.name)) faults.push({ what: `${it.name} is no task`, task: null });
  if (tasks.length !== stage.plan.cases.length) faults.push({ what: `${tasks.length} tasks`, task: null });
  for (const task of tasks) faults.push(...judgeTask(task, records, stage));
  faults.push(...(await judgeThreads(stage, records)), ...(await judgeLeftovers(stage)));
  return { faults, records, counts: count(stage, records) };
}

function judgeTask(task: TaskRecord, { lost }: Records, { models }: Stage): Fault[] {
  const { id, name, state, journal, ledger } = task;
  const faults: string[] = [];
  if (name === null) faults.push("nobody asked for it");
  const failure = journal.findLast(({ entry }) => entry.kind === "finished")?.entry;
  const why = failure?.kind === "finished" && failure.outcome.kind === "failed" ? failure.outcome.message : "";
  if (state !== "succeeded" && !(state === "failed" && HONEST_ENDS.test(why))) faults.push(`is ${state}: ${why}`);
  if (journal.some(({ entry }) => entry.kind === "restarted")) faults.push("began anew, though it could go on");
  if (task.runsRunning > 0) faults.push(`${task.runsRunning} of its runs still count as running`);

  const replied = journal.flatMap(({ entry }) => (entry.kind === "model-replied" ? [entry.turn] : []));
  if (new Set(replied).size !== replied.length) faults.push(`a turn was paid twice: ${replied.join(", ")}`);
  if (ledger.toSorted().join() !== replied.toSorted().join()) {
    faults.push(`charged for the turns ${ledger.join(", ")}, and its journal has ${replied.join(", ")}`);
  }
  // A vendor wants its money for what it said, also to a worker that died before it had written the reply down.
  const said = models.replies.filter(({ conversation }) => conversation === name).length;
  const unheard = said - replied.length;
  const losses = lost(task);
  if (unheard < 0) faults.push(`${replied.length} replies in its journal, and the vendor gave ${said}`);
  if (unheard > losses)
    faults.push(`${unheard} replies were paid and not kept, and only ${losses} of its workers were lost`);
  return faults.map((what) => ({ what, task: id }));
}

function count(stage: Stage, { tasks, lost }: Records): Record<string, number> {
  const of = (state: string) => tasks.filter((task) => task.state === state).length;
  const kept = tasks.flatMap(({ journal }) => journal.filter(({ entry }) => entry.kind === "model-replied")).length;
  return {
    tasks: tasks.length,
    succeeded: of("succeeded"),
    failed: of("failed"),
    kills: stage.killedAt.length,
    "runs lost": tasks.reduce((sum, task) => sum + lost(task), 0),
    "most attempts of a task": Math.max(0, ...tasks.map(({ attempt }) => attempt)),
    resumed: tasks.flatMap(({ journal }) => journal.filter(({ entry }) => entry.kind === "resumed")).length,
    "whole replies": stage.models.replies.length,
    "replies kept": kept,
    "paid, and lost with a worker": stage.models.replies.length - kept,
    deliveries: stage.mail.counts.sent,
    doubled: stage.mail.counts.doubled,
    "refused deliveries, sent again": stage.mail.counts.refused,
    ...Object.fromEntries([...stage.weather.faults].map(([name, times]) => [`GitHub: ${name}`, times])),
    seconds: Math.round(stage.tookMs / 1000),
  };
}
