/**
 * The files of a workspace as text. What is written keeps the encoding that it was read in, and can be taken back within the run;
 * text that the encoding cannot hold is refused before anything is written.
 */
import type { Image } from "../journal.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import { FILE_BYTES_MAX, openByteFiles, type ByteChange, type ByteRead } from "./byte-files.ts";
import { decodeText, encodeText, type Encoding } from "./encoding.ts";
import { readImage } from "./image.ts";
import { whyNoNewFile } from "./paths.ts";
import { planUndo } from "./plan-undo.ts";
import { ToolRefusal } from "./tool.ts";
import { hashBytes, openUndoStack, type Change } from "./undo-stack.ts";

export { FILE_BYTES_MAX } from "./byte-files.ts";

/** `path` is the real one, relative to the workspace and with links followed: two names of one file have the same. */
export type FileRead =
  | {
      readonly kind: "text";
      readonly path: string;
      readonly text: string;
      readonly mode: string;
      readonly encoding: Encoding;
    }
  | {
      readonly kind: "binary";
      readonly path: string;
      readonly bytes: number;
      readonly why: string;
      /** Null when it is none, or none that can be shown. */
      readonly image: Image | null;
    }
  | Exclude<ByteRead, { kind: "file" }>;

/**
 * `mode` in octal, null to keep a file's own (644 for a new one). One with a mode was moved: it has the encoding of the file that
 * goes in the same call.
 */
export type FileChange =
  | { readonly kind: "write"; readonly path: string; readonly text: string; readonly mode: string | null }
  | { readonly kind: "delete"; readonly path: string };

/** A file before and after an undo; null where there is none, or none that is text. */
export type Undone = {
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly isGone: boolean;
};

export type Files = {
  /** One result for each path, in their order. */
  readonly read: (paths: readonly string[], signal: AbortSignal) => Promise<readonly FileRead[]>;
  /** Resolves with the real paths. Throws ToolRefusal, with nothing written, when one of the changes cannot be made. */
  readonly write: (changes: readonly FileChange[], signal: AbortSignal) => Promise<readonly string[]>;
  /** Takes back the last write of this path, with all files of the same call. Throws ToolRefusal when that is not safe. */
  readonly undo: (path: string, signal: AbortSignal) => Promise<readonly Undone[]>;
  /** Names in a folder, folders with a slash behind. */
  readonly list: (path: string, signal: AbortSignal) => Promise<readonly string[]>;
};

export function openFiles(session: SandboxSession): Files {
  const raw = openByteFiles(session);
  const stack = openUndoStack();
  return {
    read: async (paths, signal) => (await raw.read(paths, signal)).map(toText),
    async write(changes, signal) {
      // Read anew: what is kept for undo is what was there at this moment, whatever the caller has read.
      const paths = changes.map(({ path }) => path);
      const before = await raw.read(paths, signal);
      const planned = changes.map((change, i) => encodeChange(change, { changes, before, index: i }));
      const written = await raw.write(planned, signal);
      stack.push(recordChange(planned, before, written.paths), written.folders);
      return written.paths;
    },
    async undo(path, signal) {
      const [asked] = await raw.read([path], signal);
      const change = asked ? stack.lastOf(asked.path) : null;
      if (!asked || !change) throw new ToolRefusal(`There is no edit of "${path}" left to undo in this run.`);
      const now = await raw.read(
        change.files.map((file) => file.path),
        signal,
      );
      const emptied = stack.foldersOf(change).map((folder) => ({ kind: "prune", path: folder }) as const);
      await raw.write([...planUndo(path, change, now), ...emptied], signal);
      stack.drop(change);
      return change.files.map((file, i) => ({
        path: file.path,
        before: textOf(now[i]),
        after: file.before === null ? null : textOf({ kind: "file", path: file.path, ...file.before }),
        isGone: file.before === null,
      }));
    },
    list: raw.list,
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

function toText(file: ByteRead): FileRead {
  if (file.kind !== "file") return file;
  const { path, bytes, mode } = file;
  const decoded = decodeText(bytes);
  if (decoded.kind === "binary") return { kind: "binary", path, bytes: bytes.length, ...toBinary(bytes, decoded.why) };
  return { kind: "text", path, mode, text: decoded.text, encoding: decoded.encoding };
}

function toBinary(bytes: Buffer, why: string): { readonly why: string; readonly image: Image | null } {
  const read = readImage(bytes);
  if (read?.kind === "image") return { why, image: read.image };
  return { why: read ? `${why}; ${read.why}` : why, image: null };
}

function textOf(file: ByteRead | undefined): string | null {
  const read = file ? toText(file) : null;
  return read?.kind === "text" ? read.text : null;
}

type Around = {
  readonly changes: readonly FileChange[];
  readonly before: readonly ByteRead[];
  readonly index: number;
};

function encodeChange(change: FileChange, around: Around): ByteChange {
  if (change.kind === "delete") return change;
  const why = around.before[around.index]?.kind === "missing" ? whyNoNewFile(change.path) : null;
  if (why !== null) throw new ToolRefusal(`Cannot write "${change.path}": ${why}. Nothing was changed.`);
  const encoded = encodeText(change.text, encodingFor(change, around));
  if (encoded.kind === "refused")
    throw new ToolRefusal(`Cannot write "${change.path}": ${encoded.why}. Nothing was changed.`);
  return { kind: "write", path: change.path, bytes: encoded.bytes, mode: change.mode };
}

function encodingFor(change: Extract<FileChange, { kind: "write" }>, { changes, before, index }: Around): Encoding {
  const own = encodingOf(before[index]);
  if (change.mode === null) return own ?? "utf-8";
  const gone = new Set(changes.flatMap((other, i) => (other.kind === "delete" ? (encodingOf(before[i]) ?? []) : [])));
  if (gone.size <= 1) return [...gone][0] ?? own ?? "utf-8";
  const encodings = [...gone].join(" and ");
  throw new ToolRefusal(
    `Cannot move to "${change.path}": files in ${encodings} go in this call. Move this one in a call of its own. Nothing was changed.`,
  );
}

function encodingOf(file: ByteRead | undefined): Encoding | null {
  const read = file ? toText(file) : null;
  return read?.kind === "text" ? read.encoding : null;
}

function recordChange(planned: readonly ByteChange[], before: readonly ByteRead[], written: readonly string[]): Change {
  let lost: string | null = null;
  const files = planned.map((change, i) => {
    const was = before[i];
    const path = written[i] ?? change.path;
    if (was?.kind === "too-large") lost = `${path} was larger than what can be kept`;
    else if (was?.path !== path) lost = `${path} was a link, which undo does not make`;
    // A copy: the buffer that was read holds all files of the call.
    const kept = was?.kind === "file" ? { bytes: Buffer.from(was.bytes), mode: was.mode } : null;
    return { path, before: kept, after: change.kind === "write" ? hashBytes(change.bytes) : null };
  });
  return { files: lost === null ? files : files.map((file) => ({ ...file, before: null })), lost };
}
