/**
 * Tasks wait here and are handed to workers: durable, in one transaction with the task's row, and never two of the same thread at once.
 * The only home of pg-boss. What a task is, and where it is stored, the queue does not know.
 */
import { setTimeout as delay } from "node:timers/promises";
import { PgBoss } from "pg-boss";
import type { TaskId } from "../task.ts";
import { openClaims, type Claims } from "./claims.ts";
import { Crew } from "./crew.ts";
import * as job from "./job.ts";
import { announce, joined, type Acceptance, type Accepted, type Joining, type Tx } from "./job.ts";
import { judge, judgeLost, tally, type Verdict } from "./judge.ts";
import * as line from "./line.ts";
import type { Claim } from "./line.ts";
import * as limits from "./limits.ts";

export type QueueSettings<T extends Tx> = {
  /** For a pool of the queue's own: LISTEN and heartbeats must not wait behind a page that reads journals. */
  readonly url: string;
  readonly transaction: <V>(fn: (tx: T) => Promise<V>) => Promise<V>;
  /** Hears NOTIFY; null where nothing hears it, and tasks are found by asking. */
  readonly listen: ((channel: string, hear: () => void) => Promise<() => Promise<void>>) | null;
  /** For the log: what went wrong beside the tasks (a lost connection, a late heartbeat), or at one that is tried again. */
  readonly onError: (error: unknown, taskId?: TaskId) => void;
  /** A worker that is silent for so long has lost its task. 10 is pg-boss's minimum. */
  readonly heartbeatSeconds?: number;
};

export type Turn = {
  /** How often this task was handed out before, for whatever reason. */
  readonly retryCount: number;
  /** Aborted when the worker is to stop: at the end of its turn the run throws NotYet, and another worker goes on. */
  readonly leaving: AbortSignal;
};

export type Work = {
  readonly concurrency: number;
  /** `signal` is aborted when the task was cancelled or taken from us; what the run does after that counts for nothing. */
  readonly run: (taskId: TaskId, turn: Turn, signal: AbortSignal) => Promise<void>;
  /** How far it has come, never less than before: what goes wrong again and again at the same place ends the task. Missing, it is one place. */
  readonly progress?: (taskId: TaskId) => Promise<number>;
  /** Ends the task and tells the asker. Called once per task, again only when it throws. */
  readonly fail: (taskId: TaskId, message: string, cause: unknown) => Promise<void>;
};

export type Stats = { readonly queued: number; readonly active: number; readonly deferred: number };

const QUEUE = "tasks"; // Also in line.ts.

export class Queue<T extends Tx> {
  readonly #boss: PgBoss;
  readonly #settings: QueueSettings<T>;
  readonly #stopping = new AbortController();
  readonly #leaving = new AbortController();
  #crew: Crew | null = null;
  #quit: () => Promise<void> = async () => {};
  readonly #claims: Claims;

  private constructor(boss: PgBoss, settings: QueueSettings<T>) {
    this.#boss = boss;
    this.#settings = settings;
    const { transaction } = settings;
    this.#claims = openClaims({ boss, queue: QUEUE, transaction, leaving: this.#leaving.signal });
  }

  /** Makes or updates pg-boss's own schema (`pgboss`) and the queue. */
  static async open<T extends Tx>(settings: QueueSettings<T>): Promise<Queue<T>> {
    const boss = new PgBoss({
      connectionString: settings.url,
      application_name: "pullwright-queue",
      max: limits.POOL_MAX,
      schedule: false,
      superviseIntervalSeconds: limits.MONITOR_SECONDS,
      monitorIntervalSeconds: limits.MONITOR_SECONDS,
    });
    boss.on("error", (error) => settings.onError(error));
    const options = {
      notify: false, // Of its own fetchers, and ours choose for themselves.
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
    return this.#settings.transaction(async (tx) => {
      if (!(await record(tx))) return "duplicate-delivery";
      if (task === null) return "recorded";
      if (!(await task.insert(tx))) return "duplicate-task";
      if (!(await this.#join(tx, task))) throw new Error(`a job of task ${task.id} exists without the task`);
      return "accepted";
    });
  }

  /** Of these open tasks those that nobody would ever run. */
  async findLacking(ids: readonly TaskId[]): Promise<ReadonlySet<string>> {
    return new Set(await this.#settings.transaction((tx) => line.findLacking(tx, ids)));
  }

  /** Puts such a task at the end of the line. False when it has a job after all. */
  async rejoin(task: Joining): Promise<boolean> {
    return this.#settings.transaction(async (tx) => {
      if ((await line.findLacking(tx, [task.id])).length === 0) return false;
      await line.forgetEndedJob(tx, task.id);
      return await this.#join(tx, task);
    });
  }

  /** False when it has a job. With the queue's policy a unique index lets one of a key be active, whoever chooses. */
  async #join(tx: T, { id, key, party, part, priority }: Joining): Promise<boolean> {
    const ticket = job.renderTicket(job.NEW_TICKET);
    const sent = await this.#boss.send(QUEUE, ticket, { id, singletonKey: key, priority, db: joined(tx) });
    if (sent === null) return false;
    await line.takePlace(tx, { id, party, part, key, rank: priority });
    await announce(tx);
    return true;
  }

  /** Starts to take tasks, `concurrency` at once, and returns; `stop` ends it. */
  async work({ concurrency, ...work }: Work): Promise<void> {
    const { transaction, listen, onError } = this.#settings;
    await transaction(line.mendPlaces);
    const crew = new Crew({
      concurrency,
      claim: (max) => transaction((tx) => line.claimNext(tx, Math.min(max, limits.CLAIMS_MAX))),
      touch: (claims) => this.#touch(claims),
      perform: (claim, signal) => this.#perform(claim, work, signal),
      onError,
    });
    this.#crew = crew;
    const mending = setInterval(() => void transaction(line.mendPlaces).catch(onError), limits.MEND_MS);
    // Where it fails, tasks are found by asking.
    const unlisten = await listen?.(job.CHANNEL, () => crew.wake()).catch((error) => void onError(error));
    this.#quit = async () => {
      clearInterval(mending);
      crew[Symbol.dispose]();
      await unlisten?.();
    };
  }

  /**
   * A waiting task is never run; a running one sees its signal aborted, at once here, within seconds on another machine. That the task has
   * ended is the caller's to write down: one that stands open is found without a job, and gets another.
   */
  async cancel(taskId: TaskId): Promise<void> {
    await this.#settings.transaction((tx) => this.withdraw(tx, [taskId]));
    this.#crew?.abort(taskId, new Error("the task was cancelled"));
  }

  /** As `cancel`, together with what else `tx` does. */
  async withdraw(tx: Tx, ids: readonly TaskId[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#boss.cancel(QUEUE, [...ids], { db: joined(tx) });
    await line.leavePlaces(tx, ids);
  }

  /** No new tasks. Those that run have half of `graceMs` to end, half to reach the end of their turn; then their signal is aborted. */
  async stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
    const ended = this.#crew?.off() ?? Promise.resolve();
    await Promise.race([ended, delay(graceMs * limits.FINISH_SHARE, null, { ref: false })]);
    this.#leaving.abort(new Error("the worker stops"));
    await Promise.race([ended, delay(graceMs * (1 - limits.FINISH_SHARE), null, { ref: false })]);
    this.#stopping.abort(new Error("the worker stops"));
    await Promise.race([ended, delay(limits.UNWIND_MS, null, { ref: false })]);
    await this.#quit();
    await this.#boss.stop({ graceful: false });
  }

  async stats(): Promise<Stats> {
    const [stats] = await this.#boss.getQueueStats(QUEUE);
    return { queued: stats?.readyCount ?? 0, active: stats?.activeCount ?? 0, deferred: stats?.deferredCount ?? 0 };
  }

  async #touch(claims: readonly Claim[]): Promise<ReadonlySet<string>> {
    const jobs = claims.map(({ id, retryCount }) => ({ id, retryCount }));
    const touched = await this.#boss.touch(QUEUE, jobs);
    const ids = "settled" in touched && Array.isArray(touched.settled) ? touched.settled : [];
    return new Set(ids.map(String));
  }

  async #perform(claim: Claim, { run, fail, progress }: Omit<Work, "concurrency">, lost: AbortSignal): Promise<void> {
    const taskId = job.toTaskId(claim.id);
    const signal = AbortSignal.any([lost, this.#stopping.signal]);
    const steps = async () => (await progress?.(taskId)) ?? 0;
    let ticket = job.readTicket(claim.data);
    let verdict: Verdict | null = null;
    let cause: unknown = null;
    try {
      if (claim.retryCount > 0) {
        const reached = await steps();
        ticket = await this.#claims.noteLosses(claim, ticket, reached);
        verdict = judgeLost({ taskId, losses: tally(ticket.lostAt, reached) });
      }
      if (verdict === null) {
        await run(taskId, { retryCount: claim.retryCount, leaving: this.#leaving.signal }, signal);
        return await this.#claims.end(claim);
      }
    } catch (error) {
      if (lost.aborted) return; // Cancelled, or another worker's by now: nobody waits for our verdict.
      if (this.#stopping.signal.aborted) return this.#claims.handOver(claim, ticket, 0);
      const reached = await steps();
      const failedAt = [...ticket.failedAt, reached];
      verdict = judge(error, { taskId, errors: tally(failedAt, reached) });
      if (verdict.kind === "retry") {
        this.#settings.onError(error, taskId);
        return this.#claims.giveBack(claim, { ...ticket, failedAt }, verdict.afterMs);
      }
      cause = error;
    }
    if (verdict.kind !== "fail") return this.#claims.handOver(claim, ticket, verdict.afterMs);
    try {
      await fail(taskId, verdict.message, cause);
      await this.#claims.end(claim);
    } catch (error) {
      this.#settings.onError(error, taskId);
      await this.#claims.handOver(claim, ticket, limits.TELL_AGAIN_MS);
    }
  }
}
