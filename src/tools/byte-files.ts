/**
 * The files of a workspace as bytes, read and written inside its sandbox only: the host never opens a path that repository code can
 * swap for a link. Many files cost one command; a write is whole or not at all.
 */
import { readFileSync } from "node:fs";
import type { ExecResult, SandboxSession } from "../sandbox/sandbox.ts";
import { checkPath, isGitFolder, whyNoFile } from "./paths.ts";
import { ToolRefusal } from "./tool.ts";

/** `path` is the real one, relative to the workspace and with links followed: two names of one file have the same. */
export type ByteRead =
  | { readonly kind: "file"; readonly path: string; readonly bytes: Buffer; readonly mode: string }
  | { readonly kind: "too-large"; readonly path: string; readonly bytes: number }
  | { readonly kind: "missing" | "directory" | "special" | "unreadable"; readonly path: string }
  | { readonly kind: "refused"; readonly path: string; readonly why: string };

/** `mode` in octal, null to keep a file's own (644 for a new one). */
export type ByteChange =
  | { readonly kind: "write"; readonly path: string; readonly bytes: Buffer; readonly mode: string | null }
  | { readonly kind: "delete"; readonly path: string }
  /** Removes a folder if it is empty. */
  | { readonly kind: "prune"; readonly path: string };

/** `paths` are the real ones of the changes; `folders` those that were made for them, a folder before those in it. */
export type Written = { readonly paths: readonly string[]; readonly folders: readonly string[] };

export type ByteFiles = {
  readonly read: (paths: readonly string[], signal: AbortSignal) => Promise<readonly ByteRead[]>;
  readonly write: (changes: readonly ByteChange[], signal: AbortSignal) => Promise<Written>;
  readonly list: (path: string, signal: AbortSignal) => Promise<readonly string[]>;
};

/** The largest file we edit, and all files of one call together: they pass through this process's memory. */
export const FILE_BYTES_MAX = 50 * 1024 * 1024;
const ALL_BYTES_MAX = 100 * 1024 * 1024;
/** Headers come on top of the bytes. */
const OUTPUT_BYTES_MAX = ALL_BYTES_MAX + 4 * 1024 * 1024;
/** Five hundred files take a second or two; a disk that needs longer hangs. */
const TIMEOUT_MS = 60_000;

export function openByteFiles(session: SandboxSession): ByteFiles {
  const readingScript = readScript("read-files.sh");
  const writingScript = readScript("write-files.sh");
  const run = async (argv: readonly string[], stdin: Uint8Array | string, signal: AbortSignal) => {
    const limits = { timeoutMs: TIMEOUT_MS, outputBytesMax: OUTPUT_BYTES_MAX };
    return readExit(await session.exec({ argv, cwd: "", stdin, ...limits }, signal));
  };
  return {
    async read(paths, signal) {
      const checked = paths.map(checkPath);
      const asked = checked.flatMap((one) => (one.kind === "path" ? [one.path] : []));
      const limits = [FILE_BYTES_MAX, ALL_BYTES_MAX].map(String);
      const output =
        asked.length === 0 ? null : await run(["/bin/sh", "-c", readingScript, "sh", ...limits, ...asked], "", signal);
      const fields = new Fields(output?.stdout ?? Buffer.alloc(0));
      const headers = asked.map(() => readHeader(fields));
      const found = headers.map((header) => readOne(header, fields))[Symbol.iterator]();
      return checked.map((one, i) => {
        if (one.kind === "refused") return { kind: "refused", path: paths[i] ?? "", why: one.why };
        const next = found.next();
        if (next.done === true) throw new Error("each path has a result");
        return next.value;
      });
    },
    async write(changes, signal) {
      if (changes.length === 0) return { paths: [], folders: [] };
      const argv = changes.flatMap((change) => argumentsOf(change));
      const contents = Buffer.concat(
        changes.map((change) => (change.kind === "write" ? change.bytes : Buffer.alloc(0))),
      );
      const output = await run(["/bin/sh", "-c", writingScript, "sh", ...argv], contents, signal);
      const fields = new Fields(output.stdout);
      if (fields.next() === "ok") return { paths: changes.map(() => fields.next()), folders: fields.rest() };
      const change = changes[Number(fields.next())];
      throw new ToolRefusal(whyNotWritten(change?.path ?? "", fields.next(), output.stderr.toString().trim()));
    },
    async list(path, signal) {
      const output = await run(["/bin/sh", "-c", 'ls -1Ap -- "$1" || true', "sh", path], "", signal);
      return output.stdout
        .toString()
        .split("\n")
        .filter((name) => name !== "");
    },
  };
}

function argumentsOf(change: ByteChange): readonly string[] {
  const checked = checkPath(change.path);
  const why = checked.kind === "refused" ? checked.why : whyNoFile(change.path);
  if (checked.kind === "refused" || (why !== null && change.kind === "write"))
    throw new ToolRefusal(`Cannot write "${change.path}": ${why}. Nothing was changed.`);
  if (change.kind !== "write") return [change.kind, checked.path, "0", "-"];
  return ["write", checked.path, String(change.bytes.length), change.mode ?? "-"];
}

type Header = { readonly kind: string; readonly mode: string; readonly size: number; readonly path: string };

function readHeader(fields: Fields): Header {
  return { kind: fields.next(), mode: fields.next(), size: Number(fields.next()), path: fields.next() };
}

function readOne({ kind, mode, size, path }: Header, fields: Fields): ByteRead {
  const bytes = kind === "file" ? fields.bytes(size) : Buffer.alloc(0);
  if (path.split("/").some(isGitFolder)) return { kind: "refused", path, why: REASONS.git };
  switch (kind) {
    case "file":
      return { kind, path, bytes, mode };
    case "too-large":
      return { kind, path, bytes: size };
    case "missing":
    case "directory":
    case "special":
    case "unreadable":
      return { kind, path };
    case "outside":
      return { kind: "refused", path, why: REASONS.outside };
    case "loop":
      return { kind: "refused", path, why: REASONS.loop };
    default:
      throw new Error(`read-files.sh said "${kind}"`);
  }
}

/** Reads what the scripts print: fields that end with NUL, and counted bytes. */
class Fields {
  readonly #output: Buffer;
  #at = 0;

  constructor(output: Buffer) {
    this.#output = output;
  }

  next(): string {
    const end = this.#output.indexOf(0, this.#at);
    if (end === -1) throw new Error("a file script ended too early");
    const field = this.#output.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return field;
  }

  rest(): readonly string[] {
    const fields: string[] = [];
    while (this.#at < this.#output.length) fields.push(this.next());
    return fields;
  }

  bytes(count: number): Buffer {
    const bytes = this.#output.subarray(this.#at, this.#at + count);
    if (bytes.length !== count) throw new Error("a file changed while it was read");
    this.#at += count;
    return bytes;
  }
}

const REASONS = {
  outside: "it is outside the workspace",
  loop: "it is a link that leads in a circle",
  git: "it leads into .git, which file tools do not touch",
  twice: "two changes of this call lead to the same file",
  directory: "it is a directory",
  missing: "there is no such file",
  special: "it is not a regular file",
  "read-only": "it is read-only here",
};

function whyNotWritten(path: string, reason: string, stderr: string): string {
  const known = new Map(Object.entries(REASONS)).get(reason);
  return `Cannot write "${path}": ${known ?? (stderr || "writing failed")}. Nothing was changed.`;
}

function readExit(result: ExecResult): ExecResult {
  const { exit } = result;
  if (exit.kind === "exited" && exit.code === 0) return result;
  if (exit.kind === "timed-out") throw new ToolRefusal("The files could not be reached in time. Try fewer at once.");
  if (exit.kind === "output-limit" || exit.kind === "memory-limit")
    throw new ToolRefusal("The files are too large. Try fewer at once.");
  if (exit.kind === "disk-limit")
    throw new ToolRefusal("The workspace is full: delete what is not needed with the shell, then try again.");
  throw new Error(`a file script failed: ${JSON.stringify(exit)} ${result.stderr.toString()}`);
}

function readScript(name: string): string {
  return ["resolve-path.sh", name].map((part) => readFileSync(new URL(part, import.meta.url), "utf8")).join("\n");
}
