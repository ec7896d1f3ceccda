/**
 * Starts git for a process that has grown large: a small bash forks it. A fork of the server itself copies its page tables, some ten
 * milliseconds for each hundred megabytes, in which nothing else of it runs. Never for a command that is given a token.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TransientError } from "../failure.ts";
import { killQuietly } from "../sandbox/process-tree.ts";
import { GIT_LIMITS, type GitEnd, type GitStart } from "./git-start.ts";

// Its input has a line for each command to start; the command's words, cwd first, are in a file, since bash reads a pipe byte by byte.
// At the end of its input, ours or of our life, it waits for what it started and removes its folder.
const SERVE = `
cd -- "$1" || exit
echo ready
while read -r id; do
  {
    (
      mapfile -d '' -t words <"$id.words"
      echo "$id started $BASHPID"
      cd -- "\${words[0]}" && exec env -i "\${words[@]:1}" <"$1/$id.in" >"$1/$id.out" 2>"$1/$id.err"
    )
    echo "$id ended $?"
  } &
done
wait
rm -rf -- "$1"
`;

type Waiting = {
  pid: number | null;
  isStopped: boolean;
  readonly end: (code: number) => void;
  readonly fail: (error: Error) => void;
};

export class GitFork {
  readonly #dir = mkdtempSync(join(tmpdir(), `pullwright-git-${process.pid}-`));
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, Waiting>();
  #started = 0;
  #report = "";
  state: "starting" | "ready" | "over" = "starting";

  constructor() {
    // detached: what ends the server by its terminal lets git go on to its end.
    this.#child = spawn("/bin/bash", ["--noprofile", "--norc", "-c", SERVE, "git", this.#dir], {
      ...{ cwd: "/", env: { PATH: "/usr/local/bin:/usr/bin:/bin" }, detached: true, stdio: ["pipe", "pipe", "ignore"] },
    });
    this.#child.on("error", () => this.#fail());
    this.#child.on("close", () => this.#fail());
    this.#child.stdin?.on("error", () => {}); // Its exit tells.
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    this.#child.unref();
    this.#hold(false);
  }

  /** Rejects with the signal's reason, or when bash has ended. */
  async run({ words, env, cwd, input }: GitStart, signal: AbortSignal | undefined): Promise<GitEnd> {
    const id = String((this.#started += 1));
    const file = (kind: string) => join(this.#dir, `${id}.${kind}`);
    const all = [cwd, ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...words];
    writeFileSync(file("words"), all.map((word) => `${word}\0`).join(""));
    writeFileSync(file("in"), input ?? "");
    const { promise, resolve: end, reject: fail } = Promise.withResolvers<number>();
    const waiting: Waiting = { pid: null, isStopped: false, end, fail };
    this.#waiting.set(id, waiting);
    this.#hold(true);
    // As from a child of ours: git removes its lock files at a SIGTERM.
    const stop = () => {
      waiting.isStopped = true;
      kill(waiting, "SIGTERM");
    };
    const watch = new Watch(file("out"), () => kill(waiting, "SIGKILL"));
    signal?.addEventListener("abort", stop, { once: true });
    try {
      this.#child.stdin?.write(`${id}\n`);
      const code = await promise;
      signal?.throwIfAborted();
      const [stdout, stderr] = await Promise.all(
        ["out", "err"].map((kind) => readFile(file(kind)).catch(() => NOTHING)),
      );
      const { length } = stdout ?? NOTHING;
      const fault = watch.fault ?? (length > GIT_LIMITS.outputBytesMax ? "its output was too long" : null);
      return { code, stdout: stdout ?? NOTHING, stderr: stderr ?? NOTHING, fault };
    } finally {
      watch.stop();
      signal?.removeEventListener("abort", stop);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#hold(false);
      await Promise.all(["words", "in", "out", "err"].map((kind) => rm(file(kind), { force: true })));
    }
  }

  #read(text: string): void {
    this.#report += text;
    for (let end = this.#report.indexOf("\n"); end !== -1; end = this.#report.indexOf("\n")) {
      const [id = "", what, value] = this.#report.slice(0, end).split(" ");
      this.#report = this.#report.slice(end + 1);
      if (id === "ready") this.state = "ready";
      const waiting = this.#waiting.get(id);
      if (what === "ended") waiting?.end(Number(value));
      else if (waiting) {
        waiting.pid = Number(value);
        if (waiting.isStopped) kill(waiting, "SIGTERM");
      }
    }
  }

  #fail(): void {
    this.state = "over";
    for (const { fail } of this.#waiting.values()) fail(new TransientError("the process that starts git has ended"));
  }

  /** Only while a command runs do we wait for its word. */
  #hold(isHeld: boolean): void {
    for (const pipe of [this.#child.stdin, this.#child.stdout])
      if (pipe instanceof Socket) isHeld ? pipe.ref() : pipe.unref();
  }
}

const NOTHING = Buffer.alloc(0);

/** Ends a command that has hung: it writes nothing for too long. */
class Watch {
  readonly #file: string;
  readonly #end: () => void;
  #timer: NodeJS.Timeout;
  #bytes = 0;
  fault: string | null = null;

  constructor(file: string, end: () => void) {
    this.#file = file;
    this.#end = end;
    this.#timer = this.#next();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #next(): NodeJS.Timeout {
    return setTimeout(() => void this.#look(), GIT_LIMITS.silenceMsMax).unref();
  }

  async #look(): Promise<void> {
    const bytes = (await stat(this.#file).catch(() => null))?.size ?? 0;
    if (bytes > this.#bytes) {
      this.#bytes = bytes;
      this.#timer = this.#next();
    } else {
      this.fault = `it said nothing for ${GIT_LIMITS.silenceMsMax / 1000} s`;
      this.#end();
    }
  }
}

function kill({ pid }: Waiting, signal: "SIGTERM" | "SIGKILL"): void {
  if (pid !== null) killQuietly(pid, signal);
}
