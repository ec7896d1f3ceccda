/** A durable request: what someone asked of us, kept exactly as it stood when the event was decided. */
import type { Actor, CommentRef, RepoRef, ThreadRef, ThreadText } from "./repo-event.ts";

export type TaskId = string & { readonly brand: "TaskId" };

/** What the task is for: a pull request for an issue, commits on a pull request's branch, or a review of one. */
export type Goal = "implement" | "fix" | "review";

/** How the task came to be. A review that nobody asked for stays silent where a command would get an answer. */
export type TaskOrigin =
  | { readonly kind: "label" }
  | { readonly kind: "command"; readonly comment: CommentRef }
  | { readonly kind: "automatic" };

/** What a decision asks for, before it has an id. `key` names the request itself: the same key twice is one task. */
export type TaskRequest = {
  readonly key: string;
  readonly goal: Goal;
  readonly repo: RepoRef;
  readonly thread: ThreadRef;
  readonly text: ThreadText;
  readonly asker: Actor;
  readonly origin: TaskOrigin;
  /** What the asker added to the command, "" when nothing. */
  readonly instruction: string;
  /** The pull request's head when the event was sent; a review of another commit would be a review of something else. */
  readonly headSha: string | null;
};

/** "superseded": an automatic review of a commit that is no longer the head. */
export type TaskState = "queued" | "running" | "succeeded" | "failed" | "ignored" | "superseded";

export type Task = TaskRequest & { readonly id: TaskId; readonly state: TaskState; readonly createdAt: string };

/** A task is named before it is stored, so that its row and its queue job can carry the same id. */
export function newTaskId(): TaskId {
  return crypto.randomUUID() as TaskId;
}
