/**
 * Runs commands directly on this machine. IT ISOLATES NOTHING: a command reads and writes what we can, sees the network
 * and our processes, and a daemon of it may stay. settings.ts asks for a frightening consent before anything gets here.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { access, mkdir, realpath, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { innerEnvironment, type SandboxTools } from "./bubblewrap-arguments.ts";
import { Channel, type Ends } from "./channel.ts";
import { killQuietly } from "./process-tree.ts";
import { type Ending, type Exit, isCommandsFault, runCommand, startErrorOf, startErrorText } from "./run-command.ts";
import type { Exec, ExecExit, ExecResult, Sandbox, SandboxOpening, SandboxSession } from "./sandbox.ts";
import { SerialSession } from "./serial-session.ts";
import { makeStateFolder } from "./state-folder.ts";

/** Shell conventions for a command that could not be started. */
const CANNOT_RUN = 126;
const NOT_FOUND = 127;

/** Egress policies, read-only paths, memory, processes, file and scratch sizes are not held; time and output are. */
export function hostSandbox(tools: SandboxTools = { tools: [], binaries: [] }): Sandbox {
  return {
    driver: "host",
    check: async () => [
      {
        name: "isolation",
        kind: "limit", // It is missing on purpose; only what was hoped for may refuse to start.
        isPresent: false,
        detail: "none: commands run on this machine with our rights",
        remedy: "Use PULLWRIGHT_SANDBOX=bubblewrap for code that you did not write.",
      },
    ],
    open: (opening) => openHostSession(opening, tools),
  };
}

async function openHostSession(opening: SandboxOpening, tools: SandboxTools): Promise<SandboxSession> {
  await using undo = new AsyncDisposableStack();
  const stateDir = await makeStateFolder();
  undo.defer(() => rm(stateDir, { recursive: true, force: true }));
  const channel = await Channel.open(join(stateDir, "pipes"));
  await channel.makePipes();
  const [home, scratch] = [join(stateDir, "home"), join(stateDir, "tmp")];
  await Promise.all([mkdir(home), mkdir(scratch)]);
  const usual = { ...innerEnvironment(hostPath(tools)), HOME: home, TMPDIR: scratch };
  const environment = { ...usual, ...opening.environment };
  const workspaceDir = await realpath(opening.workspaceDir);
  const runner = new HostRunner({ workspaceDir, environment, channel });
  return new SerialSession((command, stopped) => runner.run(command, stopped), undo.move());
}

function hostPath({ tools, binaries }: SandboxTools): string {
  const system = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];
  // A file named otherwise than it is called cannot be found by a PATH.
  const named = binaries.filter(({ name, path }) => basename(path) === name).map(({ path }) => dirname(path));
  return [...named, ...tools.map((folder) => join(folder, "bin")), ...system].join(":");
}

type HostParts = {
  readonly workspaceDir: string;
  readonly environment: Record<string, string>;
  readonly channel: Channel;
};

class HostRunner {
  readonly #parts: HostParts;

  constructor(parts: HostParts) {
    this.#parts = parts;
  }

  async run(command: Exec, stopped: AbortSignal): Promise<ExecResult> {
    const cwd = join(this.#parts.workspaceDir, command.cwd);
    const hasFolder = await access(cwd).then(
      () => true,
      () => false,
    );
    if (!hasFolder) return cannotStart(CANNOT_RUN, `Can't chdir to ${command.cwd}: No such file or directory\n`);
    let group: number | undefined;
    const kill = () => killGroup(group);
    const runner = {
      channel: this.#parts.channel,
      start: async (ends: Ends) => {
        const { pid, ended } = this.#start(command.argv, cwd, ends);
        group = pid;
        return await ended;
      },
      kill,
      sweep: async () => kill(),
      watch: () => () => {},
    };
    const ending = await runCommand(runner, command, stopped);
    if (ending.startError !== null) return readStartError(ending.startError, command);
    const { stdout, stderr, wallMs } = ending;
    return { exit: readExit(ending, command), stdout, stderr, wallMs };
  }

  #start([program = "", ...argv]: readonly string[], cwd: string, ends: Ends) {
    const { channel, environment: env } = this.#parts;
    const stdin = openSync(ends.stdin, constants.O_RDONLY);
    const outputs = ["stdout", "stderr"].map((name) => openSync(channel.path(name), constants.O_WRONLY));
    try {
      const child = spawn(program, argv, { cwd, env, detached: true, stdio: [stdin, ...outputs] });
      // Not "close": that waits for whoever holds the output.
      const ended = once(child, "exit").then(
        (): Exit => ({ code: child.exitCode, signal: child.signalCode, startError: null }),
        cannotBeStarted,
      );
      return { pid: child.pid, ended };
    } catch (error) {
      const exit = cannotBeStarted(error);
      if (!isCommandsFault(exit.startError)) throw error;
      return { pid: undefined, ended: Promise.resolve(exit) };
    } finally {
      for (const fd of [stdin, ...outputs]) closeSync(fd);
    }
  }
}

function cannotBeStarted(error: unknown) {
  return { code: null, signal: null, startError: startErrorOf(error) };
}

/** What made a session of its own escapes it; only a sandbox can hold that. */
function killGroup(pid: number | undefined): void {
  if (pid !== undefined) killQuietly(-pid);
}

function readStartError(startError: string, command: Exec): ExecResult {
  const code = startError === "ENOENT" ? NOT_FOUND : CANNOT_RUN;
  return cannotStart(code, `${command.argv[0]}: ${startErrorText(startError)}`);
}

function cannotStart(code: number, why: string): ExecResult {
  return { exit: { kind: "exited", code }, stdout: Buffer.alloc(0), stderr: Buffer.from(why), wallMs: 0 };
}

function readExit({ stop, code, signal }: Ending, command: Exec): ExecExit {
  if (stop === "timed-out") return { kind: "timed-out", timeoutMs: command.timeoutMs };
  if (stop === "output-limit") return { kind: "output-limit", outputBytesMax: command.outputBytesMax };
  if (code !== null) return { kind: "exited", code };
  return { kind: "signaled", signal: signal ?? "SIGKILL" };
}
