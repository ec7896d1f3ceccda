/** What a delivery becomes: its record and, when it starts something, a task and its queue job, all in one transaction. */
import { newTaskId, type TaskRequest } from "../task.ts";
import type { Accepted, Queue } from "../queue/queue.ts";
import { linkDelivery, recordDelivery } from "../store/deliveries.ts";
import type { Sql } from "../store/database.ts";
import { insertTask } from "../store/tasks.ts";

export type TakenDelivery = {
  readonly guid: string;
  readonly name: string;
  /** "owner/name", null for events without a repository. */
  readonly repo: string | null;
  readonly decision:
    { readonly kind: "start"; readonly request: TaskRequest } | { readonly kind: "ignore"; readonly reason: string };
};

/** A person waits for an answer to a command; nobody waits for an automatic review. */
const PRIORITY_ASKED = 10;
const PRIORITY_AUTOMATIC = 0;

/** Durable when it resolves. Known deliveries and known requests change nothing. */
export async function takeDelivery(queue: Queue<Sql>, delivery: TakenDelivery, now: () => number): Promise<Accepted> {
  const { guid, name, repo, decision } = delivery;
  const id = decision.kind === "start" ? newTaskId() : null;
  return queue.accept({
    record: (tx) =>
      recordDelivery(tx, {
        guid,
        event: name,
        receivedAt: new Date(now()).toISOString(),
        repo,
        decision: decision.kind,
        reason: decision.kind === "start" ? decision.request.goal : decision.reason,
        taskId: id,
      }),
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
            priority: decision.request.origin.kind === "automatic" ? PRIORITY_AUTOMATIC : PRIORITY_ASKED,
          }
        : null,
  });
}
