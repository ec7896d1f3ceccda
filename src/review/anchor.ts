/**
 * Where an inline comment may stand. GitHub refuses a whole review when one comment is off the diff, so places are computed here,
 * from our own merge-base diff, and what has no place goes into the summary. Lines are 1-based lines of the new file.
 */
import type { Finding } from "../outcome.ts";

/** One hunk's lines in the new file, both ends inclusive. Context lines count: GitHub accepts comments on them. */
export type HunkLines = { readonly start: number; readonly end: number };

/** Path in the new tree -> its hunks. Deleted and binary files have none. */
export type DiffLines = ReadonlyMap<string, readonly HunkLines[]>;

export type Anchor =
  | { readonly kind: "inline"; readonly startLine: number; readonly line: number; readonly isExact: boolean }
  | { readonly kind: "summary"; readonly why: "file is not in the diff" | "lines are not in the diff" };

/** Reads the output of `git diff` (format: git-diff(1), "generating patch text with -p"). */
export function readDiffLines(diff: string): DiffLines {
  const files = new Map<string, HunkLines[]>();
  let hunks: HunkLines[] | null = null;
  let left = { old: 0, new: 0 };
  for (const line of diff.split("\n")) {
    if (left.old > 0 || left.new > 0) {
      // Inside a hunk: a line that looks like a header is content.
      if (line.startsWith("-")) left.old -= 1;
      else if (line.startsWith("+")) left.new -= 1;
      else if (!line.startsWith("\\")) left = { old: left.old - 1, new: left.new - 1 };
      continue;
    }
    if (line.startsWith("diff --git ")) hunks = null;
    else if (line.startsWith("+++ ")) hunks = openFile(files, line.slice(4));
    else if (line.startsWith("@@ ")) {
      const match = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
      if (!match) continue;
      const start = Number(match[2]);
      left = { old: Number(match[1] ?? 1), new: Number(match[3] ?? 1) };
      if (left.new > 0) hunks?.push({ start, end: start + left.new - 1 });
    }
  }
  return files;
}

/** The place for a finding: its own lines when they lie in one hunk, else the part of them that does. */
export function anchorFinding(finding: Pick<Finding, "path" | "startLine" | "endLine">, lines: DiffLines): Anchor {
  const hunks = lines.get(finding.path);
  if (!hunks) return { kind: "summary", why: "file is not in the diff" };
  for (const hunk of hunks) {
    const startLine = Math.max(finding.startLine, hunk.start);
    const line = Math.min(finding.endLine, hunk.end);
    if (startLine > line) continue;
    const isExact = startLine === finding.startLine && line === finding.endLine;
    return { kind: "inline", startLine, line, isExact };
  }
  return { kind: "summary", why: "lines are not in the diff" };
}

function openFile(files: Map<string, HunkLines[]>, name: string): HunkLines[] | null {
  const path = unquote(name.replace(/\t$/, ""));
  if (path === "/dev/null") return null;
  const hunks: HunkLines[] = [];
  files.set(path.replace(/^b\//, ""), hunks);
  return hunks;
}

/** git quotes names that hold quotes, backslashes or control characters, as C strings with octal bytes. */
function unquote(name: string): string {
  if (!name.startsWith('"')) return name;
  const bytes: number[] = [];
  const text = name.slice(1, -1);
  for (let i = 0; i < text.length; i++) {
    const octal = /^\\([0-7]{3})/.exec(text.slice(i, i + 4));
    if (octal) {
      bytes.push(Number.parseInt(octal[1] ?? "", 8));
      i += 3;
    } else if (text[i] === "\\") {
      i += 1;
      bytes.push(...new TextEncoder().encode(ESCAPES[text[i] ?? ""] ?? text[i] ?? ""));
    } else bytes.push(...new TextEncoder().encode(text[i]));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v" };
