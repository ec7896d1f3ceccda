/** OpenAI's native apply_patch operations -> Patch: one file for each call, its diff without envelope and headers. */
import { unreachable } from "../failure.ts";
import { readChunks } from "./parse-chunks.ts";
import { readAdded, skipUnifiedHeader } from "./parse-v4a.ts";
import { readPatchLines, tellsEndings, withoutTransport, type PatchLine } from "./patch-lines.ts";
import { PatchError, type Hunk, type Patch } from "./patch.ts";

export type Operation =
  /** Every line of the diff begins with "+". */
  | { readonly type: "create_file"; readonly path: string; readonly diff: string }
  | { readonly type: "update_file"; readonly path: string; readonly diff: string }
  | { readonly type: "delete_file"; readonly path: string };

export function patchOfOperation(operation: Operation): Patch {
  return { hunks: [toHunk(operation)] };
}

function toHunk(operation: Operation): Hunk {
  const { path } = operation;
  switch (operation.type) {
    case "delete_file":
      return { kind: "delete", path, patchLine: 1, chunks: [] };
    case "create_file": {
      const body = skipUnifiedHeader(readPatchLines(operation.diff)).filter(({ text }) => !text.startsWith("@@"));
      return { kind: "add", path, patchLine: 1, text: readAdded(body, NO_HEADER), mode: null };
    }
    case "update_file": {
      const body = skipUnifiedHeader(readPatchLines(withoutTransport(operation.diff)));
      const chunks = readChunks(body, tellsEndings(NO_HEADER, body));
      if (chunks.length === 0) throw new PatchError(`The diff of "${path}" has no lines.`, 1);
      return { kind: "update", path, patchLine: 1, moveTo: null, chunks, mode: null };
    }
    default:
      return unreachable(operation);
  }
}

/** An operation is JSON, where nobody writes "\r" by accident: a new file is taken at its word. */
const NO_HEADER: PatchLine = { text: "", number: 1, hasReturn: false };
