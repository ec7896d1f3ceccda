/** What a delivery becomes: its record and, when it starts something, a task and its queue job, all in one transaction. */
import { newTaskId } from "../task.ts";
import { unreachable } from "../failure.ts";
import type { Accepted, Queue } from "../queue/queue.ts";
import { linkDelivery, linkNote, recordDelivery } from "../store/deliveries.ts";
import type { Sql } from "../store/database.ts";
import { leaveNote } from "../store/notes.ts";
import { insertTask } from "../store/tasks.ts";
import type { Decision } from "../trigger/decide.ts";

export type TakenDelivery = {
  readonly guid: string;
  readonly name: string;
  /** "owner/name", null for events without a repository. */
  readonly repo: string | null;
  readonly decision: Decision;
};

/** A person waits for an answer to a command; nobody waits for an automatic review. */
const PRIORITY_ASKED = 10;
const PRIORITY_AUTOMATIC = 0;

/** Durable when it resolves. Known deliveries and known requests change nothing. */
export async function takeDelivery(queue: Queue<Sql>, delivery: TakenDelivery, now: () => number): Promise<Accepted> {
  const { guid, name, repo, decision } = delivery;
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
      return true;
    },
    task:
      decision.kind === "start" && id !== null
        ? {
            id,
            insert: async (tx) => {
              const { request } = decision;
              if ((await insertTask(tx, request, id)) !== null) return true;
              await linkDelivery(tx, { guid, key: request.key });
              return false;
            },
            key: `${decision.request.repo.id}:${decision.request.thread.number}`,
            party: decision.request.repo.installationId,
            priority: decision.request.origin.kind === "automatic" ? PRIORITY_AUTOMATIC : PRIORITY_ASKED,
          }
        : null,
  });
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
