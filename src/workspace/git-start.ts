/** One start of git, as a child of ours. */
import { spawn } from "node:child_process";

export type GitStart = {
  /** The program first. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly input: Uint8Array | string | undefined;
};

export type GitEnd = {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** Why we ended it. */
  readonly fault: string | null;
};

export const GIT_LIMITS = {
  /** A pack or a list beyond this is no checkpoint any more but a copy of a repository. */
  outputBytesMax: 512 * 1024 * 1024,
  /** A checkout of a hundred thousand files on a slow disk says nothing until it is done; one that takes longer has hung. */
  silenceMsMax: 600_000,
} as const;

/** What a GitError can use. */
const STDERR_BYTES_MAX = 64 * 1024;

/** Rejects with the signal's reason, or when there is no such program. */
export function startDirectly({ words, env, cwd, input }: GitStart, signal: AbortSignal | undefined): Promise<GitEnd> {
  const [program = "", ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"], ...(signal ? { signal } : {}) });
    let fault: string | null = null;
    const end = (why: string) => {
      fault = why;
      child.kill("SIGKILL");
    };
    const { silenceMsMax, outputBytesMax } = GIT_LIMITS;
    const timer = setTimeout(() => end(`it said nothing for ${silenceMsMax / 1000} s`), silenceMsMax).unref();
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let outBytes = 0;
    let errBytes = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      timer.refresh();
      out.push(chunk);
      outBytes += chunk.length;
      if (outBytes > outputBytesMax) end("its output was too long");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (errBytes < STDERR_BYTES_MAX) err.push(chunk);
      errBytes += chunk.length;
    });
    child.on("error", (error) => reject(signal?.aborted ? signal.reason : error));
    child.on("close", (code) => {
      clearTimeout(timer);
      if (signal?.aborted) reject(signal.reason);
      else resolve({ code, stdout: Buffer.concat(out), stderr: Buffer.concat(err), fault });
    });
    // A git that fails early closes its end; its exit tells the story.
    child.stdin.on("error", () => {}).end(input ?? "");
  });
}
