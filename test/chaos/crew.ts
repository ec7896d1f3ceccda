/** The product's processes: one that serves, and workers that are killed at any moment and started again, as a supervisor would. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const START = join(import.meta.dirname, "../../bin/start.mjs");
/** Its runs may end by themselves or reach the end of a turn (20 s), and then clean up. */
const STOP_MS_MAX = 60_000;
const AGAIN_MS = 500;
const READY = { serve: '"listening for deliveries"', worker: '"working on tasks"' } as const;

export type Incarnation = {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly startedAt: number;
};

export type Fall = { readonly name: string; readonly what: string; readonly log: string };

export class Member {
  readonly incarnations: Incarnation[] = [];
  /** Ends that nobody asked for, of a process that had been at work. */
  readonly falls: Fall[] = [];
  kills = 0;
  readonly #command: "serve" | "worker";
  readonly #name: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #logDir: string;
  #child: ChildProcess | null = null;
  #isOver = false;
  #isKilled = false;
  #watching: Promise<void> = Promise.resolve();

  constructor(
    command: "serve" | "worker",
    name: string,
    places: { env: Readonly<Record<string, string>>; logDir: string },
  ) {
    this.#command = command;
    this.#name = name;
    this.#env = places.env;
    this.#logDir = places.logDir;
  }

  start(): void {
    this.#watching = this.#watch();
  }

  /** False when it is not up just now. */
  kill(): boolean {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return false;
    this.kills += 1;
    this.#isKilled = true;
    return child.kill("SIGKILL");
  }

  /** Resolves to what was wrong with its end, "" when nothing was. */
  async stop(): Promise<string> {
    this.#isOver = true;
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return "";
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await this.#watching;
    clearTimeout(timer);
    return child.exitCode === 0 ? "" : `ended with ${child.signalCode ?? child.exitCode} when it was told to stop`;
  }

  async isReady(): Promise<boolean> {
    const last = this.incarnations.at(-1);
    return last !== undefined && (await readFile(last.logFile, "utf8")).includes(READY[this.#command]);
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      this.#isKilled = false;
      const n = this.incarnations.length;
      const logFile = join(this.#logDir, `${this.#name}-${n}.log`);
      const log = openSync(logFile, "a");
      const child = spawn(process.execPath, [START, this.#command], {
        env: { ...this.#env },
        stdio: ["ignore", log, log],
      });
      closeSync(log);
      this.#child = child;
      this.incarnations.push({ name: this.#name, pid: child.pid ?? 0, logFile, startedAt: Date.now() });
      await once(child, "exit");
      if (this.#isOver) return;
      if (this.#isKilled) continue;
      // One that cannot start while the database is away says so and is started again.
      if (await this.isReady()) {
        const text = await readFile(logFile, "utf8");
        this.falls.push({
          name: `${this.#name}-${n}`,
          what: `${child.signalCode ?? child.exitCode}`,
          log: text.slice(-3000),
        });
      }
      await delay(AGAIN_MS);
    }
  }
}
