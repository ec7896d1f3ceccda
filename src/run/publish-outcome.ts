/** From how a run ended to what stands on the forge, and the last word about it: what could not be published is told with where the work is. */
import type { Logger } from "pino";
import { UserError } from "../failure.ts";
import type { Outcome } from "../outcome.ts";
import { perform, type Desk } from "../publish/perform.ts";
import { planPublications, type Voice } from "../publish/plan.ts";
import { workName, type Work } from "../publish/render-work.ts";
import type { ResultShelf } from "../publish/result.ts";
import type { Task } from "../task.ts";
import { readDiff } from "../workspace/snapshot.ts";
import type { Checkout } from "./checkout.ts";
import type { Progress } from "./progress.ts";
import type { TaskEnd } from "./run-task.ts";

export type Publishing = {
  readonly task: Task;
  readonly checkout: Checkout;
  readonly outcome: Outcome;
  readonly voice: Voice;
  readonly log: Pick<Logger, "warn">;
};

export async function publishOutcome(desk: Desk, progress: Progress, it: Publishing): Promise<TaskEnd> {
  const { task, checkout, outcome, voice } = it;
  const { pull } = checkout;
  try {
    for (const publication of planPublications(task, outcome, { pull, voice })) {
      const { role, url, note } = await perform(desk, publication);
      await progress.append({ kind: "published", role, url, ...(note === undefined ? {} : { note }) });
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const work = await readWork(it);
    await unlessShut(it, () => progress.finish(error.message, work));
    return "failed";
  }
  await progress.finish(null, pull?.isFork ? await readWork(it) : null);
  if (outcome.kind === "superseded") return "superseded";
  return outcome.kind === "failed" || outcome.kind === "refused" ? "failed" : "succeeded";
}

/** A repository that is gone, or shut to us, has nobody left to tell; the work is kept all the same. */
export async function unlessShut(
  { task, log }: Pick<Publishing, "task" | "log">,
  tell: () => Promise<void>,
): Promise<void> {
  try {
    await tell();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    log.warn({ taskId: task.id, err: error }, "the asker could not be told");
  }
}

/** Of a task that is given up: what an attempt of it had come to, if any did. */
export async function readKeptWork(results: ResultShelf, task: Pick<Task, "id">): Promise<Work | null> {
  const kept = await results.find();
  const patch = kept?.patch.bytes ?? null;
  return patch === null ? null : { name: workName(task.id), patch: patch.toString() };
}

async function readWork({ task, checkout, outcome }: Publishing): Promise<Work | null> {
  if (outcome.kind !== "changed") return null;
  const place = { gitDir: checkout.mirror.gitDir, workTree: null };
  return { name: workName(task.id), patch: await readDiff(place, `${outcome.commit}^`, outcome.commit) };
}
