/**
 * The files of a workspace, read and written inside its sandbox only: the host never opens a path that repository code can swap for
 * a link. Many files cost one command; a write is whole or not at all.
 */
import { readFileSync } from "node:fs";
import type { ExecResult, SandboxSession } from "../sandbox/sandbox.ts";
import { checkPath, isGitFolder } from "./paths.ts";
import { ToolRefusal } from "./tool.ts";

/** `path` is the real one, relative to the workspace and with links followed: two names of one file have the same. */
export type FileRead =
  | { readonly kind: "text"; readonly path: string; readonly text: string; readonly mode: string }
  | { readonly kind: "binary"; readonly path: string; readonly bytes: number; readonly why: string }
  | { readonly kind: "too-large"; readonly path: string; readonly bytes: number }
  | { readonly kind: "missing" | "directory" | "special" | "unreadable"; readonly path: string }
  | { readonly kind: "refused"; readonly path: string; readonly why: string };

/** `mode` in octal, null to keep a file's own (644 for a new one). */
export type FileChange =
  | { readonly kind: "write"; readonly path: string; readonly text: string; readonly mode: string | null }
  | { readonly kind: "delete"; readonly path: string };

export type Files = {
  /** One result for each path, in their order. */
  readonly read: (paths: readonly string[], signal: AbortSignal) => Promise<readonly FileRead[]>;
  /** Resolves with the real paths. Throws ToolRefusal, with nothing written, when one of the changes cannot be made. */
  readonly write: (changes: readonly FileChange[], signal: AbortSignal) => Promise<readonly string[]>;
  /** Names in a folder, folders with a slash behind. */
  readonly list: (path: string, signal: AbortSignal) => Promise<readonly string[]>;
};

/** The largest file we edit, and all files of one call together: they pass through this process's memory. */
export const FILE_BYTES_MAX = 50 * 1024 * 1024;
const ALL_BYTES_MAX = 100 * 1024 * 1024;
/** Headers come on top of the bytes. */
const OUTPUT_BYTES_MAX = ALL_BYTES_MAX + 4 * 1024 * 1024;
/** Five hundred files take a second or two; a disk that needs longer hangs. */
const TIMEOUT_MS = 60_000;

export function openFiles(session: SandboxSession): Files {
  const readingScript = readScript("read-files.sh");
  const writingScript = readScript("write-files.sh");
  const run = async (argv: readonly string[], stdin: string, signal: AbortSignal) => {
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
      if (changes.length === 0) return [];
      const argv = changes.flatMap((change) => argumentsOf(change));
      const contents = changes.map((change) => (change.kind === "write" ? change.text : "")).join("");
      const output = await run(["/bin/sh", "-c", writingScript, "sh", ...argv], contents, signal);
      const fields = new Fields(output.stdout);
      if (fields.next() === "ok") return changes.map(() => fields.next());
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

/** Why a read file cannot be used as text, for the model; null for text. */
export function whyNotText(file: FileRead): string | null {
  switch (file.kind) {
    case "text":
      return null;
    case "binary":
      return `it is a binary file (${file.why}, ${file.bytes} bytes)`;
    case "too-large":
      return `it has ${file.bytes} bytes, at most ${FILE_BYTES_MAX} are read; use the shell`;
    case "missing":
      return "there is no such file";
    case "directory":
      return "it is a directory";
    case "special":
      return "it is not a regular file";
    case "unreadable":
      return "its permissions forbid reading it";
    case "refused":
      return file.why;
  }
}

function argumentsOf(change: FileChange): readonly string[] {
  const checked = checkPath(change.path);
  if (checked.kind === "refused")
    throw new ToolRefusal(`Cannot write "${change.path}": ${checked.why}. Nothing was changed.`);
  if (change.kind === "delete") return ["delete", checked.path, "0", "-"];
  return ["write", checked.path, String(Buffer.byteLength(change.text)), change.mode ?? "-"];
}

type Header = { readonly kind: string; readonly mode: string; readonly size: number; readonly path: string };

function readHeader(fields: Fields): Header {
  return { kind: fields.next(), mode: fields.next(), size: Number(fields.next()), path: fields.next() };
}

function readOne({ kind, mode, size, path }: Header, fields: Fields): FileRead {
  const bytes = kind === "file" ? fields.bytes(size) : Buffer.alloc(0);
  if (path.split("/").some(isGitFolder))
    return { kind: "refused", path, why: "it leads into .git, which file tools do not touch" };
  switch (kind) {
    case "file":
      return readText(bytes, { path, mode });
    case "too-large":
      return { kind, path, bytes: size };
    case "missing":
    case "directory":
    case "special":
    case "unreadable":
      return { kind, path };
    case "outside":
      return { kind: "refused", path, why: "it is outside the workspace" };
    default:
      throw new Error(`read-files.sh said "${kind}"`);
  }
}

function readText(bytes: Buffer, { path, mode }: { readonly path: string; readonly mode: string }): FileRead {
  if (bytes.includes(0)) return { kind: "binary", path, bytes: bytes.length, why: "it holds NUL bytes" };
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { kind: "text", path, text, mode };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { kind: "binary", path, bytes: bytes.length, why: "it is not UTF-8" };
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

  bytes(count: number): Buffer {
    const bytes = this.#output.subarray(this.#at, this.#at + count);
    if (bytes.length !== count) throw new Error("a file changed while it was read");
    this.#at += count;
    return bytes;
  }
}

function whyNotWritten(path: string, reason: string, stderr: string): string {
  const reasons: Readonly<Record<string, string>> = {
    outside: "it is outside the workspace",
    git: "it leads into .git, which file tools do not touch",
    twice: "two changes of this call lead to the same file",
    directory: "it is a directory",
    missing: "there is no such file",
    special: "it is not a regular file",
    "read-only": "it is read-only here",
  };
  return `Cannot write "${path}": ${reasons[reason] ?? (stderr || "writing failed")}. Nothing was changed.`;
}

function readExit(result: ExecResult): ExecResult {
  const { exit } = result;
  if (exit.kind === "exited" && exit.code === 0) return result;
  if (exit.kind === "timed-out") throw new ToolRefusal("The files could not be reached in time. Try fewer at once.");
  if (exit.kind === "output-limit" || exit.kind === "memory-limit")
    throw new ToolRefusal("The files are too large. Try fewer at once.");
  throw new Error(`a file script failed: ${JSON.stringify(exit)} ${result.stderr.toString()}`);
}

function readScript(name: string): string {
  return ["resolve-path.sh", name].map((part) => readFileSync(new URL(part, import.meta.url), "utf8")).join("\n");
}
