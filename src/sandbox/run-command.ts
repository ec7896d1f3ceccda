/** One command from start to end, for every driver: feeds it, keeps its output, and stops it at a limit. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "../failure.ts";
import type { Channel, Ends } from "./channel.ts";
import type { Exec } from "./sandbox.ts";

/** What we ended a command for. */
export type Stop = "timed-out" | "output-limit" | "memory-limit" | "disk-limit" | "aborted";

/** How the first process of a command ended. */
export type Exit = {
  readonly code: number | null;
  readonly signal: string | null;
  /** The program could not be started; its errno name ("ENOENT"). */
  readonly startError: string | null;
};

export type Ending = Exit & {
  readonly stop: Stop | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly wallMs: number;
};

export type Runner = {
  readonly channel: Channel;
  /** Resolves when the first process has ended. */
  readonly start: (ends: Ends) => Promise<Exit>;
  /** SIGKILL for everything the command started, as far as it is known yet. */
  readonly kill: () => void;
  /** Called once when the first process has ended; resolves when no other is left. */
  readonly sweep: () => Promise<void>;
  /** Calls back when the command holds more memory or disk than it may; returns how to stop watching. */
  readonly watch: (exceeded: (what: "memory-limit" | "disk-limit") => void) => () => void;
};

/** A killed process that is still there after this is stuck in the kernel; waiting longer would hang the run. */
const KILL_WAIT_MS = 10_000;
/** A longer timer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** The pipe is empty at once when all writers are gone; only the host driver can leave one behind. */
const DRAIN_WAIT_MS = 500;
/** Errors of spawn with which no machine could start the command: too long, or a NUL byte in it. */
export function isCommandsFault(startError: string): boolean {
  return ["E2BIG", "ENAMETOOLONG", "ERR_INVALID_ARG_VALUE"].includes(startError);
}

/** For the person or model that wrote the command. */
export function startErrorText(name: string): string {
  if (name === "ENOENT") return "command not found\n";
  if (name === "E2BIG") return "argument list too long; write it to a file or give it as input\n";
  if (name === "ERR_INVALID_ARG_VALUE") return "an argument is empty or holds a NUL byte\n";
  return `cannot be started (${name})\n`;
}

export async function runCommand(runner: Runner, command: Exec, signal: AbortSignal): Promise<Ending> {
  signal.throwIfAborted();
  const startedAt = performance.now();
  const ends = runner.channel.openEnds(command.stdin);
  const output = new Output(ends, command.outputBytesMax);
  try {
    const exit = await superviseCommand({ ends, runner, command, output }, signal);
    await Promise.race([output.ended, delay(DRAIN_WAIT_MS, undefined, { ref: false })]);
    const stop = exit.stop ?? (output.isOverLimit ? "output-limit" : null);
    return { ...exit, stop, ...output.read(), wallMs: performance.now() - startedAt };
  } finally {
    for (const end of [ends.stdout, ends.stderr]) end.destroy();
  }
}

type Supervised = {
  readonly ends: Ends;
  readonly runner: Runner;
  readonly command: Exec;
  readonly output: Output;
};

async function superviseCommand({ ends, runner, command, output }: Supervised, signal: AbortSignal) {
  let stop: Stop | null = null;
  const hung = Promise.withResolvers<never>();
  let killTimer: NodeJS.Timeout | undefined;
  const end = (why: Stop) => {
    if (stop !== null) return;
    stop = why;
    killTimer = setTimeout(() => hung.reject(stuck()), KILL_WAIT_MS);
    runner.kill();
  };
  const onAbort = () => end("aborted");
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => end("timed-out"), Math.min(command.timeoutMs, TIMER_MS_MAX));
  const unwatch = runner.watch(end);
  output.onLimit(() => end("output-limit"));
  try {
    const exit = await Promise.race([runner.start(ends), hung.promise]);
    if (exit.startError === null) await runner.sweep();
    return { stop: readStop(stop), ...exit };
  } finally {
    clearTimeout(timer);
    clearTimeout(killTimer);
    unwatch();
    signal.removeEventListener("abort", onAbort);
  }
}

/** The compiler does not see that a callback sets it. */
function readStop(stop: Stop | null): Stop | null {
  return stop;
}

function stuck(): TransientError {
  return new TransientError(`A command's processes did not end within ${KILL_WAIT_MS} ms of SIGKILL.`);
}

/** Why a program could not be started, by the name that the system has for it. */
export function startErrorOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** Keeps stdout and stderr whole up to one cap on both together. */
class Output {
  readonly ended: Promise<unknown>;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  #room: number;
  #isOverLimit = false;
  #tellLimit = () => {};

  constructor(ends: Ends, bytesMax: number) {
    this.#room = bytesMax;
    this.ended = Promise.all([once(ends.stdout, "close"), once(ends.stderr, "close")]);
    this.ended.catch(() => {}); // Nobody may be waiting when we destroy them.
    ends.stdout.on("data", (bytes: Buffer) => this.#keep(this.#stdout, bytes));
    ends.stderr.on("data", (bytes: Buffer) => this.#keep(this.#stderr, bytes));
  }

  get isOverLimit(): boolean {
    return this.#isOverLimit;
  }

  onLimit(tell: () => void): void {
    this.#tellLimit = tell;
  }

  read(): { readonly stdout: Buffer; readonly stderr: Buffer } {
    return { stdout: Buffer.concat(this.#stdout), stderr: Buffer.concat(this.#stderr) };
  }

  #keep(kept: Buffer[], bytes: Buffer): void {
    if (this.#room > 0) kept.push(bytes.subarray(0, this.#room));
    this.#room -= bytes.length;
    if (this.#room >= 0 || this.#isOverLimit) return;
    this.#isOverLimit = true;
    this.#tellLimit();
  }
}
