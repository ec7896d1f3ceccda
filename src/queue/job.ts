/** How a task enters the queue, what its job carries, and how pg-boss's statements join a transaction of ours. */
import type { Db } from "pg-boss";
import type { TaskId } from "../task.ts";

/** One open transaction; store's Sql fits. */
export type Tx = {
  query(text: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
};

export type Acceptance<T extends Tx> = {
  /** False when this delivery is known. */
  readonly record: (tx: T) => Promise<boolean>;
  /** `insert` gives false when the same request is a task already. */
  readonly task: null | (Joining & { readonly insert: (tx: T) => Promise<boolean> });
};

/** A task and where it stands in the line. */
export type Joining = {
  readonly id: TaskId;
  /** Tasks with the same key run one after the other: `repoId:threadNumber`. */
  readonly key: string;
  /** Whose it is (an installation): those that wait take turns, however much each asks for. */
  readonly party: number;
  /** Within it (a repository), the same. */
  readonly part: number;
  /** Higher goes first. */
  readonly priority: number;
};

export type Accepted = "accepted" | "duplicate-delivery" | "duplicate-task" | "recorded";

/** Why a task was handed out again: each error and each lost worker, told by how far the task had come (Work.progress). */
export type Ticket = {
  readonly failedAt: readonly number[];
  readonly lostAt: readonly number[];
  /** By workers that stopped in an orderly way, and for what was not there yet. */
  readonly handedOver: number;
};

export const NEW_TICKET: Ticket = { failedAt: [], lostAt: [], handedOver: 0 };

/** `failures` is what workers of the version before read, and all that they write. */
export function renderTicket(ticket: Ticket): object {
  return { ...ticket, failures: ticket.failedAt.length };
}

/** What the queue wrote; a job of another making counts as new. */
export function readTicket(data: unknown): Ticket {
  const read = (name: string): unknown =>
    typeof data === "object" && data !== null && name in data ? Reflect.get(data, name) : null;
  const numbers = (list: unknown) => (Array.isArray(list) ? list.map(Number) : []);
  const failures = Number(read("failures")) || 0;
  const failedAt = numbers(read("failedAt"));
  return {
    failedAt: failedAt.length === failures ? failedAt : Array<number>(failures).fill(0),
    lostAt: numbers(read("lostAt")),
    handedOver: Number(read("handedOver")) || 0,
  };
}

/** With the workers that were lost since it was written, of which nobody else could tell. */
export function noteLosses(ticket: Ticket, retryCount: number, steps: number): Ticket {
  const { failedAt, lostAt, handedOver } = ticket;
  const unseen = retryCount - failedAt.length - lostAt.length - handedOver;
  return unseen > 0 ? { ...ticket, lostAt: [...lostAt, ...Array<number>(unseen).fill(steps)] } : ticket;
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
