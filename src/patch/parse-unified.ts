/**
 * Unified diff lines -> hunks, or a PatchError with the line: what `diff -u` and git print, and what models write from memory, whose
 * counts are often wrong. Line numbers only decide between places.
 */
import { readChunks } from "./parse-chunks.ts";
import { sectionEnd } from "./unified-end.ts";
import { readGitPaths, stripPrefixes, unquotePath } from "./unified-paths.ts";
import { tellsEndings, type PatchLine } from "./patch-lines.ts";
import { PatchError, type Chunk, type Hunk, type Mode } from "./patch.ts";

/** Whether a file header of a unified diff comes before any of V4A. */
export function isUnified(lines: readonly PatchLine[]): boolean {
  const first = lines.findIndex(({ text }, i) => isFileStart(lines, i) || text.trimStart().startsWith("*** "));
  return first !== -1 && isFileStart(lines, first);
}

export function readUnified(lines: readonly PatchLine[]): readonly Hunk[] {
  const hunks: Hunk[] = [];
  for (let at = 0; at < lines.length;) {
    // What stands between the files is the letter around a patch, an index line, a signature.
    if (!isFileStart(lines, at)) {
      const line = lines[at];
      if (hunks.length > 0 && line && /^(?:@@ -|[-+](?!-+ ?$))/.test(line.text)) throw stray(line);
      at += 1;
      continue;
    }
    const header = readHeader(lines, at);
    const end = sectionEnd(lines, header.next, (i) => isFileStart(lines, i));
    hunks.push(toHunk(header, lines.slice(header.next, end)));
    at = end;
  }
  return hunks;
}

const BINARY = /^(?:GIT binary patch|Binary files .* differ)$/;

function isFileStart(lines: readonly PatchLine[], at: number): boolean {
  const text = lines[at]?.text ?? "";
  if (text.startsWith("diff --git ") || BINARY.test(text)) return true;
  return text.startsWith("--- ") && (lines[at + 1]?.text.startsWith("+++ ") ?? false);
}

type Header = {
  readonly line: PatchLine;
  /** Null for /dev/null. */
  readonly from: string | null;
  readonly to: string | null;
  readonly mode: Mode | null;
  /** Index of the first line below the header. */
  readonly next: number;
};

type Names = { from: string | null; to: string | null };

function readHeader(lines: readonly PatchLine[], start: number): Header {
  const line = lines[start] ?? { text: "", number: 1, hasReturn: false };
  const named = line.text.startsWith("diff --git ") ? readGitPaths(line.text.slice("diff --git ".length)) : null;
  const names: Names = { from: named?.from ?? null, to: named?.to ?? null };
  let mode: Mode | null = null;
  let at = named === null && !line.text.startsWith("diff --git ") ? start : start + 1;
  for (; at < lines.length; at++) {
    const here = lines[at];
    if (!here || here.text.startsWith("@@")) break;
    const { text } = here;
    if (BINARY.test(text)) throw new PatchError(`Patch line ${here.number}: ${BINARY_WHY}`, here.number);
    if (text.startsWith("--- ") && lines[at + 1]?.text.startsWith("+++ ")) {
      const pair = stripPrefixes(text.slice(4), lines[at + 1]?.text.slice(4) ?? "");
      // What `rename from` says needs no guessing about prefixes.
      if (pair.from === null || names.from === null || named === null) names.from = pair.from;
      if (pair.to === null || names.to === null || named === null) names.to = pair.to;
      at += 2;
      break;
    }
    if (at > start && text.startsWith("diff --git ")) break;
    const known = readExtended(here, names);
    if (known === "other" || known === null) {
      if (known === null) break;
      continue;
    }
    mode = known;
  }
  return { line, ...names, mode, next: at };
}

const BINARY_WHY = "binary patches cannot be applied. Write the file with a command in the shell.";

/** A line of git's extended header: the mode it asks for, "other", or null when it is none. */
function readExtended(line: PatchLine, names: Names): Mode | "other" | null {
  const [, key = "", value = ""] =
    /^(old mode|new mode|new file mode|deleted file mode|rename from|rename to|copy from|copy to|similarity index|dissimilarity index|index|diff --git) ?(.*)$/.exec(
      line.text,
    ) ?? [];
  switch (key) {
    case "":
      return null;
    case "new mode":
    case "new file mode":
      if (key === "new file mode") names.from = null;
      return readMode(line, value.trim());
    case "deleted file mode":
      names.to = null;
      return "other";
    case "rename from":
      names.from = unquotePath(value);
      return "other";
    case "rename to":
      names.to = unquotePath(value);
      return "other";
    case "copy from":
      throw new PatchError(`Patch line ${line.number}: copies cannot be applied. Add the new file whole.`, line.number);
    default:
      return "other";
  }
}

function readMode(line: PatchLine, mode: string): Mode {
  if (mode.endsWith("755")) return "755";
  if (mode.startsWith("100")) return "644";
  const what = mode === "120000" ? "a symbolic link" : mode === "160000" ? "a submodule" : `a file of mode ${mode}`;
  throw new PatchError(`Patch line ${line.number}: ${what} cannot be made with a patch. Use the shell.`, line.number);
}

function toHunk({ line, from, to, mode }: Header, body: readonly PatchLine[]): Hunk {
  const patchLine = line.number;
  const chunks = readChunks(body, tellsEndings(line, body));
  if (from === null && to === null)
    throw new PatchError(`Patch line ${patchLine}: the header names no file.`, patchLine);
  if (to === null) return { kind: "delete", path: from ?? "", patchLine, chunks };
  if (from === null)
    return { kind: "add", path: to, patchLine, text: textOf(chunks), mode: mode === "755" ? mode : null };
  const moveTo = from === to || isBackup(from, to) ? null : to;
  if (chunks.length === 0 && moveTo === null && mode === null)
    throw new PatchError(`Patch line ${patchLine}: the change of "${to}" has no lines.`, patchLine);
  return { kind: "update", path: moveTo === null ? to : from, patchLine, moveTo, chunks, mode };
}

/** `diff -u x.orig x` means x. */
function isBackup(from: string, to: string): boolean {
  return [".orig", ".old", ".bak", "~"].some((end) => from === to + end);
}

function textOf(chunks: readonly Chunk[]): string {
  const lines = chunks.flatMap(({ lines, patchLine }) =>
    lines.map((line) => {
      if (line.kind === "add") return { text: line.text, ending: line.ending ?? "\n" };
      if (line.text === "") return { text: "", ending: "\n" }; // A blank line lost its "+".
      throw new PatchError(
        `Patch line ${patchLine}: a new file has added lines only, this part has "${line.text}".`,
        patchLine,
      );
    }),
  );
  const isOpen = chunks.at(-1)?.finalNewline === "absent";
  return lines.map(({ text, ending }, i) => (isOpen && i === lines.length - 1 ? text : text + ending)).join("");
}

function stray(line: PatchLine): PatchError {
  return new PatchError(
    `Patch line ${line.number}: "${line.text}" belongs to no file. Write "--- a/path" and "+++ b/path" above each file's changes.`,
    line.number,
  );
}
