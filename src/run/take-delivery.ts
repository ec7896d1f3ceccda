/** What a delivery becomes: its record and, when it starts something, a task and its queue job, all in one transaction. */
import { newTaskId, type Task, type TaskId } from "../task.ts";
import { unreachable } from "../failure.ts";
import type { MirrorWish } from "../repo-event.ts";
import { hasten } from "../queue/line.ts";
import type { Acceptance, Accepted, Joining } from "../queue/job.ts";
import type { Queue } from "../queue/queue.ts";
import { linkDelivery, linkNote, recordDelivery } from "../store/deliveries.ts";
import type { Sql } from "../store/database.ts";
import { announceMirrorWish } from "../store/mirror-wishes.ts";
import { leaveNote } from "../store/notes.ts";
import { supersedeReviews } from "../store/supersede.ts";
import { insertTask } from "../store/tasks.ts";
import type { Decision } from "../trigger/decide.ts";

export type TakenDelivery = {
  readonly guid: string;
  readonly name: string;
  /** "owner/name", null for events without a repository. */
  readonly repo: string | null;
  readonly decision: Decision;
  readonly wishes?: readonly MirrorWish[];
};

/** A person waits for an answer to a command; nobody waits for an automatic review. */
const PRIORITY_ASKED = 10;
const PRIORITY_AUTOMATIC = 0;

/** Durable when it resolves. Known deliveries and known requests change nothing. */
export async function takeDelivery(queue: Queue<Sql>, delivery: TakenDelivery, now: () => number): Promise<Accepted> {
  const { guid, name, repo, decision, wishes = [] } = delivery;
  const id = decision.kind === "start" ? newTaskId() : null;
  return queue.accept({
    record: async (tx) => {
      const receivedAt = new Date(now()).toISOString();
      const record = {
        guid,
        event: name,
        receivedAt,
        repo,
        decision: decision.kind,
        reason: reasonOf(decision),
        taskId: id,
      };
      if (!(await recordDelivery(tx, record))) return false;
      if (decision.kind === "steer" || decision.kind === "stop") await takeNote(tx, guid, decision);
      for (const wish of wishes) await announceMirrorWish(tx, wish);
      return true;
    },
    task: decision.kind === "start" && id !== null ? planTask(queue, { guid, id, decision }) : null,
  });
}

type Start = {
  readonly guid: string;
  readonly id: TaskId;
  readonly decision: Extract<Decision, { readonly kind: "start" }>;
};

function planTask(queue: Queue<Sql>, { guid, id, decision: { request, headAt } }: Start): Acceptance<Sql>["task"] {
  const { repo, thread, headSha } = request;
  return {
    ...placeOf({ ...request, id }),
    insert: async (tx) => {
      if ((await insertTask(tx, request, id)) === null) {
        await linkDelivery(tx, { guid, key: request.key });
        return false;
      }
      if (headSha === null || headAt === null) return true;
      const older = await supersedeReviews(tx, { taskId: id, repoId: repo.id, thread: thread.number, headSha, headAt });
      await queue.withdraw(tx, older.ended);
      await hasten(tx, older.marked);
      return true;
    },
  };
}

export function placeOf({ id, repo, thread, origin }: Pick<Task, "id" | "repo" | "thread" | "origin">): Joining {
  return {
    id,
    key: `${repo.id}:${thread.number}`,
    party: repo.installationId,
    part: repo.id,
    priority: origin.kind === "automatic" ? PRIORITY_AUTOMATIC : PRIORITY_ASKED,
  };
}

function reasonOf(decision: Decision): string {
  switch (decision.kind) {
    case "start":
      return decision.request.goal;
    case "steer":
    case "stop":
      return decision.kind;
    case "ignore":
      return decision.reason;
    default:
      return unreachable(decision);
  }
}

async function takeNote(tx: Sql, guid: string, { kind, note }: Extract<Decision, { kind: "steer" | "stop" }>) {
  const { repo, thread, ...rest } = note;
  const taskId = await leaveNote(tx, { repoId: repo.id, thread: thread.number }, { kind, ...rest });
  await linkNote(tx, { guid, taskId });
}
