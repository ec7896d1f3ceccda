/** git with bytes in and bytes out: names of files need not be UTF-8, and a list of them is too long for arguments. */
import { GitError, gitEnvironment, gitOptions, type GitOptions, type GitPlace } from "./git-command.ts";
import { GitFork } from "./git-fork.ts";
import { type GitEnd, type GitStart, startDirectly } from "./git-start.ts";

/** From here on a fork of ours takes longer than telling bash. */
const LARGE_BYTES = 96 * 1024 * 1024;
/** A command line that is done soon needs none. */
const DIRECT_STARTS = 8;

/** Runs one git command on `input` and resolves to its standard output. Throws GitError, or the signal's reason. */
export async function gitPipe(
  place: GitPlace,
  args: readonly string[],
  options: GitOptions & { readonly input?: Uint8Array | string },
): Promise<Buffer> {
  const words = ["git", ...gitOptions(options), ...args];
  const start = {
    words,
    env: gitEnvironment(place, options),
    cwd: place.workTree ?? place.gitDir,
    input: options.input,
  };
  options.signal?.throwIfAborted();
  // A token is in the environment of its one process, and in no file.
  const ending =
    options.access === undefined ? starter.start(start, options.signal) : startDirectly(start, options.signal);
  const { code, stdout, stderr, fault } = await ending;
  if (code === 0 && fault === null) return stdout;
  const said = fault === null ? { stdout: stdout.toString(), stderr: stderr.toString() } : { stderr: fault };
  throw new GitError(args[0] ?? "", code ?? 1, said);
}

/** How a process of our size starts git now. */
class Starter {
  #starts = 0;
  #fork: GitFork | null = null;

  start(start: GitStart, signal: AbortSignal | undefined): Promise<GitEnd> {
    this.#starts += 1;
    if (this.#fork?.state === "ready") return this.#fork.run(start, signal);
    if (this.#fork === null && this.#starts > DIRECT_STARTS && process.memoryUsage.rss() > LARGE_BYTES)
      this.#fork = this.#open();
    return startDirectly(start, signal);
  }

  #open(): GitFork | null {
    try {
      return new GitFork();
    } catch {
      this.#starts = Number.NEGATIVE_INFINITY; // No folder can be made for it: on as before.
      return null;
    }
  }
}

/** Of the whole process, as its threads are. */
const starter = new Starter();

/** A NUL-separated list, each entry a name's bytes as latin1: one character is one byte, so that any name is kept. */
export function splitNames(list: Buffer): string[] {
  const names = list.toString("latin1").split("\0");
  names.pop(); // After the last NUL.
  return names;
}

/** The bytes of names as `splitNames` gives them, each ended by a NUL. */
export function joinNames(names: readonly string[]): Buffer {
  return Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1");
}
