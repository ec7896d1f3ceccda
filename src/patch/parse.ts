/** Text -> Patch, or a PatchError with the line. Tells the formats apart: V4A with its envelope, or a unified diff. */
import { BEGIN, readV4a } from "./parse-v4a.ts";
import { isUnified, readUnified } from "./parse-unified.ts";
import { readPatchLines, withoutTransport } from "./patch-lines.ts";
import { PatchError, type Patch } from "./patch.ts";

/** More is a runaway model, and each file costs processes in the sandbox. */
const HUNKS_MAX = 1000;

export function parsePatch(text: string): Patch {
  const lines = readPatchLines(withoutTransport(text));
  const isEnveloped = lines[0]?.text.trim() === BEGIN;
  const hunks = !isEnveloped && isUnified(lines) ? readUnified(lines) : readV4a(lines);
  if (hunks.length > HUNKS_MAX)
    throw new PatchError(`The patch changes ${hunks.length} files, at most ${HUNKS_MAX}.`, 1);
  return { hunks };
}
