/** What a patch is, whatever format it was written in, and how it fails. Values only; parse.ts makes them, apply.ts plans with them. */
import type { Ending } from "./lines.ts";

export type ChunkLine =
  | { readonly kind: "context" | "delete"; readonly text: string }
  /** `ending` is null where the line ends as the file's lines do. */
  | { readonly kind: "add"; readonly text: string; readonly ending: Ending | null };

/** Permissions that a git header asks for; git knows no others. */
export type Mode = "644" | "755";

/** What a chunk says about the newline at the end of the file: nothing, or git's `\ No newline at end of file` on one side. */
export type FinalNewline = "keep" | "present" | "absent";

/** One contiguous replacement. */
export type Chunk = {
  /** 1-based line of the patch text where the chunk begins, for messages. */
  readonly patchLine: number;
  /** `@@ text` lines in order: each is looked for after the one before it, the chunk after the last. */
  readonly scopes: readonly string[];
  /** 1-based line of the old file from a unified header (`@@ -12,3 +12,4 @@`), null when there was none. It only decides between places. */
  readonly lineHint: number | null;
  readonly lines: readonly ChunkLine[];
  /** `*** End of File`: the old lines are the last lines of the file. */
  readonly isAtEnd: boolean;
  readonly finalNewline: FinalNewline;
};

/** One file's change. `patchLine` is the line of its header. */
export type Hunk =
  | {
      readonly kind: "add";
      readonly path: string;
      readonly patchLine: number;
      readonly text: string;
      readonly mode: Mode | null;
    }
  | {
      readonly kind: "delete";
      readonly path: string;
      readonly patchLine: number;
      /** The whole file, deleted, as a unified diff says it; empty where only the path is given. */
      readonly chunks: readonly Chunk[];
    }
  | {
      readonly kind: "update";
      readonly path: string;
      readonly patchLine: number;
      /** The new path of a moved file, null when it stays. */
      readonly moveTo: string | null;
      readonly chunks: readonly Chunk[];
      /** Null keeps the file's own. */
      readonly mode: Mode | null;
    };

export type Patch = { readonly hunks: readonly Hunk[] };

/** An edit that cannot be done as written. The message tells the model what to repair; nothing has been changed. */
export class PatchError extends Error {
  override readonly name = "PatchError";
  /** 1-based line of the patch text, null for a replacement. */
  readonly line: number | null;
  constructor(message: string, line: number | null = null) {
    super(message);
    this.line = line;
  }
}
