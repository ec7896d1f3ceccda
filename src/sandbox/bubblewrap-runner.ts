/** One workspace's sandbox: a fresh world for each command, in which nothing but the workspace outlives it. */
import { constants } from "node:os";
import { posix } from "node:path";
import { TransientError } from "../failure.ts";
import { FD } from "./bubblewrap-arguments.ts";
import type { Cgroup } from "./cgroup.ts";
import type { Channel, Ends } from "./channel.ts";
import type { DiskWatch } from "./disk-watch.ts";
import { FILES, LAUNCHER, type Launcher } from "./launcher.ts";
import { LaunchStatus } from "./launch-status.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { killNamespace, waitUntilNamespaceGone } from "./process-tree.ts";
import { checkReadOnlyPaths, type ReadOnlyPath } from "./read-only-paths.ts";
import { limitedCommand } from "./resource-limits.ts";
import { type Ending, type Exit, isCommandsFault, runCommand, startErrorText } from "./run-command.ts";
import type { Exec, ExecExit, ExecResult, SandboxLimits } from "./sandbox.ts";
import { setUpFailure } from "./set-up-failure.ts";

export type RunnerParts = {
  /** Puts beside a command what it needs to reach the egress proxy. */
  readonly wrap: (argv: readonly string[]) => readonly string[];
  readonly readOnlyPaths: readonly ReadOnlyPath[];
  readonly channel: Channel;
  readonly launcher: Launcher;
  readonly cgroup: Cgroup | null;
  readonly disk: DiskWatch;
  /** Commands run as a user that nobody else is. */
  readonly hasOwnUser: boolean;
  readonly limits: SandboxLimits;
};

/** Shell conventions for a command that could not be started. */
const CANNOT_RUN = 126;
const NOT_FOUND = 127;
/** A shell's status for a program that a signal ended, above the signal's number. */
const BY_SIGNAL = 128;

export class BubblewrapRunner {
  readonly #parts: RunnerParts;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  async run(command: Exec, stopped: AbortSignal): Promise<ExecResult> {
    if (command.cwd.includes("\0")) return noSuchFolder(command.cwd); // It would end one argument and begin another.
    await checkReadOnlyPaths(this.#parts.readOnlyPaths);
    await this.#makeReady();
    const oomKillsBefore = this.#parts.cgroup?.oomKills() ?? 0;
    const attempt = new Attempt(this.#parts, command);
    const ended = await runCommand({ channel: this.#parts.channel, ...attempt.runner() }, command, stopped);
    const ending = attempt.wasStarted ? ended : { ...ended, startError: ended.startError ?? startErrorIn(ended) };
    stopped.throwIfAborted();
    const ranOutOfMemory = (this.#parts.cgroup?.oomKills() ?? 0) > oomKillsBefore;
    const exit = readExit({
      ending,
      command,
      ranOutOfMemory,
      wasStarted: attempt.wasStarted,
      hasExited: attempt.hasExited,
      launcherSaid: this.#parts.launcher.said,
      limits: this.#parts.limits,
    });
    const { stdout, stderr, wallMs, startError } = ending;
    return { exit, stdout, stderr: startError === null ? stderr : Buffer.from(startErrorText(startError)), wallMs };
  }

  async #makeReady(): Promise<void> {
    const ended = await this.#parts.launcher.ready();
    if (ended !== null) throw setUpFailure(`${LAUNCHER}: ${ended.startError ?? this.#parts.launcher.said}`);
  }
}

/** One start of bubblewrap. */
class Attempt {
  readonly #parts: RunnerParts;
  readonly #command: Exec;
  #status: LaunchStatus | null = null;

  constructor(parts: RunnerParts, command: Exec) {
    this.#parts = parts;
    this.#command = command;
  }

  get hasExited(): boolean {
    return this.#status?.hasExited ?? false;
  }

  get wasStarted(): boolean {
    return this.#status?.namespacePid != null;
  }

  runner() {
    return {
      start: (ends: Ends) => this.#start(ends),
      kill: () => this.#kill(),
      sweep: () => this.#sweep(),
      watch: (exceeded: (what: "memory-limit" | "disk-limit") => void) => this.#watch(exceeded),
    };
  }

  async #start(ends: Ends): Promise<Exit> {
    const { channel, launcher, wrap, limits, hasOwnUser } = this.#parts;
    const { argv, cwd } = this.#command;
    if (argv.some((argument) => argument.includes("\0"))) return cannotStart("ERR_INVALID_ARG_VALUE");
    const world = ["--args", String(FD.arguments), "--chdir", posix.join("/workspace", cwd)];
    this.#status = new LaunchStatus(channel.openReader(FILES.status));
    const exit = await launcher.run(
      ["bwrap", ...world, "--", ...limitedCommand(wrap(argv), limits, hasOwnUser)],
      ends.stdin,
    );
    if (launcher.pid === null) this.#status.close(); // It may have died before there was a writer.
    return exit;
  }

  #kill(): void {
    this.#parts.launcher.kill();
    const pid = this.#status?.namespacePid ?? null;
    if (pid !== null) killNamespace(pid);
    this.#parts.cgroup?.kill(null);
  }

  async #sweep(): Promise<void> {
    await this.#status?.complete();
    const pid = this.#status?.namespacePid ?? null;
    if (pid !== null) killNamespace(pid);
    this.#parts.cgroup?.kill(this.#parts.launcher.pid);
    if (pid === null || (await waitUntilNamespaceGone(pid))) return;
    throw new TransientError("A command's processes did not end after SIGKILL.");
  }

  #watch(exceeded: (what: "memory-limit" | "disk-limit") => void): () => void {
    const { cgroup, disk, limits } = this.#parts;
    const namespacePid = () => this.#status?.namespacePid ?? null;
    const memory = cgroup === null ? new MemoryWatch(limits.memoryBytes) : null;
    const unwatch = [
      memory?.watch(namespacePid, () => exceeded("memory-limit")),
      disk.watch(namespacePid, () => exceeded("disk-limit")),
    ];
    return () => {
      for (const stop of unwatch) stop?.();
    };
  }
}

/** The launcher's exec says it where the command's errors go. */
function startErrorIn({ code, stderr }: Ending): string | null {
  return code === CANNOT_RUN && stderr.includes("Argument list too long") ? "E2BIG" : null;
}

function cannotStart(startError: string): Exit {
  return { code: null, signal: null, startError };
}

function noSuchFolder(cwd: string): ExecResult {
  const stderr = Buffer.from(`Can't chdir to ${JSON.stringify(cwd)}: it holds a NUL byte\n`);
  return { exit: { kind: "exited", code: CANNOT_RUN }, stdout: Buffer.alloc(0), stderr, wallMs: 0 };
}

type Told = {
  readonly ending: Ending;
  readonly command: Exec;
  readonly ranOutOfMemory: boolean;
  readonly wasStarted: boolean;
  readonly hasExited: boolean;
  readonly launcherSaid: string;
  readonly limits: SandboxLimits;
};

/** Throws when the command was never started and that was not its own fault. */
function readExit({ ending, command, limits, ...told }: Told): ExecExit {
  const memoryLimit: ExecExit = { kind: "memory-limit", memoryBytes: limits.memoryBytes };
  if (ending.stop === "timed-out") return { kind: "timed-out", timeoutMs: command.timeoutMs };
  if (ending.stop === "output-limit") return { kind: "output-limit", outputBytesMax: command.outputBytesMax };
  if (ending.stop === "memory-limit") return memoryLimit;
  if (ending.stop === "disk-limit") return { kind: "disk-limit", workspaceBytesMax: limits.workspaceBytesMax };
  if (ending.startError !== null) {
    if (isCommandsFault(ending.startError)) return { kind: "exited", code: CANNOT_RUN };
    throw setUpFailure(`${LAUNCHER}: ${ending.startError}`);
  }
  if (told.ranOutOfMemory && ending.code !== 0) return memoryLimit;
  if (told.hasExited && ending.code !== null) return { kind: "exited", code: ending.code };
  const signal = ending.signal ?? signalOf(ending.code);
  if (told.wasStarted && signal !== null) return { kind: "signaled", signal };
  const said = ending.stderr.toString();
  if (said.includes("Can't chdir to")) return { kind: "exited", code: CANNOT_RUN };
  if (/^bwrap: execvp (?!prlimit:)/m.test(said)) {
    return { kind: "exited", code: said.includes("No such file") ? NOT_FOUND : CANNOT_RUN };
  }
  throw setUpFailure(`${said}${told.launcherSaid}`);
}

/** How a shell tells it. */
function signalOf(code: number | null): string | null {
  if (code === null || code <= BY_SIGNAL) return null;
  const named = Object.entries(constants.signals).find(([, number]) => number === code - BY_SIGNAL);
  return named?.[0] ?? null;
}
