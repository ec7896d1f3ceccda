/** What the model has seen of the workspace's files, by content: an edit of what it has not seen would be a guess. */
import { createHash } from "node:crypto";
import type { SeenText } from "../journal.ts";

/** A file told of in one observation; a patch over more must be read again by a run that goes on after it. */
const SEEN_MAX = 500;

export type ReadState = {
  /** The model has been shown this text of the file, or a part of it. `path` is the real one (files.ts). */
  readonly remember: (path: string, text: string) => void;
  readonly check: (path: string, text: string) => "current" | "changed" | "unread";
  /** What was remembered since the last call of this. */
  readonly takeSeen: () => readonly SeenText[];
  /** What an earlier process took. */
  readonly restore: (seen: readonly SeenText[]) => void;
};

/** One for each run. Time stamps play no part: formatters touch files that they leave as they are. */
export function openReadState(): ReadState {
  const seen = new Map<string, string>();
  const fresh = new Map<string, string>();
  return {
    remember: (path, text) => {
      const known = hash(text);
      seen.set(path, known);
      fresh.set(path, known);
    },
    check: (path, text) => {
      const known = seen.get(path);
      if (known === undefined) return "unread";
      return known === hash(text) ? "current" : "changed";
    },
    takeSeen: () => {
      const taken = [...fresh].slice(-SEEN_MAX).map(([path, hash]) => ({ path, hash }));
      fresh.clear();
      return taken;
    },
    restore: (texts) => {
      for (const { path, hash } of texts) seen.set(path, hash);
    },
  };
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
