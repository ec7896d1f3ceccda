/** The port to where repository code runs. A driver opens a session for one run; the session runs one command at a time. */
import type { EgressPolicy } from "./egress-policy.ts";

/** Limits of one session. Every command of it gets all of them. */
export type SandboxLimits = {
  /** Bytes of resident memory of all processes of one command together. */
  readonly memoryBytes: number;
  readonly processesMax: number;
  /** Bytes of the largest file a command may write. */
  readonly fileBytesMax: number;
  /** Bytes of each memory-backed folder (/tmp, HOME). */
  readonly scratchBytes: number;
  /** Bytes on disk, and files, that a session may add to its workspace. Watched, so a fast writer gets a little further. */
  readonly workspaceBytesMax: number;
  readonly workspaceFilesMax: number;
};

export type SandboxOpening = {
  /** Absolute host path; becomes /workspace. Nothing else of the host can be written. */
  readonly workspaceDir: string;
  /** Where an overlay keeps what is written to the workspace: measured instead of it, the files below are not asked. */
  readonly writtenDir?: string | null;
  /** Workspace-relative paths that commands may read but not write, such as the .git of a person's own checkout. */
  readonly readOnlyPaths: readonly string[];
  /** A review or an answer gets a workspace it cannot write. */
  readonly isReadOnly: boolean;
  readonly limits: SandboxLimits;
  /** The host's uid and gid that all of the workspace belongs to already; without it a driver started as root gives it one. */
  readonly owner?: number | null;
  /** What its commands may reach; without it they have no network. */
  readonly egress?: EgressPolicy | null;
  /** Variables its commands get besides the usual ones. */
  readonly environment?: Readonly<Record<string, string>>;
};

export type Exec = {
  readonly argv: readonly string[];
  /** Relative to /workspace; "" is the workspace itself. */
  readonly cwd: string;
  readonly stdin: Uint8Array | string;
  readonly timeoutMs: number;
  /** Cap on stdout and stderr together. Past it the command is killed and the exit says so. */
  readonly outputBytesMax: number;
};

export type ExecExit =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signaled"; readonly signal: string }
  | { readonly kind: "timed-out"; readonly timeoutMs: number }
  | { readonly kind: "output-limit"; readonly outputBytesMax: number }
  | { readonly kind: "memory-limit"; readonly memoryBytes: number }
  | { readonly kind: "disk-limit"; readonly workspaceBytesMax: number };

export type ExecResult = {
  readonly exit: ExecExit;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly wallMs: number;
};

export interface SandboxSession extends AsyncDisposable {
  /** Runs one command to its end. No process of it is left when this resolves or throws (abort included). */
  exec(command: Exec, signal: AbortSignal): Promise<ExecResult>;
}

/** One line of the start-up check. A missing `isolation` feature refuses to start, a missing `limit` only warns. */
export type SandboxFeature = {
  readonly name: string;
  readonly kind: "isolation" | "limit";
  readonly isPresent: boolean;
  readonly detail: string;
  /** What to do about it, "" when present. */
  readonly remedy: string;
};

export interface Sandbox {
  readonly driver: "bubblewrap" | "container" | "host";
  check(): Promise<readonly SandboxFeature[]>;
  open(opening: SandboxOpening): Promise<SandboxSession>;
}
