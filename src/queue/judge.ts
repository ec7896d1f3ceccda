/** What becomes of a task whose run threw. Pure; the only place where an error turns into a verdict. */
import { NotYet, TransientError, UserError } from "../failure.ts";
import type { TaskId } from "../task.ts";

export type Verdict =
  | { readonly kind: "retry"; readonly afterMs: number }
  /** Not counted: nothing went wrong. */
  | { readonly kind: "wait"; readonly afterMs: number }
  /** `message` is Markdown for the asker. */
  | { readonly kind: "fail"; readonly message: string };

/** A vendor or a network that fails three times in half an hour will not mend while someone waits. */
export const ATTEMPTS_MAX = 3;

/** Before the second and the third attempt: an overloaded vendor needs minutes, a restarted database seconds. */
const RETRY_AFTER_MS = [30_000, 300_000];

/** `attempt` counts those that ended in an error, from 1; a run that was lost with its worker is not one of them. */
export function judge(
  error: unknown,
  { taskId, attempt }: { readonly taskId: TaskId; readonly attempt: number },
): Verdict {
  if (error instanceof UserError) return { kind: "fail", message: error.message };
  if (error instanceof NotYet) return { kind: "wait", afterMs: error.askAgainMs };
  if (!(error instanceof TransientError)) return { kind: "fail", message: defect(taskId) };

  const afterMs = RETRY_AFTER_MS[attempt - 1];
  if (attempt < ATTEMPTS_MAX && afterMs !== undefined) return { kind: "retry", afterMs };
  return {
    kind: "fail",
    message:
      `Something outside of me failed ${attempt} times in a row (a network, GitHub or the model vendor), so I stopped. ` +
      `Ask me again later. The operator finds the cause in the log of task \`${taskId}\`.`,
  };
}

/** For a task that took its worker down with it more often than chance would. */
export function judgeLost({ taskId, runs }: { readonly taskId: TaskId; readonly runs: number }): Verdict {
  return {
    kind: "fail",
    message:
      `My worker was lost ${runs} times while it was at this task, so I stopped. ` +
      `The operator finds the cause in the log of task \`${taskId}\`.`,
  };
}

/** A defect's own message may hold anything, so it is never shown. */
function defect(taskId: TaskId): string {
  return `I met an error of my own and stopped. The operator finds the cause in the log of task \`${taskId}\`.`;
}
