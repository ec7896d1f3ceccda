/** A session on a fresh workspace for one test; the folder goes with it. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rgPath } from "@vscode/ripgrep";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import type { Exec, Sandbox, SandboxOpening, SandboxSession } from "../../src/sandbox/sandbox.ts";

export const MIB = 1024 * 1024;

export const LIMITS = {
  ...{ memoryBytes: 512 * MIB, processesMax: 128, fileBytesMax: 64 * MIB, scratchBytes: 16 * MIB },
  ...{ workspaceBytesMax: 1024 * MIB, workspaceFilesMax: 100_000 },
};

export const TOOLS = {
  tools: [],
  binaries: [
    { name: "rg", path: rgPath },
    { name: "node", path: process.execPath },
  ],
};

export const isRoot = process.getuid?.() === 0;

export type Said = { readonly exit: unknown; readonly stdout: string; readonly stderr: string };

export class TestSession implements AsyncDisposable {
  readonly workspaceDir: string;
  readonly session: SandboxSession;

  constructor(workspaceDir: string, session: SandboxSession) {
    this.workspaceDir = workspaceDir;
    this.session = session;
  }

  async exec(command: Partial<Exec>, signal: AbortSignal = new AbortController().signal): Promise<Said> {
    const whole = { argv: ["true"], cwd: "", stdin: "", timeoutMs: 30_000, outputBytesMax: MIB, ...command };
    const { exit, stdout, stderr } = await this.session.exec(whole, signal);
    return { exit, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  bash(script: string, command: Partial<Exec> = {}): Promise<Said> {
    return this.exec({ argv: ["bash", "-c", script], ...command });
  }

  /** For system calls no shell can make; standard output is `number errno`, errno 0 when it worked. */
  async syscall(...numbers: readonly number[]): Promise<{ readonly worked: boolean; readonly errno: number }> {
    const code = `my $r = syscall(${numbers.join(",")}); printf("%d %d", $r, $r < 0 ? $! : 0)`;
    const { stdout } = await this.exec({ argv: ["perl", "-e", code] });
    const [result, errno] = stdout.split(" ").map(Number);
    return { worked: result !== undefined && result >= 0, errno: errno ?? 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
    await rm(this.workspaceDir, { recursive: true, force: true });
  }
}

type Choice = { readonly driver?: Sandbox; readonly parentDir?: string } & Partial<SandboxOpening>;

export async function openSession(choice: Choice = {}): Promise<TestSession> {
  const { driver = bubblewrapSandbox(TOOLS), parentDir = tmpdir(), ...opening } = choice;
  const workspaceDir = opening.workspaceDir ?? (await mkdtemp(join(parentDir, "pullwright-test-")));
  try {
    const limits = { readOnlyPaths: [], isReadOnly: false, limits: LIMITS };
    return new TestSession(workspaceDir, await driver.open({ ...limits, ...opening, workspaceDir }));
  } catch (error) {
    await rm(workspaceDir, { recursive: true, force: true });
    throw error;
  }
}

/** Seconds to sleep that no other test run on this machine sleeps, so that a survivor can be told. */
export const nap = (id: number) => `98.${id}${process.pid}`;

/** Host processes whose command line holds the marker. */
export async function processesWith(marker: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.includes(marker));
}
