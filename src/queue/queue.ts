/**
 * Tasks wait here and are handed to workers: durable, in one transaction with the task's row, and never two of the same thread at once.
 * The only home of pg-boss. What a task is, and where it is stored, the queue does not know.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Db, type Job, PgBoss } from "pg-boss";
import type { TaskId } from "../task.ts";
import { ATTEMPTS_MAX, judge, judgeLost } from "./judge.ts";
import * as limits from "./limits.ts";

/** One open transaction; store's Sql fits. */
export type Tx = {
  query(text: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
};

export type QueueSettings<T extends Tx> = {
  /** For a pool of the queue's own: LISTEN and heartbeats must not wait behind a page that reads journals. */
  readonly url: string;
  readonly transaction: <V>(fn: (tx: T) => Promise<V>) => Promise<V>;
  /** What went wrong beside the tasks: a lost connection, a late heartbeat. For the log. */
  readonly onError: (error: unknown) => void;
  /** A worker that is silent for so long has lost its task. 10 is pg-boss's minimum. */
  readonly heartbeatSeconds?: number;
};

export type Acceptance<T extends Tx> = {
  /** False when this delivery is known. */
  readonly record: (tx: T) => Promise<boolean>;
  readonly task: null | {
    readonly id: TaskId;
    /** False when the same request is a task already. */
    readonly insert: (tx: T) => Promise<boolean>;
    /** Tasks with the same key run one after the other: `repoId:threadNumber`. */
    readonly key: string;
    /** Higher goes first. */
    readonly priority: number;
  };
};

export type Accepted = "accepted" | "duplicate-delivery" | "duplicate-task" | "recorded";

export type Turn = {
  /** How often this task was handed out before, for whatever reason. */
  readonly retryCount: number;
  /** A TransientError now ends the task instead of being tried again. */
  readonly isLast: boolean;
};

export type Work = {
  readonly concurrency: number;
  /** `signal` is aborted when the task was cancelled or taken from us; what the run does after that counts for nothing. */
  readonly run: (taskId: TaskId, turn: Turn, signal: AbortSignal) => Promise<void>;
  /** Ends the task and tells the asker. Called once per task, again only when it throws. */
  readonly fail: (taskId: TaskId, message: string, cause: unknown) => Promise<void>;
};

export type Stats = { readonly queued: number; readonly active: number; readonly deferred: number };

const QUEUE = "tasks";

/** Why a task was handed out again: after so many errors, and so many workers that stopped in an orderly way. All else was lost. */
type Ticket = { readonly failures: number; readonly handedOver: number };

export class Queue<T extends Tx> {
  readonly #boss: PgBoss;
  readonly #transaction: QueueSettings<T>["transaction"];
  readonly #onError: QueueSettings<T>["onError"];
  readonly #running = new Map<string, AbortController>();
  readonly #stopping = new AbortController();

  private constructor(boss: PgBoss, settings: QueueSettings<T>) {
    this.#boss = boss;
    this.#transaction = settings.transaction;
    this.#onError = settings.onError;
  }

  /** Makes or updates pg-boss's own schema (`pgboss`) and the queue. */
  static async open<T extends Tx>(settings: QueueSettings<T>): Promise<Queue<T>> {
    const boss = new PgBoss({
      connectionString: settings.url,
      application_name: "pullwright-queue",
      max: limits.POOL_MAX,
      useListenNotify: true,
      schedule: false,
      superviseIntervalSeconds: limits.MONITOR_SECONDS,
      monitorIntervalSeconds: limits.MONITOR_SECONDS,
      // pg-boss skips the keys it saw running when it last counted; this is how old that count may be.
      queueCacheIntervalSeconds: 1,
    });
    boss.on("error", settings.onError);
    const options = {
      notify: true,
      retryLimit: limits.RETRY_LIMIT,
      retryDelay: 0, // After a lost worker: at once. After an error, judge says when.
      expireInSeconds: limits.EXPIRE_SECONDS,
      heartbeatSeconds: settings.heartbeatSeconds ?? limits.HEARTBEAT_SECONDS,
      deleteAfterSeconds: limits.KEEP_ENDED_SECONDS,
      retentionSeconds: limits.KEEP_QUEUED_SECONDS,
    };
    try {
      await boss.start();
      await boss.createQueue(QUEUE, { policy: "singleton", ...options });
      await boss.updateQueue(QUEUE, options);
    } catch (error) {
      await boss.stop({ graceful: false });
      throw error;
    }
    return new Queue(boss, settings);
  }

  /** All or nothing, and durable when it resolves: only then may GitHub be told that the delivery arrived. */
  async accept({ record, task }: Acceptance<T>): Promise<Accepted> {
    return this.#transaction(async (tx) => {
      if (!(await record(tx))) return "duplicate-delivery";
      if (task === null) return "recorded";
      if (!(await task.insert(tx))) return "duplicate-task";
      const { id, key, priority } = task;
      const ticket: Ticket = { failures: 0, handedOver: 0 };
      const sent = await this.#boss.send(QUEUE, ticket, {
        id,
        singletonKey: key, // With the queue's policy: a unique index lets one of a key be active.
        group: { id: key },
        priority,
        db: joined(tx),
      });
      if (sent === null) throw new Error(`a job of task ${id} exists without the task`);
      return "accepted";
    });
  }

  /** Starts `concurrency` fetchers and returns; `stop` ends them. */
  async work({ concurrency, run, fail }: Work): Promise<void> {
    const options = {
      localConcurrency: concurrency,
      heartbeatRefreshSeconds: limits.HEARTBEAT_REFRESH_SECONDS,
      pollingIntervalSeconds: limits.POLL_SECONDS,
      notifyPollingIntervalSeconds: limits.POLL_SECONDS,
      burstWhenReadyExceeds: 1, // While more waits, whoever is done fetches again at once.
      // Not what keeps a key to one run (it is not strict), but what looks past waiting tasks of a busy key to the next one;
      // with the policy alone they block the head of the queue.
      groupConcurrency: 1,
    };
    await this.#boss.work<Ticket>(QUEUE, options, async ([job]) => {
      if (!job) return;
      const cancel = new AbortController();
      this.#running.set(job.id, cancel);
      try {
        const signal = AbortSignal.any([job.signal, cancel.signal, this.#stopping.signal]);
        await this.#perform(job, { run, fail }, signal);
      } finally {
        this.#running.delete(job.id);
      }
    });
  }

  /** A waiting task is never run; a running one sees its signal aborted, at once here, within seconds on another machine. */
  async cancel(taskId: TaskId): Promise<void> {
    await this.#boss.cancel(QUEUE, taskId);
    this.#running.get(taskId)?.abort(new Error("the task was cancelled"));
  }

  /** No new tasks; those that run have `graceMs` to end, then their signal is aborted and another worker gets them. */
  async stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
    const ended = this.#boss.offWork(QUEUE, { wait: true });
    await Promise.race([ended, delay(graceMs, null, { ref: false })]);
    this.#stopping.abort(new Error("the worker stops"));
    await Promise.race([ended, delay(limits.UNWIND_MS, null, { ref: false })]);
    await this.#boss.stop({ graceful: false });
  }

  async stats(): Promise<Stats> {
    const [stats] = await this.#boss.getQueueStats(QUEUE);
    return { queued: stats?.readyCount ?? 0, active: stats?.activeCount ?? 0, deferred: stats?.deferredCount ?? 0 };
  }

  async #perform(job: Job<Ticket>, { run, fail }: Pick<Work, "run" | "fail">, signal: AbortSignal): Promise<void> {
    const taskId = toTaskId(job.id);
    const { failures, handedOver } = job.data;
    const attempt = failures + 1;
    const lost = job.retryCount - failures - handedOver;
    let verdict = judgeLost({ taskId, runs: lost });
    let cause: unknown = null;
    if (lost < limits.LOST_MAX) {
      try {
        return await run(taskId, { retryCount: job.retryCount, isLast: attempt >= ATTEMPTS_MAX }, signal);
      } catch (error) {
        if (this.#stopping.signal.aborted) return this.#handOver(job);
        if (signal.aborted) return; // Cancelled, or another worker's by now: nobody waits for our verdict.
        verdict = judge(error, { taskId, attempt });
        cause = error;
      }
    }
    if (verdict.kind === "wait") return this.#handOver(job, verdict.afterMs);
    if (verdict.kind === "retry") {
      this.#onError(cause);
      return this.#giveBack(job, { ticket: { failures: attempt, handedOver }, afterMs: verdict.afterMs });
    }
    try {
      await fail(taskId, verdict.message, cause);
    } catch (error) {
      this.#onError(error);
      await this.#giveBack(job, { ticket: job.data, afterMs: limits.TELL_AGAIN_MS });
    }
  }

  /** Only now that the run has cleaned up: the next worker starts at once, or when what the run waits for may be there. */
  async #handOver(job: Job<Ticket>, afterMs = 0): Promise<void> {
    await this.#giveBack(job, { ticket: { ...job.data, handedOver: job.data.handedOver + 1 }, afterMs });
  }

  /** With a time of our choosing: pg-boss's own delay would be the same for every error. */
  async #giveBack(job: Job<Ticket>, { ticket, afterMs }: { readonly ticket: Ticket; readonly afterMs: number }) {
    await this.#transaction(async (tx) => {
      const db = joined(tx);
      const failed = await this.#boss.fail(QUEUE, { id: job.id, retryCount: job.retryCount }, null, { db });
      if (!("affected" in failed) || failed.affected !== 1) return; // Not ours any more.
      await this.#boss.update(QUEUE, ticket, { id: job.id, startAfter: Math.ceil(afterMs / 1000), db });
    });
  }
}

function joined(tx: Tx): Db {
  return { executeSql: async (text, values = []) => ({ rows: [...(await tx.query(text, values))] }) };
}

/** The maker of the brand on this side: a job's id is the id of its task, see `accept`. */
function toTaskId(jobId: string): TaskId {
  return jobId as TaskId;
}
