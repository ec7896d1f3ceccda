/** git with bytes in and bytes out: names of files need not be UTF-8, and a list of them is too long for arguments. */
import { spawn } from "node:child_process";
import { GitError, gitEnvironment, gitOptions, type GitOptions, type GitPlace } from "./git-command.ts";

/** A pack or a list beyond this is no checkpoint any more but a copy of a repository. */
const OUTPUT_BYTES_MAX = 512 * 1024 * 1024;
/** A checkout of a hundred thousand files on a slow disk says nothing until it is done; one that takes longer has hung. */
const SILENCE_MS_MAX = 600_000;
/** What a GitError can use. */
const STDERR_BYTES_MAX = 64 * 1024;

/** Runs one git command on `input` and resolves to its standard output. Throws GitError, or the signal's reason. */
export function gitPipe(
  place: GitPlace,
  args: readonly string[],
  options: GitOptions & { readonly input?: Uint8Array | string },
): Promise<Buffer> {
  const { signal, input } = options;
  signal?.throwIfAborted();
  const verb = args[0] ?? "";
  return new Promise((resolve, reject) => {
    const child = spawn("git", [...gitOptions(options), ...args], {
      cwd: place.workTree ?? place.gitDir,
      env: gitEnvironment(place, options),
      stdio: ["pipe", "pipe", "pipe"],
      ...(signal ? { signal } : {}),
    });
    let isHung = false;
    const timer = setTimeout(() => {
      isHung = true;
      child.kill("SIGKILL");
    }, SILENCE_MS_MAX).unref();
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let outBytes = 0;
    let errBytes = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      timer.refresh();
      out.push(chunk);
      outBytes += chunk.length;
      if (outBytes > OUTPUT_BYTES_MAX) child.kill("SIGKILL");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (errBytes < STDERR_BYTES_MAX) err.push(chunk);
      errBytes += chunk.length;
    });
    child.on("error", (error) => reject(signal?.aborted ? signal.reason : error));
    child.on("close", (code) => {
      clearTimeout(timer);
      if (signal?.aborted) reject(signal.reason);
      else if (isHung) reject(new GitError(verb, 1, { stderr: `it said nothing for ${SILENCE_MS_MAX / 1000} s` }));
      else if (outBytes > OUTPUT_BYTES_MAX) reject(new GitError(verb, 1, { stderr: "its output was too long" }));
      else if (code === 0) resolve(Buffer.concat(out));
      else {
        const [stdout, stderr] = [out, err].map((chunks) => Buffer.concat(chunks).toString());
        reject(new GitError(verb, code ?? 1, { stdout: stdout ?? "", stderr: stderr ?? "" }));
      }
    });
    // A git that fails early closes its end; its exit tells the story.
    child.stdin.on("error", () => {}).end(input ?? "");
  });
}

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
