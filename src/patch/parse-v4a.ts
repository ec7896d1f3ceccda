/** V4A lines -> hunks, or a PatchError with the line. The grammar is that of codex's apply_patch with its leniencies, and a few of ours. */
import { readChunks } from "./parse-chunks.ts";
import { isUnified, readUnified } from "./parse-unified.ts";
import { tellsEndings, type PatchLine } from "./patch-lines.ts";
import { PatchError, type Hunk } from "./patch.ts";

export const BEGIN = "*** Begin Patch";
const END = "*** End Patch";
const ADD = "*** Add File:";
const DELETE = "*** Delete File:";
const UPDATE = "*** Update File:";
const MOVE = "*** Move to:";

export function readV4a(all: readonly PatchLine[]): readonly Hunk[] {
  const lines = trimEnvelope(all);
  if (isUnified(lines)) return readUnified(lines); // Models mix the two.
  const hunks: Hunk[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    if (!line) break;
    if (line.text.trim() === "") {
      at += 1;
      continue;
    }
    const end = findEnd(lines, at + 1, line);
    hunks.push(readHunk(line, lines.slice(at + 1, end)));
    at = end;
  }
  if (hunks.length === 0)
    throw new PatchError(`The patch is empty: no file header between "${BEGIN}" and "${END}".`, 1);
  return hunks;
}

function readHunk(header: PatchLine, body: readonly PatchLine[]): Hunk {
  const text = header.text.trim();
  const patchLine = header.number;
  if (text.startsWith(ADD))
    return { kind: "add", path: pathOf(header, ADD), patchLine, text: readAdded(body, header), mode: null };
  if (text.startsWith(DELETE)) {
    const extra = body.find((line) => line.text.trim() !== "");
    if (extra) throw unexpected(extra, "after a Delete File header");
    return { kind: "delete", path: pathOf(header, DELETE), patchLine, chunks: [] };
  }
  if (text.startsWith(UPDATE)) return readUpdate(header, body);
  throw new PatchError(
    `Patch line ${patchLine}: "${text}" is not a file header. Write "${ADD} path", "${DELETE} path" or "${UPDATE} path".`,
    patchLine,
  );
}

function readUpdate(header: PatchLine, body: readonly PatchLine[]): Hunk {
  const path = pathOf(header, UPDATE);
  const [first] = body;
  const isMove = first !== undefined && first.text.trim().startsWith(MOVE);
  const moveTo = isMove ? pathOf(first, MOVE) : null;
  const chunks = readChunks(skipUnifiedHeader(isMove ? body.slice(1) : body), tellsEndings(header, body));
  if (chunks.length === 0 && moveTo === null)
    throw new PatchError(`Patch line ${header.number}: the update of "${path}" has no lines.`, header.number);
  return { kind: "update", path, patchLine: header.number, moveTo, chunks, mode: null };
}

/** Models put the two lines of a unified header below ours; as lines of a change they would mean "-- a/x". */
export function skipUnifiedHeader(body: readonly PatchLine[]): readonly PatchLine[] {
  const [old, fresh, next] = body;
  const isHeader = old?.text.startsWith("--- ") && fresh?.text.startsWith("+++ ") && next?.text.startsWith("@@");
  return isHeader ? body.slice(2) : body;
}

/** The text of a new file. A blank line between two added ones lost its "+"; blank lines at the end only separate. */
export function readAdded(body: readonly PatchLine[], header: PatchLine): string {
  const isTold = tellsEndings(header, body);
  const added: string[] = [];
  let blanks = 0;
  let isOpen = false;
  for (const line of body) {
    if (line.text.trim() === "*** End of File") continue; // It belongs to updates, and says nothing here.
    if (line.text.trim() === "") blanks += 1;
    else if (line.text.startsWith("+")) {
      for (; blanks > 0; blanks--) added.push("");
      added.push(line.text.slice(1) + (isTold && line.hasReturn ? "\r" : ""));
      isOpen = false;
    } else if (line.text.startsWith("\\ No newline")) isOpen = true;
    else throw unexpected(line, 'in an Add File section, where each line starts with "+"');
  }
  return added.join("\n") + (added.length > 0 && !isOpen ? "\n" : "");
}

function pathOf(line: PatchLine, marker: string): string {
  const path = line.text.trim().slice(marker.length).trim();
  if (path === "")
    throw new PatchError(`Patch line ${line.number}: the path after "${marker}" is missing.`, line.number);
  return path;
}

function unexpected(line: PatchLine, where: string): PatchError {
  return new PatchError(`Patch line ${line.number}: unexpected "${line.text}" ${where}.`, line.number);
}

/** The next file header. Inside an update it begins its line: an indented one is a context line there. */
function findEnd(lines: readonly PatchLine[], from: number, header: PatchLine): number {
  const isUpdate = header.text.trim().startsWith(UPDATE);
  let at = from;
  for (; at < lines.length; at++) {
    const text = lines[at]?.text ?? "";
    const read = isUpdate ? text : text.trimStart();
    if ([ADD, DELETE, UPDATE].some((marker) => read.startsWith(marker))) break;
  }
  return at;
}

/** The lines between the Begin and End markers, numbered as in the text. */
function trimEnvelope(all: readonly PatchLine[]): readonly PatchLine[] {
  const lines = all.slice(0, all.findLastIndex(({ text }) => text.trim() !== "") + 1);
  if (lines[0]?.text.trim() !== BEGIN)
    throw new PatchError(
      `The first line of the patch must be "${BEGIN}", got "${lines[0]?.text ?? ""}".`,
      lines[0]?.number ?? 1,
    );
  const end = lines.at(-1);
  if (lines.length < 2 || end?.text.trim() !== END)
    throw new PatchError(
      `The last line of the patch must be "${END}". Was it cut off? Send the whole patch again.`,
      end?.number ?? 1,
    );
  return lines.slice(1, -1);
}
