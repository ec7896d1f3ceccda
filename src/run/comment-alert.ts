/** Tells a task's thread that its repository's money for the day runs short. It may fail; the work it interrupts may not. */
import type { Logger } from "pino";
import { TransientError, UserError } from "../failure.ts";
import { renderAlert, type SpendingAlert } from "../policy/spending.ts";
import { perform, type Desk } from "../publish/perform.ts";
import type { Voice } from "../publish/plan.ts";
import type { Task } from "../task.ts";
import type { TellAlert } from "./records.ts";

export type AlertParts = {
  readonly desk: Desk;
  readonly task: Pick<Task, "id" | "thread">;
  readonly voice: Voice;
  readonly log: Pick<Logger, "warn">;
};

/** One after the other: sub-agents charge at once, and two writers would not see each other's comment. */
export function commentAlert({ desk, task, voice, log }: AlertParts): TellAlert {
  const place = { kind: "conversation", thread: task.thread } as const;
  const told = new Set<string>();
  let telling = Promise.resolve(false);
  const tell = async (alert: SpendingAlert): Promise<boolean> => {
    if (told.has(alert.key)) return true;
    // A long run may see two days.
    const role = `spending-${alert.day}`;
    try {
      await perform(desk, { kind: "comment", role, place, body: voice.say(renderAlert(alert)) });
      told.add(alert.key);
      return true;
    } catch (error) {
      if (!(error instanceof UserError) && !(error instanceof TransientError)) throw error;
      log.warn({ taskId: task.id, err: error }, "spending alert could not be commented");
      return error instanceof UserError; // Nobody can be told here: the next charge need not try.
    }
  };
  return (alert) => {
    telling = telling.catch(() => false).then(() => tell(alert));
    return telling;
  };
}
