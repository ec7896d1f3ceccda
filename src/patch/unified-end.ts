/** Where one file's changes end in a unified diff: by the counts of `@@ -a,b +c,d @@` when they are true, else by the next header. */
import type { PatchLine } from "./patch-lines.ts";

const COUNTS = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

/** Index after the section that begins at `from`. A deleted "-- x" above an added "++ y" looks like a header; counts tell. */
export function sectionEnd(lines: readonly PatchLine[], from: number, isFileStart: (index: number) => boolean): number {
  let at = from;
  while (at < lines.length && lines[at]?.text.startsWith("@@")) {
    const counted = endByCounts(lines, at);
    const isTrue = counted !== null && (isBoundary(lines, counted) || isFileStart(counted));
    at = isTrue ? counted : endByMarkers(lines, at + 1, isFileStart);
    const next = skipBlank(lines, at);
    if (lines[next]?.text.startsWith("@@")) at = next;
  }
  return at;
}

function endByCounts(lines: readonly PatchLine[], start: number): number | null {
  const match = COUNTS.exec(lines[start]?.text ?? "");
  if (!match) return null;
  let [old, fresh] = [Number(match[1] ?? 1), Number(match[2] ?? 1)];
  let at = start + 1;
  for (; at < lines.length && (old > 0 || fresh > 0); at++) {
    const text = lines[at]?.text ?? "";
    if (text.startsWith("-")) old -= 1;
    else if (text.startsWith("+")) fresh -= 1;
    else if (text === "" || text.startsWith(" ")) [old, fresh] = [old - 1, fresh - 1];
    else if (!text.startsWith("\\")) return null;
  }
  if (lines[at]?.text.startsWith("\\")) at += 1;
  return old === 0 && fresh === 0 ? at : null;
}

/** The end of the text, the next chunk, blank lines before either, or the signature of `git format-patch`. */
function isBoundary(lines: readonly PatchLine[], at: number): boolean {
  const next = lines[skipBlank(lines, at)];
  if (next === undefined || next.text.startsWith("@@") || next.text.trimEnd() === "--") return true;
  return /^(?:diff |Index: |Only in |From )/.test(next.text);
}

function endByMarkers(lines: readonly PatchLine[], from: number, isFileStart: (index: number) => boolean): number {
  let at = from;
  while (at < lines.length && !lines[at]?.text.startsWith("@@") && !isFileStart(at)) at += 1;
  while (at > from && (lines[at - 1]?.text ?? "").trim() === "") at -= 1;
  return at;
}

function skipBlank(lines: readonly PatchLine[], from: number): number {
  let at = from;
  while (lines[at]?.text.trim() === "") at += 1;
  return at;
}
