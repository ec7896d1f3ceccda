/** The search tool: ripgrep over the workspace. Ignored files and .git stay out; what was cut is counted. */
import { z } from "zod";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import { defineTool } from "./define-tool.ts";
import { checkPath } from "./paths.ts";
import { renderCounts, renderFiles, renderFolder, renderMatches } from "./search-results.ts";
import { ToolRefusal, type Tool } from "./tool.ts";

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;
const CONTEXT_MAX = 20;
const TIMEOUT_MS = 60_000;
/** What we count in; a search with more matches is too wide to be of use. */
const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
/** Longer lines are minified code or data. */
const LINE_CHARS_MAX = 400;

/** A folder, and what is in its folders. */
const DEPTH_DEFAULT = 2;
const DEPTH_MAX = 20;

const Input = z.object({
  pattern: z.string().optional(),
  path: z.string().optional(),
  glob: z.string().optional(),
  mode: z.enum(["content", "files", "count"]).optional(),
  ignore_case: z.boolean().optional(),
  context: z.int().min(0).max(CONTEXT_MAX).optional(),
  depth: z.int().min(1).max(DEPTH_MAX).optional(),
  limit: z.int().min(1).max(LIMIT_MAX).optional(),
});
type Input = z.infer<typeof Input>;

/**
 * No configuration of the repository or the machine steers it, a .ignore neither: what git tracks is searched. A folder's parents
 * count, or the workspace's .gitignore would not hold below a `path`.
 */
const BASE = ["--no-config", "--hidden", "--no-ignore-global", "--no-ignore-dot", "--crlf", "--color", "never"];
const COMMON = [...BASE, "--sort", "path", "--null", "--glob", "!.git"];

/** With a .git there, ripgrep looks for no .gitignore above it; without one it must be told to look at any. */
const RIPGREP = '[ ! -e .git ] || exec rg "$@"; exec rg --no-require-git "$@"';

export function searchTool(session: SandboxSession): Tool {
  return defineTool({
    name: "search",
    effect: "reads",
    input: Input,
    run: async (input, signal) => {
      const limits = { timeoutMs: TIMEOUT_MS, outputBytesMax: OUTPUT_BYTES_MAX };
      const result = await session.exec(
        { argv: argvOf(input), cwd: "", stdin: ignoreFileOf(input.glob), ...limits },
        signal,
      );
      const { exit } = result;
      if (exit.kind === "timed-out")
        throw new ToolRefusal("The search took longer than 60 s. Narrow it with path or glob.");
      const { closed, other } = readErrors(result.stderr.toString());
      if (exit.kind === "exited" && exit.code > 1 && result.stdout.length === 0 && other !== "") throw failed(other);
      const found = {
        output: result.stdout.toString(),
        limit: input.limit ?? LIMIT_DEFAULT,
        isPartial: exit.kind !== "exited",
      };
      return { text: renderFound(input, found) + noteClosed(closed) };
    },
  });
}

type Found = { readonly output: string; readonly limit: number; readonly isPartial: boolean };

function renderFound(input: Input, found: Found): string {
  const isListing = (input.pattern ?? "") === "";
  const isFolder = isListing && (input.glob ?? "") === "";
  if (found.output === "" && isFolder) return "No files here but ignored ones.";
  if (found.output === "") return isListing ? "No file has such a name." : "No match.";
  if (isFolder) return renderFolder({ ...found, place: placeOf(input.path), depth: input.depth ?? DEPTH_DEFAULT });
  if (isListing || input.mode === "files") return renderFiles(found);
  return input.mode === "count" ? renderCounts(found) : renderMatches(found);
}

/** Names told; a tree can have thousands. */
const CLOSED_MAX = 10;

/** ripgrep goes on after a file that it may not open, and ends with the status of a failure. */
function readErrors(stderr: string): { readonly closed: readonly string[]; readonly other: string } {
  const lines = stderr.split("\n");
  const closed = lines.flatMap(
    (line) =>
      /^rg: (?:\.\/)?(.*?)(?:: IO error for operation on .*)?: Permission denied \(os error 13\)$/.exec(line)?.[1] ??
      [],
  );
  return {
    closed,
    other: lines
      .filter((line) => !line.endsWith("(os error 13)"))
      .join("\n")
      .trim(),
  };
}

function noteClosed(closed: readonly string[]): string {
  if (closed.length === 0) return "";
  const more = closed.length > CLOSED_MAX ? ` and ${closed.length - CLOSED_MAX} more` : "";
  const names = closed.toSorted().slice(0, CLOSED_MAX).join(", ");
  return `\n[not searched, its permissions forbid it: ${names}${more}]`;
}

function argvOf(input: Input): readonly string[] {
  const { pattern = "", mode = "content" } = input;
  const rg = ["/bin/sh", "-c", RIPGREP, "sh", ...COMMON, ...globArguments(input.glob)];
  const place = placeOf(input.path);
  if (pattern === "") return [...rg, "--files", "--", place];
  const isMultiline = /\\n|\n/.test(pattern);
  const how = [...(input.ignore_case === true ? ["--ignore-case"] : []), ...(isMultiline ? ["--multiline"] : [])];
  const what = {
    content: [
      ...["--line-number", "--with-filename", "--no-heading", "--context", String(input.context ?? 0)],
      ...["--no-context-separator", "--max-columns", String(LINE_CHARS_MAX), "--max-columns-preview"],
    ],
    files: ["--files-with-matches"],
    count: ["--count", "--with-filename"],
  }[mode];
  return [...rg, ...how, ...what, "--regexp", acrossLines(pattern), "--", place];
}

/** A line break that is asked for may be CRLF in the file. Sets of characters stay as they are. */
function acrossLines(pattern: string): string {
  return pattern.replace(/\[(?:\\[^]|[^\]\\])*\]|\\[^]|\n/g, (part) =>
    part === "\n" || part === "\\n" ? "\\r?\\n" : part,
  );
}

/**
 * ripgrep's own --glob brings ignored files back (and .git), so a glob is given as what only narrows: a file type for a name,
 * an ignore file (our standard input) for a path. Only "!glob" is safe as it is.
 */
function globArguments(glob: string | undefined): readonly string[] {
  if (glob === undefined || glob === "") return [];
  if (glob.startsWith("!")) return ["--glob", glob];
  return glob.includes("/") ? ["--ignore-file", "/dev/stdin"] : ["--type-add", `asked:${glob}`, "--type", "asked"];
}

/** Everything is ignored but folders and what the glob names. */
function ignoreFileOf(glob: string | undefined): string {
  if (glob === undefined || !glob.includes("/") || glob.startsWith("!")) return "";
  const path = glob.replace(/^(\.\/)+/, "").replace(/^\/workspace\//, "/");
  return `*\n!*/\n!${path.endsWith("/") ? `${path}**` : path}\n`;
}

/** Words alone can tell here: ripgrep follows no links and sees nothing but the sandbox. */
function placeOf(path: string | undefined): string {
  const checked = checkPath(path ?? ".");
  if (checked.kind === "refused") throw new ToolRefusal(`Cannot search "${path ?? ""}": ${checked.why}.`);
  if (checked.path.split("/").includes(".."))
    throw new ToolRefusal(`Cannot search "${path ?? ""}": name a path inside the workspace.`);
  return checked.path;
}

function failed(stderr: string): ToolRefusal {
  const said = stderr.trim().split("\n").slice(0, 8).join("\n");
  return new ToolRefusal(
    `The search failed: ${said}\nPatterns are Rust regular expressions; put \\ before a bracket meant literally.`,
  );
}
