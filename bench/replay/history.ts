/** The commits of a repository that a model's edit could be: small, text only. Read with a handful of git processes; nothing is written. */
import { spawnSync } from "node:child_process";
import { readDiff, type DiffHunk, type DiffLine } from "./diff.ts";

export type FileChange = {
  readonly kind: "add" | "delete" | "modify" | "rename";
  readonly oldPath: string;
  readonly newPath: string;
  /** Null when the file is not there. */
  readonly before: string | null;
  readonly after: string | null;
  readonly hunks: readonly DiffHunk[];
  /** Git's own text for the file, "diff --git" and all. */
  readonly diff: readonly DiffLine[];
};

export type Commit = { readonly sha: string; readonly changes: readonly FileChange[] };

/** What a reviewer would still read in one go; larger ones are imports and generated files. */
const CHANGED_LINES_MAX = 200;
const FILES_MAX = 8;
/** Commits whose blobs are held in memory at once. */
const BATCH = 100;
const OUTPUT_BYTES_MAX = 1 << 30;
const NO_BLOB = "0".repeat(40);

type RawFile = {
  readonly status: string;
  readonly oldBlob: string;
  readonly newBlob: string;
  readonly oldPath: string;
  readonly newPath: string;
};
type RawCommit = { readonly sha: string; readonly files: readonly RawFile[] };

/** Newest first. */
export function* readHistory(dir: string): Generator<Commit> {
  const raw = readRaw(dir);
  for (let at = 0; at < raw.length; at += BATCH) {
    const batch = raw.slice(at, at + BATCH);
    const texts = readTexts(dir, batch);
    const whole = batch.filter(({ files }) =>
      files.every((file) => [file.oldBlob, file.newBlob].every((blob) => blob === NO_BLOB || texts.has(blob))),
    );
    const diffs = readDiffs(dir, whole);
    for (const { sha, files } of whole) {
      const changes = joinChanges(files, { texts, diff: diffs.get(sha) ?? "" });
      if (changes !== null) yield { sha, changes };
    }
  }
}

function readRaw(dir: string): readonly RawCommit[] {
  const args = ["log", "--no-merges", "-M", "--raw", "-z", "--no-abbrev", "--format=%x01%H"];
  const tokens = git(dir, args, "").toString("utf8").split("\0");
  const commits: { readonly sha: string; readonly files: RawFile[] }[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = (tokens[at] ?? "").trim();
    if (token.startsWith("\u0001")) commits.push({ sha: token.slice(1), files: [] });
    const [, mode, , oldBlob = "", newBlob = "", status = ""] = /^:(\d+) (\d+) (\w+) (\w+) ([A-Z])/.exec(token) ?? [];
    if (mode === undefined) continue;
    const oldPath = tokens[(at += 1)] ?? "";
    const newPath = /[RC]/.test(status) ? (tokens[(at += 1)] ?? "") : oldPath;
    // Links and submodules are no text; what changes its type is neither.
    const isFile = !/ (120|160)000 |^:(120|160)000/.test(token);
    commits.at(-1)?.files.push({ status: isFile ? status : "T", oldBlob, newBlob, oldPath, newPath });
  }
  return commits.filter(
    ({ files }) =>
      files.length > 0 &&
      files.length <= FILES_MAX &&
      files.every(
        ({ status, oldPath, newPath }) => /^[AMDR]$/.test(status) && /^[^"\\\p{Cc}]+$/u.test(oldPath + newPath),
      ),
  );
}

/** Blob -> text, for those that are text in UTF-8. A blob that the copy of the repository lacks is not there either. */
function readTexts(dir: string, commits: readonly RawCommit[]): ReadonlyMap<string, string> {
  const blobs = new Set(commits.flatMap(({ files }) => files.flatMap(({ oldBlob, newBlob }) => [oldBlob, newBlob])));
  const output = git(dir, ["cat-file", "--batch"], [...blobs].map((blob) => `${blob}\n`).join(""));
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const texts = new Map<string, string>();
  for (let at = 0; at < output.length;) {
    const end = output.indexOf(10, at);
    const [blob = "", , size] = output.toString("latin1", at, end).split(" ");
    at = end + 1;
    if (size === undefined) continue; // "<sha> missing"
    const bytes = output.subarray(at, at + Number(size));
    at += Number(size) + 1;
    if (bytes.includes(0)) continue;
    try {
      texts.set(blob, decoder.decode(bytes));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // TextDecoder's error for bytes that are not UTF-8.
    }
  }
  return texts;
}

function readDiffs(dir: string, commits: readonly RawCommit[]): ReadonlyMap<string, string> {
  const args = ["-c", "core.quotePath=false", "diff-tree", "-p", "-r", "-M", "--root", "--no-ext-diff", "--stdin"];
  const output = git(dir, args, commits.map(({ sha }) => `${sha}\n`).join(""));
  // One character a byte while it is cut: inside a diff every line has a prefix, so that a bare hash begins the next commit's.
  const pieces = output.toString("latin1").split(/^([0-9a-f]{40})\n/m);
  const diffs = new Map<string, string>();
  for (let at = 1; at + 1 < pieces.length; at += 2)
    diffs.set(pieces[at] ?? "", Buffer.from(pieces[at + 1] ?? "", "latin1").toString("utf8"));
  return diffs;
}

type Material = { readonly texts: ReadonlyMap<string, string>; readonly diff: string };

/** Null for a commit that changes no text, or too many lines of it. */
function joinChanges(files: readonly RawFile[], { texts, diff }: Material): readonly FileChange[] | null {
  const diffs = diff.split(/^(?=diff --git )/m).filter((piece) => piece !== "");
  if (diffs.length !== files.length) return null;
  const changes = files.map((file, i): FileChange => {
    const { lines, hunks } = readDiff(diffs[i] ?? "");
    const kind =
      file.status === "A" ? "add" : file.status === "D" ? "delete" : file.status === "R" ? "rename" : "modify";
    const before = kind === "add" ? null : (texts.get(file.oldBlob) ?? null);
    const after = kind === "delete" ? null : (texts.get(file.newBlob) ?? null);
    return { kind, oldPath: file.oldPath, newPath: file.newPath, before, after, hunks, diff: lines };
  });
  const told = changes.filter(({ kind, before, after }) => kind !== "modify" || before !== after);
  const changed = told
    .flatMap(({ hunks }) => hunks.flatMap(({ lines }) => lines))
    .filter(({ kind }) => kind !== "context");
  return told.length === 0 || changed.length > CHANGED_LINES_MAX ? null : told;
}

function git(dir: string, args: readonly string[], input: string): Buffer {
  const done = spawnSync("git", ["-C", dir, ...args], { input, maxBuffer: OUTPUT_BYTES_MAX });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`git ${args.join(" ")}: ${done.stderr.toString()}`);
  return done.stdout;
}
