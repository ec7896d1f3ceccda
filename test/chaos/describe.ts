/** A play that went wrong, told so that it can be understood: the seed, its schedule, each bad task with its journal, log and thread. */
import { readFile } from "node:fs/promises";
import { renderEntry } from "../../src/ops/tables.ts";
import type { Verdict } from "./judge.ts";
import { fullName } from "./people.ts";
import type { Plan } from "./plan.ts";
import type { Stage } from "./play.ts";
import type { TaskRecord } from "./records.ts";

const TASKS_MAX = 12;
const LOG_LINES_MAX = 60;

export async function describe(stage: Stage, { faults, records, counts }: Verdict): Promise<string> {
  const bad = records.tasks.filter(({ id }) => faults.some(({ task }) => task === id));
  const told = await Promise.all(bad.slice(0, TASKS_MAX).map((task) => describeTask(stage, task)));
  return [
    `SEED ${stage.plan.seed}: ${faults.length} faults`,
    ...faults.map(({ what, task }) => `- ${nameOf(records.tasks, task)}${what}`),
    describeCounts(counts),
    describeSchedule(stage.plan),
    ...told,
    bad.length > TASKS_MAX ? `and ${bad.length - TASKS_MAX} more tasks` : "",
  ].join("\n\n");
}

export function describeCounts(counts: Verdict["counts"]): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name}: ${count}`)
    .join("; ");
}

function nameOf(tasks: readonly TaskRecord[], id: string | null): string {
  if (id === null) return "";
  return `${tasks.find((task) => task.id === id)?.name ?? "?"} (${id}): `;
}

function describeSchedule({ seed, wire, threads, kills, restarts }: Plan): string {
  const steps = threads.flatMap(({ name, steps }) =>
    steps.map((step) => ({ atMs: step.atMs, what: `${name}: ${step.kind}` })),
  );
  const goes = restarts.map(({ afterReplies, how, downMs }) => {
    return `after ${afterReplies} replies the database goes (${how}), for ${downMs} ms`;
  });
  const dies = kills.map(({ afterMs, afterReplies, worker, sparesStarting }) => {
    return `${afterMs} ms and ${afterReplies} replies: worker${worker}${sparesStarting ? "" : ", also when it is just starting"}`;
  });
  const asked = steps.toSorted((one, other) => one.atMs - other.atMs).map(({ atMs, what }) => `${atMs} ms ${what}`);
  const killed = ["Kills, each so long after the one before:", ...dies];
  return [`Schedule of seed ${seed}, over ${wire}'s wire:`, ...asked, ...goes, ...killed].join("\n");
}

async function describeTask(stage: Stage, task: TaskRecord): Promise<string> {
  const repo = fullName(stage.plan.cases.find(({ name }) => name === task.name)?.repo ?? 0);
  const { number } = task.request.thread;
  const journal = task.journal.map(({ attempt, seq, at, entry }) => {
    const line = renderEntry(entry).split("\n")[0] ?? "";
    return `${at.toISOString().slice(11, 23)} ${attempt}/${seq} ${entry.kind} ${line.slice(0, 200)}`;
  });
  const comments = stage.github.comments(repo, number).map(({ id, user, body }) => `${id} by ${user?.login}: ${body}`);
  const pulls = stage.github.pulls(repo).filter((pull) => pull.number === number || pull.body?.includes(`#${number}`));
  const heads = pulls.map(({ number: n, head, draft }) => `#${n} ${head.ref} ${head.sha}${draft ? " (draft)" : ""}`);
  const published = task.publications.map(({ role, state, attempt, ref }) => `${role} ${state} by ${attempt}: ${ref}`);
  return [
    `== ${task.name} ${task.id}: ${task.goal} of ${repo}#${number}, ${task.state} in attempt ${task.attempt}`,
    ...["-- journal", ...journal, "-- publications", ...published],
    ...["-- comments", ...comments, "-- pull requests", ...heads, "-- logs", ...(await readLogs(stage, task.id))],
  ].join("\n");
}

/** What the workers said of a task. */
async function readLogs({ members }: Stage, id: string): Promise<string[]> {
  const lines: string[] = [];
  for (const { name, logFile, pid } of members.flatMap(({ incarnations }) => incarnations)) {
    for (const line of (await readFile(logFile, "utf8")).split("\n")) {
      if (line.includes(id)) lines.push(`${name} (${pid}): ${line.slice(0, 1500)}`);
    }
  }
  return lines.slice(-LOG_LINES_MAX);
}
