/**
 * Runs commands directly on this machine. IT ISOLATES NOTHING: a command reads and writes what we can, sees the network
 * and our processes, and a daemon of it may stay. settings.ts asks for a frightening consent before anything gets here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { access, mkdir, realpath, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { innerEnvironment, type SandboxTools } from "./bubblewrap-arguments.ts";
import { Channel, type Ends } from "./channel.ts";
import { killQuietly } from "./process-tree.ts";
import { type Ending, runCommand, startErrorText } from "./run-command.ts";
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
    const runner = {
      channel: this.#parts.channel,
      start: (stdio: Ends["child"]) => this.#start(command.argv, cwd, stdio),
      kill: killGroup,
      sweep: async (child: ChildProcess) => killGroup(child),
      watch: () => () => {},
    };
    const ending = await runCommand(runner, command, stopped);
    if (ending.startError !== null) return readStartError(ending.startError, command);
    const { stdout, stderr, wallMs } = ending;
    return { exit: readExit(ending, command), stdout, stderr, wallMs };
  }

  #start([program = "", ...argv]: readonly string[], cwd: string, stdio: Ends["child"]): ChildProcess {
    return spawn(program, argv, {
      ...{ cwd, env: this.#parts.environment, detached: true },
      stdio: [stdio.stdin, stdio.stdout, stdio.stderr],
    });
  }
}

/** What made a session of its own escapes it; only a sandbox can hold that. */
function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined) killQuietly(-child.pid);
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
