/**
 * Starts a session's commands: a small bash that joins the control groups, drops root and closes our open files once, and then
 * forks bubblewrap for each command. A fork of the server itself copies its page tables, several milliseconds for each command.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { killQuietly } from "./process-tree.ts";
import { type Exit, startErrorOf } from "./run-command.ts";

/** A host path that the sandbox's uid cannot walk to; root binds it where it can, in a mount namespace of its own. */
export type Staged = { readonly source: string; readonly target: string; readonly isFolder: boolean };

export type LaunchPlan = {
  /** Files to write "0" to, once, to be in the session's control groups. */
  readonly joins: readonly string[];
  readonly stagingDir: string | null;
  readonly staged: readonly Staged[];
  /** Options of bash's ulimit with their values. */
  readonly limits: readonly (readonly [option: string, value: number])[];
  /** null when we are not root: then commands are started as who we are. */
  readonly uid: number | null;
  /** The session's pipes and the files that bubblewrap reads; see FILES. */
  readonly folder: string;
};

/** What a command finds open at 3, 4 and 5, by the name of the file in the folder. */
export const FILES = { status: "status", seccomp: "seccomp", world: "world" } as const;

/** Everything of ours is started with this only: /proc/1/environ inside shows it, whatever --clearenv does. */
export const LAUNCHER_ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

export const LAUNCHER = "/bin/bash";
const BARE = ["--noprofile", "--norc", "-c"];

/** A little behind the server, which has ten seconds to answer GitHub. */
const NICENESS = 5;
/** It ends at the end of its input, unless it is stuck in the kernel. */
const END_WAIT_MS = 2_000;
/** bash's complaints; a line for each command that was killed. */
const SAID_CHARS_MAX = 2_000;

// Every descriptor of ours is closed: bubblewrap passes on what it inherits, and a pipe of the shell that started the
// server was seen inside. bash, because dash cannot close descriptors above 9.
// A sandboxed process is the first the kernel should kill when memory runs out.
const PREPARE = `
set -e
echo 1000 >/proc/self/oom_score_adj || true
while [[ $1 != -- ]]; do
  case $1 in
    join) echo 0 >"$2"; shift 2 ;;
    limit) ulimit "$2" "$3"; shift 3 ;;
    staging) mount -t tmpfs -o size=1m,mode=755 pullwright "$2"; shift 2 ;;
    folder) mkdir "$3"; mount --rbind "$2" "$3"; shift 3 ;;
    file) : >"$3"; mount --bind "$2" "$3"; shift 3 ;;
  esac
done
shift
for path in /proc/self/fd/*; do
  fd=\${path##*/}
  if ((fd > 2)); then exec {fd}>&-; fi
done
exec "$@"
`;

// A line on its input is a command to start, its end is ours. The command is in a file: bash reads a pipe byte by byte.
const SERVE = `
cd -- "$1"
[[ -p ${FILES.status} ]] || mkfifo -m 600 stdout stderr ${FILES.status} || exit
echo ready
while read -r; do
  mapfile -d '' -t argv <command
  (exec "\${argv[@]:1}" <"\${argv[0]}" >stdout 2>stderr 3>${FILES.status} 4<${FILES.seccomp} 5<${FILES.world})
  echo "$?"
done
`;

/** One command at a time. What kills a command kills the launcher with it; the next command gets a new one. */
export class Launcher {
  readonly #plan: LaunchPlan;
  #process: LauncherProcess;

  /** Starts at once, so that the first command need not wait for it. */
  constructor(plan: LaunchPlan) {
    this.#plan = plan;
    this.#process = new LauncherProcess(plan);
  }

  /** Resolves to null when the pipes are there and a command may come, else to how the launcher ended. */
  async ready(): Promise<Exit | null> {
    if (this.#process.isOver) this.#process = new LauncherProcess(this.#plan);
    return await Promise.race([this.#process.ready, this.#process.over]);
  }

  /** When ready. `input` is the file that the command reads from. Resolves when bubblewrap has ended, or the launcher itself. */
  async run(argv: readonly string[], input: string): Promise<Exit> {
    writeFileSync(join(this.#plan.folder, "command"), [input, ...argv].map((word) => `${word}\0`).join(""));
    return await this.#process.run();
  }

  /** Its own complaints, at most a few lines: why it could not do its work. */
  get said(): string {
    return this.#process.said;
  }

  /** Null when it has ended. */
  get pid(): number | null {
    return this.#process.pid;
  }

  /** SIGKILL for it and for a bubblewrap that has not made its namespaces yet. */
  kill(): void {
    if (this.pid !== null) killQuietly(-this.pid);
  }

  async close(): Promise<void> {
    await this.#process.close();
  }
}

class LauncherProcess {
  readonly ready: Promise<null>;
  readonly over: Promise<Exit>;
  readonly #child: ChildProcess;
  isOver = false;
  said = "";
  /** What the next line is for. */
  #tell: (line: string) => void;
  #report = "";

  constructor(plan: LaunchPlan) {
    // detached: a process group of its own, so that one kill reaches it and bubblewrap.
    this.#child = spawn(LAUNCHER, launcherArguments(plan), {
      ...{ cwd: "/", env: LAUNCHER_ENVIRONMENT, detached: true, stdio: ["pipe", "pipe", "pipe"] },
    });
    if (this.#child.pid !== undefined) setPriority(this.#child.pid, NICENESS);
    this.#child.stdin?.on("error", () => {}); // One that has ended says so by its exit.
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.said = (this.said + text).slice(-SAID_CHARS_MAX);
    });
    const ready = Promise.withResolvers<null>();
    this.ready = ready.promise;
    this.#tell = () => ready.resolve(null);
    this.over = this.#untilOver();
  }

  get pid(): number | null {
    return this.isOver ? null : (this.#child.pid ?? null);
  }

  async run(): Promise<Exit> {
    const told = Promise.withResolvers<Exit>();
    this.#tell = (line) => told.resolve({ code: Number(line), signal: null, startError: null });
    this.#child.stdin?.write("\n");
    return await Promise.race([told.promise, this.over]);
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    await Promise.race([this.over, delay(END_WAIT_MS, undefined, { ref: false })]);
    if (this.pid !== null) killQuietly(-this.pid);
  }

  #read(text: string): void {
    this.#report += text;
    const end = this.#report.indexOf("\n");
    if (end === -1) return;
    const line = this.#report.slice(0, end);
    this.#report = "";
    this.#tell(line);
  }

  async #untilOver(): Promise<Exit> {
    try {
      await once(this.#child, "close"); // Not "exit": what it said would still be on its way.
      return { code: this.#child.exitCode, signal: this.#child.signalCode, startError: null };
    } catch (error) {
      return { code: null, signal: null, startError: startErrorOf(error) };
    } finally {
      this.isOver = true;
    }
  }
}

function launcherArguments(plan: LaunchPlan): string[] {
  const steps = [
    ...plan.joins.flatMap((file) => ["join", file]),
    ...plan.limits.flatMap(([option, value]) => ["limit", option, String(value)]),
    ...(plan.stagingDir === null ? [] : ["staging", plan.stagingDir]),
    ...plan.staged.flatMap((entry) => [entry.isFolder ? "folder" : "file", entry.source, entry.target]),
  ];
  const serve = [LAUNCHER, ...BARE, SERVE, "sandbox", plan.folder];
  const prepare = [...BARE, PREPARE, "sandbox", ...steps, "--", ...dropRoot(plan.uid), ...serve];
  if (plan.stagingDir === null) return prepare;
  // A bash around unshare, so that the caller always starts the same program.
  return [...BARE, 'exec unshare --mount -- "$@"', "sandbox", LAUNCHER, ...prepare];
}

/** It must not outlive us either, or a command would end with the next line of its input instead of at once. */
function dropRoot(uid: number | null): string[] {
  const identity = uid === null ? [] : [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return ["setpriv", "--pdeathsig=KILL", ...identity, "--no-new-privs", "--"];
}
