/** One container from its start to its removal, and the talk with its keeper (container-scripts.ts). */
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "../failure.ts";
import type { Engine, EngineContainer, EngineExec, ExecPlan } from "./container-engine.ts";
import { findOomFile, readOomKills } from "./container-memory.ts";
import { readFrames } from "./container-output.ts";
import { type ContainerPlan, IDLE_SECONDS } from "./container-plan.ts";

/** What the keeper sees. */
export type Look = {
  /** Beside process 1 and itself. */
  readonly processes: number;
  /** Files in scratch folders, and System V objects. */
  readonly left: number;
};

/** Bash answers in a millisecond; under a fork bomb it waits its turn, and at the start for a busy disk. */
const LOOK_MS_MAX = 10_000;
const FIRST_LOOK_MS_MAX = 60_000;
/** Now and then Docker 20.10 drops the connection to the first container after its own start, which ends it. No command has run then. */
const STARTS_MAX = 3;
/** The engine removes an ended container by itself, after its mounts. */
const GONE_MS_MAX = 30_000;
const GONE_POLL_MS = 20;
/** The keeper ends a command this long after we should have done it. */
const DEADLINE_GRACE_SECONDS = 30;

export class Container {
  /** Exit status of process 1, null when nobody knows; nothing is left inside then. */
  readonly ended: Promise<number | null>;
  readonly #container: EngineContainer;
  readonly #talk: Duplex;
  #said = "";
  #answered = Promise.withResolvers<string>();
  #isEnded = false;
  #pid: number | null = null;
  #oomFile: string | null = null;
  #removal: Promise<void> | null = null;

  private constructor(container: EngineContainer, talk: Duplex) {
    this.#container = container;
    this.#talk = talk;
    this.ended = container.exited();
    void this.ended.then(() => (this.#isEnded = true));
    talk.on("error", () => {}); // Its end is what `ended` tells.
    talk.write("\n"); // Ends what an engine may have let through of the request: one line that is no order.
    readFrames(talk, (bytes) => this.#hear(bytes.toString()));
  }

  static async start(engine: Engine, plan: ContainerPlan): Promise<Container> {
    for (let tries = 1; ; tries++) {
      const made = await engine.create(plan);
      try {
        // Connected before the start: what is not connected to when it begins has no input, and ends.
        const container = new Container(made, await made.attach());
        await made.start();
        await Promise.all([container.look(FIRST_LOOK_MS_MAX), container.#find()]);
        return container;
      } catch (error) {
        await made.remove();
        if (!(error instanceof TransientError) || tries === STARTS_MAX) throw error;
      }
    }
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** How often the kernel has ended a process of it for memory; 0 where this machine does not show its control group. */
  oomKills(): number {
    return readOomKills(this.#oomFile);
  }

  /** Process 1 as this machine numbers it. */
  get pid(): number | null {
    return this.#pid;
  }

  exec(plan: ExecPlan): Promise<EngineExec> {
    return this.#container.exec(plan);
  }

  /** Before each command: the keeper ends everything somewhat later than this. null: there is none now. */
  setDeadline(timeoutMs: number | null): void {
    const seconds = timeoutMs === null ? IDLE_SECONDS : Math.ceil(timeoutMs / 1000) + DEADLINE_GRACE_SECONDS;
    this.#talk.write(`${seconds}\n`);
  }

  /** Throws TransientError when it has ended or does not answer in time. */
  async look(msMax: number = LOOK_MS_MAX): Promise<Look> {
    this.#answered = Promise.withResolvers();
    this.#talk.write("look\n");
    const ended = this.ended.then((status) => `(ended with status ${status ?? "unknown"})`);
    const silence = delay(msMax, `(nothing in ${msMax} ms)`, { ref: false });
    const answer = await Promise.race([this.#answered.promise, ended, silence]);
    const found = /^(\d+) (\d+)$/.exec(answer);
    if (found === null) throw new TransientError(`The container's keeper did not answer as it should: ${answer}`);
    const [, processes = 0, left = 0] = found.map(Number);
    return { processes, left };
  }

  /** Ends everything in it. Resolves when it is gone, mounts and all; TransientError when it stays. */
  end(): Promise<void> {
    return (this.#removal ??= this.#remove());
  }

  async #find(): Promise<void> {
    this.#pid = await this.#container.pid();
    this.#oomFile = await findOomFile(this.#pid);
  }

  async #remove(): Promise<void> {
    await this.#container.kill();
    await this.#container.remove();
    this.#talk.destroy();
    for (let waitedMs = 0; waitedMs < GONE_MS_MAX; waitedMs += GONE_POLL_MS) {
      if (!(await this.#container.exists())) return;
      await delay(GONE_POLL_MS);
    }
    throw new TransientError(`A container was still there ${GONE_MS_MAX} ms after its end.`);
  }

  #hear(text: string): void {
    this.#said += text;
    const end = this.#said.indexOf("\n");
    if (end < 0) return;
    const line = this.#said.slice(0, end);
    this.#said = this.#said.slice(end + 1);
    this.#answered.resolve(line);
  }
}
