/** What becomes of a task whose run threw. Pure; the only place where an error turns into a verdict. */
import { NotYet, TransientError, UserError } from "../failure.ts";
import type { TaskId } from "../task.ts";

export type Verdict =
  | { readonly kind: "retry"; readonly afterMs: number }
  /** Not counted: nothing went wrong. */
  | { readonly kind: "wait"; readonly afterMs: number }
  /** `message` is Markdown for the asker. */
  | { readonly kind: "fail"; readonly message: string };

/** How often something happened to a task, and how often since it last got further. */
export type Tally = { readonly inRow: number; readonly inAll: number };

/** `at` is how far the task had come each time, `steps` how far it has come now. */
export function tally(at: readonly number[], steps: number): Tally {
  return { inRow: at.filter((one) => one === steps).length, inAll: at.length };
}

/** What fails four times in half an hour will not mend while someone waits. */
const ERRORS_MAX = 4;
/** However far the task got between them: a task that takes so many tries costs more than it is worth. */
const ERRORS_IN_ALL_MAX = 20;
/** Since it last got further. The first of them may be the one that got it there: then five in a row were lost in vain. */
const LOST_MAX = 6;
/** However far each of them got: the turns of a run are bounded, this bounds what lies before the first. */
const LOST_IN_ALL_MAX = 100;

/** Before the next attempts: a restarted database needs seconds, GitHub's secondary limits a minute, an overloaded vendor minutes. */
const RETRY_AFTER_MS = [10_000, 60_000, 300_000];

/** `errors` counts this one too; a run that was lost with its worker is not one of them. */
export function judge(
  error: unknown,
  { taskId, errors }: { readonly taskId: TaskId; readonly errors: Tally },
): Verdict {
  if (error instanceof UserError) return { kind: "fail", message: error.message };
  if (error instanceof NotYet) return { kind: "wait", afterMs: error.askAgainMs };
  if (!(error instanceof TransientError)) return { kind: "fail", message: defect(taskId) };

  const { inRow, inAll } = errors;
  const afterMs = RETRY_AFTER_MS[inRow - 1];
  if (inRow < ERRORS_MAX && inAll < ERRORS_IN_ALL_MAX && afterMs !== undefined) return { kind: "retry", afterMs };
  const often = inRow < ERRORS_MAX ? `${inAll} times while I was at this` : `${inRow} times in a row`;
  return {
    kind: "fail",
    message:
      `Something outside of me failed ${often} (a network, GitHub or the model vendor), so I stopped. ` +
      `Ask me again later. The operator finds the cause in the log of task \`${taskId}\`.`,
  };
}

/** Null while the task may be given to another worker. */
export function judgeLost({
  taskId,
  losses,
}: {
  readonly taskId: TaskId;
  readonly losses: Tally;
}): Extract<Verdict, { kind: "fail" }> | null {
  if (losses.inRow < LOST_MAX && losses.inAll < LOST_IN_ALL_MAX) return null;
  return {
    kind: "fail",
    message:
      `My worker was lost ${losses.inAll} times while it was at this task, so I stopped. ` +
      `The operator finds the cause in the log of task \`${taskId}\`.`,
  };
}

/** A defect's own message may hold anything, so it is never shown. */
function defect(taskId: TaskId): string {
  return `I met an error of my own and stopped. The operator finds the cause in the log of task \`${taskId}\`.`;
}
