/** What the model has seen of the workspace's files, by content: an edit of what it has not seen would be a guess. */
import { createHash } from "node:crypto";

export type ReadState = {
  /** The model has been shown this text of the file, or a part of it. `path` is the real one (files.ts). */
  readonly remember: (path: string, text: string) => void;
  readonly check: (path: string, text: string) => "current" | "changed" | "unread";
};

/** One for each run. Time stamps play no part: formatters touch files that they leave as they are. */
export function openReadState(): ReadState {
  const seen = new Map<string, string>();
  return {
    remember: (path, text) => void seen.set(path, hash(text)),
    check: (path, text) => {
      const known = seen.get(path);
      if (known === undefined) return "unread";
      return known === hash(text) ? "current" : "changed";
    },
  };
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
