/** Diffs as GitHub shows them: three lines of context, from the merge base; and the lines a review comment may stand on. */
import { askGit, git } from "./git.ts";
import type { Place, Side } from "./records.ts";

export type FileStatus = "added" | "removed" | "modified" | "renamed" | "copied" | "changed";

export type FileDiff = {
  readonly path: string;
  readonly previousPath: string | null;
  readonly status: FileStatus;
  readonly blob: string;
  readonly additions: number;
  readonly deletions: number;
  /** From the first @@ on; null for binary files and pure renames. */
  readonly patch: string | null;
};

export function mergeBase(gitDir: string, base: string, head: string): Promise<string | null> {
  return askGit(gitDir, ["merge-base", base, head]);
}

/** The files changed from the merge base of `base` and `head` to `head`. */
export async function readDiff(gitDir: string, base: string, head: string): Promise<readonly FileDiff[]> {
  const from = (await mergeBase(gitDir, base, head)) ?? base;
  const raw = await git(gitDir, ["diff", "--raw", "-z", "-M", "--no-abbrev", from, head]);
  const patches = splitPatches(await git(gitDir, ["diff", "--no-color", "--no-ext-diff", "-M", from, head]));
  return readRaw(raw).map((entry, index) => {
    const patch = patches[index] ?? null;
    const lines = patch?.split("\n") ?? [];
    return {
      ...entry,
      additions: lines.filter((line) => line.startsWith("+")).length,
      deletions: lines.filter((line) => line.startsWith("-")).length,
      patch,
    };
  });
}

export async function readDiffText(gitDir: string, base: string, head: string): Promise<string> {
  const from = (await mergeBase(gitDir, base, head)) ?? base;
  return git(gitDir, ["diff", "--no-color", "--no-ext-diff", "-M", from, head]);
}

type RawEntry = Pick<FileDiff, "path" | "previousPath" | "status" | "blob">;

const STATUS: Readonly<Record<string, FileStatus>> = {
  A: "added",
  D: "removed",
  M: "modified",
  R: "renamed",
  C: "copied",
  T: "changed",
};

/** `:mode mode sha sha STATUS NUL path NUL [path NUL]`, see git-diff's "raw output format". */
function readRaw(raw: string): readonly RawEntry[] {
  const parts = raw.split("\0");
  const entries: RawEntry[] = [];
  for (let at = 0; at < parts.length - 1;) {
    const [, , before = "", after = "", code = "M"] = (parts[at] ?? "").split(" ");
    const isMove = code.startsWith("R") || code.startsWith("C");
    const status = STATUS[code.slice(0, 1)] ?? "changed";
    const first = parts[at + 1] ?? "";
    entries.push({
      path: isMove ? (parts[at + 2] ?? "") : first,
      previousPath: isMove ? first : null,
      status,
      blob: status === "removed" ? before : after,
    });
    at += isMove ? 3 : 2;
  }
  return entries;
}

/** Content lines start with space, + , - or \, so "diff --git" at a line's start begins a file. */
function splitPatches(text: string): readonly (string | null)[] {
  return text
    .split(/^diff --git /m)
    .slice(1)
    .map((section) => {
      const at = section.search(/^@@ /m);
      return at < 0 ? null : section.slice(at).replace(/\n$/, "");
    });
}

type DiffLine = {
  readonly hunk: number;
  readonly hunkStart: number;
  readonly position: number;
  readonly left: number | null;
  readonly right: number | null;
};

/** Position counts lines below the file's first @@ line, later @@ lines included, as GitHub documents it. */
function readLines(patch: string): readonly DiffLine[] {
  const lines: DiffLine[] = [];
  let left = 0;
  let right = 0;
  let hunk = -1;
  let hunkStart = 0;
  patch.split("\n").forEach((text, position) => {
    const header = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(text);
    if (header) {
      left = Number(header[1]);
      right = Number(header[2]);
      hunk += 1;
      hunkStart = position;
      return;
    }
    if (text.startsWith("\\")) return;
    const isLeft = !text.startsWith("+");
    const isRight = !text.startsWith("-");
    lines.push({ hunk, hunkStart, position, left: isLeft ? left : null, right: isRight ? right : null });
    if (isLeft) left += 1;
    if (isRight) right += 1;
  });
  return lines;
}

export type AnchorRequest = {
  readonly path: string;
  readonly line: number;
  readonly side: Side;
  readonly startLine: number | null;
  readonly startSide: Side | null;
};

export type Anchor =
  | { readonly kind: "anchored"; readonly place: Place; readonly diffHunk: string }
  | { readonly kind: "refused"; readonly errors: readonly string[] };

/** Where a review comment stands in the diff, or GitHub's words for why it cannot. */
export function findAnchor(files: readonly FileDiff[], request: AnchorRequest): Anchor {
  const patch = files.find((file) => file.path === request.path)?.patch ?? null;
  if (patch === null) {
    const known = files.some((file) => file.path === request.path);
    return refused([known ? "line must be part of the diff" : "path is invalid", "diff hunk can't be blank"]);
  }
  const lines = readLines(patch);
  const at = (line: number, side: Side) => lines.find((one) => (side === "RIGHT" ? one.right : one.left) === line);
  const end = at(request.line, request.side);
  const start = request.startLine === null ? end : at(request.startLine, request.startSide ?? request.side);
  const errors: string[] = [];
  if (!end) errors.push("line must be part of the diff");
  if (request.startLine !== null && (!start || !end || start.hunk !== end.hunk)) {
    errors.push("start line must be part of the same hunk as the line.");
  }
  if (start && end && start !== end && start.position >= end.position) {
    errors.push("start line must precede the end line.");
  }
  if (!end) errors.push("diff hunk can't be blank");
  if (!end || errors.length > 0) return refused(errors);
  const diffHunk = patch
    .split("\n")
    .slice(end.hunkStart, end.position + 1)
    .join("\n");
  return {
    kind: "anchored",
    place: { line: request.line, startLine: request.startLine, position: end.position },
    diffHunk,
  };
}

/** One sentence for all, as api.github.com words it in 2024 to 2026; newer answers may say "Line could not be resolved". */
function refused(reasons: readonly string[]): Anchor {
  const words = reasons.map((reason) => `Pull request review thread ${reason}`);
  const last = words.pop() ?? "";
  const comma = words.length > 1 ? "," : "";
  return { kind: "refused", errors: [words.length === 0 ? last : `${words.join(", ")}${comma} and ${last}`] };
}

/** The number a line of `from` has in `to`, or null when it was changed or deleted. */
export async function followLine(
  gitDir: string,
  move: { readonly from: string; readonly to: string; readonly path: string; readonly line: number },
): Promise<number | null> {
  const text = await git(gitDir, ["diff", "--no-color", "-U0", move.from, move.to, "--", move.path]);
  if (/^deleted file mode/m.test(text)) return null;
  let shift = 0;
  for (const [, start, count = "1", , added = "1"] of text.matchAll(/^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/gm)) {
    const first = Number(start);
    const removed = Number(count);
    // A pure insertion is reported after line `start`.
    if (removed === 0 ? move.line <= first : move.line < first) break;
    if (removed > 0 && move.line < first + removed) return null;
    shift += Number(added) - removed;
  }
  return move.line + shift;
}
