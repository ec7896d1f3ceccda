/** One workspace's sandbox: a fresh world for each command, in which nothing but the workspace outlives it. */
import { type ChildProcess, spawn } from "node:child_process";
import { setPriority } from "node:os";
import { posix } from "node:path";
import { Readable, Writable } from "node:stream";
import { TransientError } from "../failure.ts";
import { FD } from "./bubblewrap-arguments.ts";
import type { Cgroup } from "./cgroup.ts";
import type { Channel, Ends } from "./channel.ts";
import type { DiskWatch } from "./disk-watch.ts";
import { LAUNCHER, LAUNCHER_ENVIRONMENT, launcherArguments, type Staged } from "./launcher.ts";
import { LaunchStatus } from "./launch-status.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { killNamespace, killQuietly, waitUntilNamespaceGone } from "./process-tree.ts";
import { checkReadOnlyPaths, type ReadOnlyPath } from "./read-only-paths.ts";
import { limitedCommand } from "./resource-limits.ts";
import { type Ending, isCommandsFault, runCommand, startErrorText } from "./run-command.ts";
import type { Exec, ExecExit, ExecResult, SandboxLimits } from "./sandbox.ts";
import { setUpFailure } from "./set-up-failure.ts";

export type RunnerParts = {
  /** bubblewrap's arguments, all but the folder to start in. */
  readonly world: readonly string[];
  /** Puts beside a command what it needs to reach the egress proxy. */
  readonly wrap: (argv: readonly string[]) => readonly string[];
  readonly stagingDir: string | null;
  readonly staged: readonly Staged[];
  readonly readOnlyPaths: readonly ReadOnlyPath[];
  readonly filter: Buffer;
  readonly channel: Channel;
  readonly cgroup: Cgroup | null;
  readonly disk: DiskWatch;
  /** The host uid commands run as; null when we are not root. */
  readonly uid: number | null;
  readonly limits: SandboxLimits;
};

/** A little behind the server, which has ten seconds to answer GitHub. */
const NICENESS = 5;

/** Shell conventions for a command that could not be started. */
const CANNOT_RUN = 126;

export class BubblewrapRunner {
  readonly #parts: RunnerParts;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  async run(command: Exec, stopped: AbortSignal): Promise<ExecResult> {
    if (command.cwd.includes("\0")) return noSuchFolder(command.cwd); // It would end one argument and begin another.
    await checkReadOnlyPaths(this.#parts.readOnlyPaths);
    const oomKillsBefore = this.#parts.cgroup?.oomKills() ?? 0;
    const attempt = new Attempt(this.#parts, this.#plan(command));
    const ending = await runCommand({ channel: this.#parts.channel, ...attempt.runner() }, command, stopped);
    stopped.throwIfAborted();
    const ranOutOfMemory = (this.#parts.cgroup?.oomKills() ?? 0) > oomKillsBefore;
    const exit = readExit({
      ending,
      command,
      ranOutOfMemory,
      hasExited: attempt.hasExited,
      limits: this.#parts.limits,
    });
    const { stdout, stderr, wallMs, startError } = ending;
    return { exit, stdout, stderr: startError === null ? stderr : Buffer.from(startErrorText(startError)), wallMs };
  }

  #plan(command: Exec): Plan {
    const { cgroup, uid, limits, world, wrap, stagingDir, staged } = this.#parts;
    const inner = limitedCommand(wrap(command.argv), limits);
    const launch = ["bwrap", "--args", String(FD.arguments), "--", ...inner];
    return {
      launcher: launcherArguments({ joins: cgroup?.joins ?? [], stagingDir, staged, uid, command: launch }),
      world: [...world, "--chdir", posix.join("/workspace", command.cwd)],
    };
  }
}

type Plan = { readonly launcher: readonly string[]; readonly world: readonly string[] };

/** One start of bubblewrap. */
class Attempt {
  readonly #parts: RunnerParts;
  readonly #plan: Plan;
  #status: LaunchStatus | null = null;

  constructor(parts: RunnerParts, plan: Plan) {
    this.#parts = parts;
    this.#plan = plan;
  }

  get hasExited(): boolean {
    return this.#status?.hasExited ?? false;
  }

  runner() {
    return {
      start: (stdio: Ends["child"]) => this.#start(stdio),
      kill: (child: ChildProcess) => this.#kill(child),
      sweep: (child: ChildProcess) => this.#sweep(child),
      watch: (exceeded: (what: "memory-limit" | "disk-limit") => void) => this.#watch(exceeded),
    };
  }

  #start(stdio: Ends["child"]): ChildProcess {
    // detached: a process group of its own, so that one kill reaches launcher and bubblewrap.
    const child = spawn(LAUNCHER, this.#plan.launcher, {
      ...{ cwd: "/", env: LAUNCHER_ENVIRONMENT, detached: true },
      stdio: [stdio.stdin, stdio.stdout, stdio.stderr, "pipe", "pipe", "pipe"],
    });
    const pipes: readonly unknown[] = child.stdio;
    const status = pipes[FD.status];
    if (status instanceof Readable) this.#status = new LaunchStatus(status);
    send(pipes[FD.seccomp], this.#parts.filter);
    send(pipes[FD.arguments], this.#plan.world.map((argument) => `${argument}\0`).join(""));
    if (child.pid !== undefined) setPriority(child.pid, NICENESS);
    return child;
  }

  #kill(child: ChildProcess): void {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) killQuietly(-child.pid);
    const pid = this.#status?.namespacePid ?? null;
    if (pid !== null) killNamespace(pid);
    this.#parts.cgroup?.kill();
  }

  async #sweep(child: ChildProcess): Promise<void> {
    await this.#status?.complete();
    this.#kill(child);
    const pid = this.#status?.namespacePid ?? null;
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

/** A launcher that fails early closes the pipe; its exit tells the story. */
function send(pipe: unknown, content: Buffer | string): void {
  if (pipe instanceof Writable) pipe.on("error", () => {}).end(content);
}

function noSuchFolder(cwd: string): ExecResult {
  const stderr = Buffer.from(`Can't chdir to ${JSON.stringify(cwd)}: it holds a NUL byte\n`);
  return { exit: { kind: "exited", code: CANNOT_RUN }, stdout: Buffer.alloc(0), stderr, wallMs: 0 };
}

type Told = {
  readonly ending: Ending;
  readonly command: Exec;
  readonly ranOutOfMemory: boolean;
  readonly hasExited: boolean;
  readonly limits: SandboxLimits;
};

/** Throws when the command was never started and that was not its own fault. */
function readExit({ ending, command, ranOutOfMemory, hasExited, limits }: Told): ExecExit {
  const memoryLimit: ExecExit = { kind: "memory-limit", memoryBytes: limits.memoryBytes };
  if (ending.stop === "timed-out") return { kind: "timed-out", timeoutMs: command.timeoutMs };
  if (ending.stop === "output-limit") return { kind: "output-limit", outputBytesMax: command.outputBytesMax };
  if (ending.stop === "memory-limit") return memoryLimit;
  if (ending.stop === "disk-limit") return { kind: "disk-limit", workspaceBytesMax: limits.workspaceBytesMax };
  if (ending.startError !== null) {
    if (isCommandsFault(ending.startError)) return { kind: "exited", code: CANNOT_RUN };
    throw setUpFailure(`${LAUNCHER}: ${ending.startError}`);
  }
  if (ranOutOfMemory && ending.code !== 0) return memoryLimit;
  if (ending.signal !== null) return { kind: "signaled", signal: ending.signal };
  const said = ending.stderr.toString();
  if (hasExited && ending.code !== null) return { kind: "exited", code: ending.code };
  if (said.includes("Can't chdir to")) return { kind: "exited", code: CANNOT_RUN };
  throw setUpFailure(said);
}
