/** What a task's job carries, and how pg-boss's statements join a transaction of ours. */
import type { Db } from "pg-boss";
import type { TaskId } from "../task.ts";

/** One open transaction; store's Sql fits. */
export type Tx = {
  query(text: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
};

/** Why a task was handed out again: after so many errors, and so many workers that stopped in an orderly way. All else was lost. */
export type Ticket = { readonly failures: number; readonly handedOver: number };

/** What the queue wrote; a job of another making counts as new. */
export function readTicket(data: unknown): Ticket {
  const read = (name: string) =>
    typeof data === "object" && data !== null && name in data ? Number(Reflect.get(data, name)) || 0 : 0;
  return { failures: read("failures"), handedOver: read("handedOver") };
}

/** NOTIFY channel: something may be due. */
export const CHANNEL = "pullwright_queue";

/** Heard once `tx` is committed. */
export async function announce(tx: Tx): Promise<void> {
  await tx.query("SELECT pg_notify($1, '')", [CHANNEL]);
}

export function joined(tx: Tx): Db {
  return { executeSql: async (text, values = []) => ({ rows: [...(await tx.query(text, values))] }) };
}

/** Whether the one job that was meant was touched. pg-boss's types keep what its answers hold to themselves. */
export function isOne(answer: object): boolean {
  return "affected" in answer && answer.affected === 1;
}

/** The maker of the brand on this side: a job's id is the id of its task, see Queue.accept. */
export function toTaskId(jobId: string): TaskId {
  return jobId as TaskId;
}
