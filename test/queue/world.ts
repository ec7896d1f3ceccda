/** A queue on a test's own database, and what webhook/ does to put a task in it. */
import { randomUUID } from "node:crypto";
import { Queue } from "../../src/queue/queue.ts";
import type { Database, Sql } from "../../src/store/database.ts";
import { recordDelivery } from "../../src/store/deliveries.ts";
import { insertTask } from "../../src/store/tasks.ts";
import type { TaskId, TaskRequest } from "../../src/task.ts";
import { openTestDatabase } from "../database.ts";
import { newTaskId, taskRequest } from "../store/builders.ts";

type Listen = Parameters<typeof Queue.open<Sql>>[0]["listen"];

export async function openQueue(
  database: Database,
  onError: (error: unknown, taskId?: TaskId) => void = () => {},
  listen: Listen = (channel, hear) => database.listen(channel, hear),
): Promise<Queue<Sql>> {
  return Queue.open({
    url: database.url,
    transaction: (fn) => database.transaction(fn),
    listen,
    onError,
    heartbeatSeconds: 10,
  });
}

export async function openQueueWorld() {
  const opened = await openTestDatabase();
  const errors: unknown[] = [];
  const erring: TaskId[] = [];
  const onError = (error: unknown, taskId?: TaskId) => {
    errors.push(error);
    if (taskId) erring.push(taskId);
  };
  const queue = await openQueue(opened.database, onError);
  return {
    database: opened.database,
    queue,
    /** What the queue said for the log. */
    errors,
    /** And at which tasks. */
    erring,
    accept: (changes: Partial<Delivered> = {}) => accept(queue, changes),
    [Symbol.asyncDispose]: async () => {
      await queue.stop({ graceMs: 0 });
      await opened[Symbol.asyncDispose]();
    },
  };
}

export type Delivered = {
  readonly guid: string;
  readonly id: TaskId;
  readonly request: TaskRequest;
  readonly threadKey: string;
  readonly party: number;
  readonly part: number;
  readonly priority: number;
};

export async function accept(queue: Queue<Sql>, changes: Partial<Delivered> = {}) {
  const id = changes.id ?? newTaskId();
  const request = changes.request ?? taskRequest();
  const delivery = {
    guid: changes.guid ?? randomUUID(),
    event: "issues.labeled",
    receivedAt: new Date().toISOString(),
    repo: "octo/shop",
    decision: "start",
    reason: "label",
    taskId: id,
  };
  const accepted = await queue.accept({
    record: (tx) => recordDelivery(tx, delivery),
    task: {
      id,
      insert: async (tx) => (await insertTask(tx, request, id)) !== null,
      key: changes.threadKey ?? id,
      party: changes.party ?? 11,
      part: changes.part ?? 22,
      priority: changes.priority ?? 0,
    },
  });
  return { id, accepted };
}
