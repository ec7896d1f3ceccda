/** The history tool: git on the workspace's own throw-away .git, inside the sandbox. It reads; its arguments cannot become options. */
import { z } from "zod";
import { unreachable } from "../failure.ts";
import type { ExecResult, SandboxSession } from "../sandbox/sandbox.ts";
import { defineTool } from "./define-tool.ts";
import { checkPath } from "./paths.ts";
import { ToolRefusal, type Tool } from "./tool.ts";
import { truncate } from "./truncate.ts";

const TEXT_BYTES_MAX = 24 * 1024;
const TIMEOUT_MS = 60_000;
/** Past this git is stopped; little of it would be shown anyway. */
const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 200;

const line = z.int().min(1).max(1e9).optional();
const Told = z.object({
  action: z.enum(["log", "blame", "show", "diff"]),
  path: z.string().optional(),
  revision: z.string().optional(),
  start_line: line,
  end_line: line,
  limit: z.int().min(1).max(LIMIT_MAX).optional(),
});
const Input = Told.refine(({ action, path }) => action !== "blame" || (path ?? "") !== "", {
  path: ["path"],
  message: "is missing",
});
type Input = z.infer<typeof Input>;

/** Names, numbers, ancestors and ranges. No colon (a path in disguise), no space, and nothing that begins like an option. */
const REVISION = /^[A-Za-z0-9_@][A-Za-z0-9_./^~@{}-]{0,199}$/;

/** Whatever the repository's code has put into .git/config: no program of its choice, no network, nothing written. */
const GIT = [
  ...["env", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1"],
  ...["GIT_TERMINAL_PROMPT=0", "git", "--no-pager", "--literal-pathspecs", "--git-dir=.git", "--work-tree=."],
  ...["core.fsmonitor=false", "core.hooksPath=/dev/null", "core.quotePath=false", "log.showSignature=false"].flatMap(
    (setting) => ["-c", setting],
  ),
  ...["safe.directory=*", "protocol.allow=never", "blame.ignoreRevsFile=", "color.ui=false"].flatMap((setting) => [
    "-c",
    setting,
  ]),
];
const PLAIN = ["--no-ext-diff", "--no-textconv", "--no-color"];
const SHALLOW = "[history before these commits is not here]";

export function historyTool(session: SandboxSession): Tool {
  return defineTool({
    name: "history",
    effect: "reads",
    input: Input,
    told: Told,
    run: async (input, signal) => {
      const git: Git = async (argv) => {
        // Read afterwards, so that one command tells both.
        const script = '"$@"; status=$?; [ ! -f .git/shallow ] || printf "\\nshallow" >&2; exit $status';
        const limits = { timeoutMs: TIMEOUT_MS, outputBytesMax: OUTPUT_BYTES_MAX };
        const argvAll = ["/bin/sh", "-c", script, "sh", ...GIT, ...argv];
        return readGit(await session.exec({ argv: argvAll, cwd: "", stdin: "", ...limits }, signal));
      };
      const asked = { path: readPath(input.path), revision: readRevision(input.revision) };
      const said = await git(argvOf(input, asked));
      const isRange = asked.revision?.includes("..") ?? false;
      if (input.action !== "diff" || isRange) return { text: render(input, said) };
      const changes = [...(await listNew(git, asked)), ...linesOf(said)];
      return { text: changes.length === 0 ? "No difference." : cut(changes) };
    },
  });
}

type Asked = { readonly path: string | null; readonly revision: string | null };
type Said = { readonly text: string; readonly isShallow: boolean };
type Git = (argv: readonly string[]) => Promise<Said>;

function argvOf(input: Input, { path, revision }: Asked): readonly string[] {
  const { start_line: first, end_line: last = "", limit = LIMIT_DEFAULT } = input;
  const at = revision ?? "HEAD";
  switch (input.action) {
    case "log": {
      const format = ["--date=short", "--format=%h %ad %an: %s", `--max-count=${limit + 1}`, "--no-color"];
      if (path === null || path === ".") return ["log", ...format, at, "--"];
      // -L brings the patch with it, and names the file itself.
      if (first !== undefined) return ["log", ...format, "--no-patch", `-L${first},${last}:${path}`, at, "--"];
      return ["log", ...format, "--follow", at, "--", path];
    }
    case "blame": {
      const lines = first === undefined ? [] : [`-L${first},${last}`];
      // Without a revision git blames the file as it is now.
      return ["blame", "--date=short", "--no-textconv", ...lines, ...(revision === null ? [] : [at]), ...placeOf(path)];
    }
    case "show":
      if (path !== null) return ["show", ...PLAIN, `${at}:${path === "." ? "" : path}`, "--"];
      return ["show", ...PLAIN, "--stat", "--patch", "--date=iso", at, "--"];
    case "diff":
      return ["diff", ...PLAIN, at, ...placeOf(path)];
    default:
      return unreachable(input.action);
  }
}

/** A diff says nothing of new files: they come from the working tree's state, or alone since an older revision. */
async function listNew(git: Git, { path, revision }: Asked): Promise<readonly string[]> {
  if (revision === null) return linesOf(await git(["status", "--short", "--untracked-files=all", ...placeOf(path)]));
  const found = linesOf(await git(["ls-files", "--others", "--exclude-standard", ...placeOf(path)]));
  return found.map((name) => `?? ${name}`);
}

function render(input: Input, { text, isShallow }: Said): string {
  const { action, limit = LIMIT_DEFAULT, start_line: first = 1, end_line: last } = input;
  const rows = text.split("\n");
  switch (action) {
    case "log":
      if (text === "") return isShallow ? `No commit.\n${SHALLOW}` : "No commit.";
      if (rows.length > limit)
        return cut([...rows.slice(0, limit), `[… first ${limit} commits; raise limit for more …]`]);
      return cut(isShallow ? [...rows, SHALLOW] : rows);
    case "blame":
      return cut(isShallow ? [...rows, "[^ marks the oldest commit that is here; the line may be older]"] : rows);
    case "show":
      if ((input.path ?? "") === "") return cut(rows);
      if (text.includes("\0")) throw new ToolRefusal(`"${input.path}" was a binary file.`);
      if (first > rows.length) throw new ToolRefusal(`start_line is ${first}, but the file had ${rows.length} lines.`);
      return cut(rows.slice(first - 1, last).map((row, i) => `${String(first + i).padStart(6)}\t${row}`));
    case "diff":
      return text === "" ? "No difference." : cut(rows);
    default:
      return unreachable(action);
  }
}

function cut(rows: readonly string[]): string {
  return truncate(rows.join("\n"), TEXT_BYTES_MAX);
}

function linesOf({ text }: Said): readonly string[] {
  return text === "" ? [] : text.split("\n");
}

function placeOf(path: string | null): readonly string[] {
  return path === null ? ["--"] : ["--", path];
}

function readPath(path: string | undefined): string | null {
  if (path === undefined || path === "") return null;
  const checked = checkPath(path);
  const refuse = (why: string) => new ToolRefusal(`Cannot look at "${path}": ${why}.`);
  if (checked.kind === "refused") throw refuse(checked.why);
  if (checked.path.startsWith("/") || checked.path.split("/").includes(".."))
    throw refuse("name a path inside the workspace");
  return checked.path;
}

function readRevision(revision: string | undefined): string | null {
  if (revision === undefined || revision === "") return null;
  if (REVISION.test(revision)) return revision;
  throw new ToolRefusal(
    `"${revision}" is no revision. Give a commit, a branch, HEAD~2 or a range a..b; a path goes into path.`,
  );
}

function readGit({ exit, stdout, stderr }: ExecResult): Said {
  const isShallow = stderr.toString().endsWith("shallow");
  if (exit.kind === "exited" && exit.code === 0) return { text: stdout.toString().replace(/\r?\n$/, ""), isShallow };
  if (exit.kind === "output-limit") return { text: stdout.toString(), isShallow };
  if (exit.kind === "timed-out") throw new ToolRefusal("git took longer than 60 s. Narrow it with path or lines.");
  const said = stderr
    .toString()
    .replace(/shallow$/, "")
    .trim()
    .split("\n")
    .slice(0, 5)
    .join("\n");
  const more = isShallow ? "\nOnly the newest commits are here." : "";
  throw new ToolRefusal(`git failed: ${said}${more}`);
}
