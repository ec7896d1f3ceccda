/** One session's commands, in one container. What a command leaves alive or spoils costs the container: the next one gets a new one. */
import { rm, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "../failure.ts";
import type { EngineExec } from "./container-engine.ts";
import { Container, type Look } from "./container-life.ts";
import { CommandOutput } from "./container-output.ts";
import { aroundCommand, INPUT_FILE } from "./container-scripts.ts";
import type { DiskWatch } from "./disk-watch.ts";
import { checkReadOnlyPaths, type ReadOnlyPath } from "./read-only-paths.ts";
import { startErrorText } from "./run-command.ts";
import type { Exec, ExecExit, ExecResult, SandboxLimits } from "./sandbox.ts";

export type ContainerRunnerParts = {
  readonly start: () => Promise<Container>;
  readonly readOnlyPaths: readonly ReadOnlyPath[];
  readonly wrap: (argv: readonly string[]) => readonly string[];
  /** NAME=value. */
  readonly environment: readonly string[];
  /** uid:gid. */
  readonly user: string;
  readonly limits: SandboxLimits;
  readonly disk: DiskWatch;
  /** What the container has as its input's folder. */
  readonly inputDir: string;
};

type Ended = { readonly container: Container; readonly exec: EngineExec; readonly oomKillsBefore: number };

type Stop = "timed-out" | "output-limit" | "disk-limit" | "aborted";

/** Shell conventions for a command that could not be started. */
const CANNOT_RUN = 126;
/** MAX_ARG_STRLEN: 32 pages, the closing NUL among them. */
const ARGUMENT_BYTES_MAX = 32 * 4096 - 1;
/** A quarter of the usual 8 MiB stack is for arguments and environment; some room is for what we put before them. */
const ARGUMENTS_BYTES_MAX = 2 * 1024 * 1024 - 256 * 1024;
/** A longer timer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** Killed processes are gone in a few milliseconds; the engine notes the end of one a moment after its output's. */
const SETTLE_TRIES_MAX = 100;
const SETTLE_MS = 10;
/** Status of a process that SIGKILL ended. */
const KILLED = 137;

export class ContainerRunner {
  readonly #parts: ContainerRunnerParts;
  #container: Container | null = null;

  constructor(parts: ContainerRunnerParts) {
    this.#parts = parts;
  }

  /** Before the first command, so that what is wrong with engine or image shows when a session opens. */
  async start(): Promise<void> {
    await this.#ready();
  }

  async close(): Promise<void> {
    await this.#drop();
  }

  async run(command: Exec, stopped: AbortSignal): Promise<ExecResult> {
    const fault = faultOf(command);
    if (fault !== null) return cannotStart(fault);
    await checkReadOnlyPaths(this.#parts.readOnlyPaths);
    const container = await this.#ready();
    stopped.throwIfAborted();
    const startedAt = performance.now();
    try {
      const { exit, output } = await this.#supervise(container, command, stopped);
      return { exit, ...output, wallMs: performance.now() - startedAt };
    } catch (error) {
      await this.#drop();
      throw error;
    }
  }

  async #ready(): Promise<Container> {
    if (this.#container?.isEnded) await this.#drop();
    return (this.#container ??= await this.#parts.start());
  }

  async #drop(): Promise<void> {
    const container = this.#container;
    this.#container = null;
    await container?.end();
  }

  async #supervise(container: Container, command: Exec, stopped: AbortSignal) {
    const { argv, cwd, stdin, timeoutMs, outputBytesMax } = command;
    const { wrap, environment, user, disk } = this.#parts;
    const hasInput = stdin.length > 0;
    if (hasInput) await writeInput(this.#parts.inputDir, stdin);
    const oomKillsBefore = container.oomKills();
    container.setDeadline(timeoutMs);
    const plan = { argv: aroundCommand(posix.join("/workspace", cwd), wrap(argv), hasInput), environment, user };
    const exec = await container.exec(plan);
    const stop = Promise.withResolvers<Stop>();
    const output = new CommandOutput(exec.stream, outputBytesMax, () => stop.resolve("output-limit"));
    const onAbort = () => stop.resolve("aborted");
    stopped.addEventListener("abort", onAbort, { once: true });
    if (stopped.aborted) onAbort();
    const timer = setTimeout(() => stop.resolve("timed-out"), Math.min(timeoutMs, TIMER_MS_MAX));
    const unwatch = disk.watch(watchedProcesses(container, exec), () => stop.resolve("disk-limit"));
    try {
      const ended = output.ended.then(() => null);
      const end = await Promise.race([stop.promise, ended, container.ended.then(() => null)]);
      const hasEnded = end === null && !output.isOverLimit;
      const exit = hasEnded ? await this.#readEnd({ container, exec, oomKillsBefore }) : null;
      if (exit === null) {
        await this.#drop();
        stopped.throwIfAborted();
      }
      await Promise.race([output.ended, delay(SETTLE_MS * SETTLE_TRIES_MAX, undefined, { ref: false })]);
      const over = output.isOverLimit ? "output-limit" : end;
      return { exit: exit ?? stopExit(over ?? "output-limit", command, this.#parts.limits), output: output.read() };
    } finally {
      clearTimeout(timer);
      unwatch();
      stopped.removeEventListener("abort", onAbort);
      exec.stream.destroy();
    }
  }

  /** How a command ended that we did not end. */
  async #readEnd({ container, exec, oomKillsBefore }: Ended): Promise<ExecExit> {
    const memoryLimit = { kind: "memory-limit", memoryBytes: this.#parts.limits.memoryBytes } as const;
    const look = await settle(container);
    if (look === null) {
      const status = await container.ended;
      await this.#drop();
      // Nobody else can: it has a user of its own, and is the smallest process there is.
      if (status === KILLED) return memoryLimit;
      throw new TransientError(`The sandbox's container ended by itself (status ${status ?? "unknown"}).`);
    }
    const ranOutOfMemory = container.oomKills() > oomKillsBefore;
    container.setDeadline(null);
    const code = await exitCode(exec);
    if (look.processes > 0 || look.left > 0) await this.#drop();
    if (code === null) throw new TransientError("The container engine did not say how a command ended.");
    return ranOutOfMemory && code !== 0 ? memoryLimit : { kind: "exited", code };
  }
}

/** A new file each time: the last command may hold the old one open. */
async function writeInput(folder: string, input: Uint8Array | string): Promise<void> {
  const path = join(folder, INPUT_FILE);
  await rm(path, { force: true });
  await writeFile(path, input, { mode: 0o444 });
}

/** Processes that stay are seen in the last look; null when the container has ended. */
async function settle(container: Container): Promise<Look | null> {
  let look: Look | null = null;
  for (let tries = 0; tries < SETTLE_TRIES_MAX && !container.isEnded; tries++) {
    look = await container.look().catch((error: unknown) => {
      if (container.isEnded) return null;
      throw error;
    });
    if (look === null || look.processes === 0) return look;
    await delay(SETTLE_MS);
  }
  return container.isEnded ? null : look;
}

/** null when the engine does not know. */
async function exitCode(exec: EngineExec): Promise<number | null> {
  for (let tries = 0; tries < SETTLE_TRIES_MAX; tries++) {
    const { code } = await exec.inspect();
    if (code !== null) return code;
    await delay(SETTLE_MS);
  }
  return null;
}

/** Process 1 and the command's first process: all others are below one of them. The engine tells the second one's after it has begun. */
function watchedProcesses(container: Container, exec: EngineExec): () => readonly number[] {
  const known = container.pid === null ? [] : [container.pid];
  let first: number | null = null;
  return () => {
    if (first !== null) return [...known, first];
    void exec.inspect().then(
      ({ pid }) => (first = pid),
      () => {}, // It has ended, or the engine has.
    );
    return known;
  };
}

function stopExit(stop: Stop, command: Exec, limits: SandboxLimits): ExecExit {
  if (stop === "timed-out") return { kind: "timed-out", timeoutMs: command.timeoutMs };
  if (stop === "output-limit") return { kind: "output-limit", outputBytesMax: command.outputBytesMax };
  return { kind: "disk-limit", workspaceBytesMax: limits.workspaceBytesMax };
}

/** What keeps a command from being started on any machine, for its author; null when nothing does. */
function faultOf({ argv, cwd }: Exec): string | null {
  if (cwd.includes("\0")) return `Can't chdir to ${JSON.stringify(cwd)}: it holds a NUL byte\n`;
  if (argv.length === 0 || argv[0] === "" || argv.some((argument) => argument.includes("\0"))) {
    return startErrorText("ERR_INVALID_ARG_VALUE");
  }
  const sizes = argv.map((argument) => Buffer.byteLength(argument) + 1);
  const isTooLong =
    sizes.some((size) => size > ARGUMENT_BYTES_MAX) || sizes.reduce((a, b) => a + b) > ARGUMENTS_BYTES_MAX;
  return isTooLong ? startErrorText("E2BIG") : null;
}

function cannotStart(why: string): ExecResult {
  const stderr = Buffer.from(why);
  return { exit: { kind: "exited", code: CANNOT_RUN }, stdout: Buffer.alloc(0), stderr, wallMs: 0 };
}
