/** What the file tools have changed in a run, so that they can take it back. Kept in memory, and dropped with the run. */
import { createHash } from "node:crypto";

/** `before` null: there was no file. `after` is a hash of what was written, null for a deleted file. */
export type ChangedFile = {
  readonly path: string;
  readonly before: { readonly bytes: Buffer; readonly mode: string } | null;
  readonly after: string | null;
};

/** The changes of one call; they go together. `lost` says why they cannot be taken back, null when they can. */
export type Change = { readonly files: readonly ChangedFile[]; readonly lost: string | null };

export type UndoStack = {
  /** `folders`: what was made for the files. */
  readonly push: (change: Change, folders: readonly string[]) => void;
  /** The last change of this real path that was not taken back. */
  readonly lastOf: (path: string) => Change | null;
  readonly drop: (change: Change) => void;
  /** The folders above a change's new files that the run has made, the deepest first: without files they go too. */
  readonly foldersOf: (change: Change) => readonly string[];
};

/** Room for the largest file we edit (50 MB), or for thousands of ordinary ones; several runs share this process's memory. */
export const UNDO_BYTES_MAX = 64 * 1024 * 1024;
/** A run makes hundreds of edits at most; further back nobody remembers what there was. */
const CHANGES_MAX = 1000;

export function openUndoStack(): UndoStack {
  const changes: Change[] = [];
  const made = new Set<string>();
  return {
    push(change, folders) {
      for (const folder of folders) made.add(folder);
      changes.push(change);
      if (changes.length > CHANGES_MAX) changes.shift();
      forgetOldest(changes);
    },
    lastOf: (path) => changes.findLast(({ files }) => files.some((file) => file.path === path)) ?? null,
    drop: (change) => void changes.splice(changes.indexOf(change), 1),
    foldersOf({ files }) {
      const above = new Set(files.flatMap(({ path, before }) => (before === null ? foldersAbove(path) : [])));
      return [...above].filter((folder) => made.has(folder)).toSorted((a, b) => b.length - a.length);
    },
  };
}

/** "a/b/c" -> "a/b", "a". */
function foldersAbove(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** The bytes go, the fact stays: an undo that skipped a change would mix two states of a file. */
function forgetOldest(changes: Change[]): void {
  let kept = changes.reduce((sum, change) => sum + bytesOf(change), 0);
  for (let i = 0; i < changes.length && kept > UNDO_BYTES_MAX; i++) {
    const change = changes[i];
    if (!change || bytesOf(change) === 0) continue;
    kept -= bytesOf(change);
    const files = change.files.map((file) => ({ ...file, before: null }));
    changes[i] = {
      ...change,
      files,
      lost: `of a run's edits, ${UNDO_BYTES_MAX} bytes are kept for undo, and this one is beyond`,
    };
  }
}

function bytesOf({ files }: Change): number {
  return files.reduce((sum, { before }) => sum + (before?.bytes.length ?? 0), 0);
}

export function hashBytes(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("base64");
}
