/** A task request with all its parts, for tests that care about one of them. */
import { randomUUID } from "node:crypto";
import { insertTask, markRunning } from "../../src/store/tasks.ts";
import type { Database } from "../../src/store/database.ts";
import type { TaskId, TaskRequest } from "../../src/task.ts";

export function newTaskId(): TaskId {
  return randomUUID() as TaskId; // The maker of the brand on the tests' side.
}

export function taskRequest(changes: Partial<TaskRequest> = {}): TaskRequest {
  return {
    key: randomUUID(),
    goal: "implement",
    repo: { installationId: 11, id: 22, owner: "octo", name: "shop", defaultBranch: "main" },
    thread: { kind: "issue", number: 7 },
    text: { title: "Fix the typo", body: "", author: { id: 1, login: "ann", isBot: false } },
    asker: { id: 1, login: "ann", isBot: false },
    origin: { kind: "label" },
    instruction: "",
    headSha: null,
    ...changes,
  };
}

export async function startedTask(database: Database, changes: Partial<TaskRequest> = {}) {
  const taskId = newTaskId();
  await insertTask(database, taskRequest(changes), taskId);
  const attempt = await markRunning(database, taskId);
  if (attempt === null) throw new Error("a new task did not start");
  return { taskId, attempt };
}
