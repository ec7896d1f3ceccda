/** A workspace on disk, a real sandbox over it and a toolset: what the contract tests of the tools stand on. */
import { chmod, mkdir, mkdtemp, readFile, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { CommandRun, Observation, PlanStep } from "../../src/journal.ts";
import { SANDBOX_LIMITS } from "../../src/sandbox/limits.ts";
import { openSandbox } from "../../src/sandbox/open-sandbox.ts";
import { dispatchCalls, type CallResult } from "../../src/tools/dispatch.ts";
import type { Report } from "../../src/tools/report.ts";
import { removeTree } from "../../src/workspace/remove-tree.ts";
import { openToolset, type ToolsetOpening } from "../../src/tools/toolset.ts";

export type Driver = "bubblewrap" | "host";
export const DRIVERS: readonly Driver[] = ["bubblewrap", "host"];

type Opening = {
  readonly driver?: Driver;
  /** Path -> content. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
} & Partial<Pick<ToolsetOpening, "goal" | "editing" | "limits" | "mustRead" | "sees" | "browser">>;

export async function openWorkbench({ driver = "bubblewrap", files = {}, ...over }: Opening = {}) {
  const base = await mkdtemp(join(tmpdir(), "pw-tools-"));
  const dir = join(base, "workspace");
  await mkdir(dir);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), content);
  }
  const sandbox = openSandbox({ sandboxDriver: driver, sandboxTools: [], sandboxContainer: null });
  const session = await sandbox.open({
    workspaceDir: dir,
    readOnlyPaths: [],
    isReadOnly: false,
    limits: SANDBOX_LIMITS,
  });
  const plans: (readonly PlanStep[])[] = [];
  const reports: Report[] = [];
  const toolset = openToolset({
    ...{ session, goal: "change", editing: "replace" },
    ...over,
    onPlan: (steps) => void plans.push(steps),
    onReport: (report) => void reports.push(report),
  });
  const dispatch = async (
    calls: readonly (readonly [tool: string, input: unknown])[],
    signal = new AbortController().signal,
  ) => {
    const results: CallResult[] = [];
    const made = calls.map(([tool, input], i) => ({ id: `call-${i}`, tool, input }));
    let clock = 0;
    const observations = await dispatchCalls(toolset, made, {
      signal,
      now: () => clock++,
      onResult: (result) => void results.push(result),
    });
    return { observations, results };
  };
  return {
    ...{ dir, base, session, toolset, plans, reports, dispatch },
    /** One call; its observation as "ok: text" or "error: text". */
    call: async (tool: string, input: unknown): Promise<string> => {
      const { observations } = await dispatch([[tool, input]]);
      return say(observations[0]);
    },
    command: async (input: unknown): Promise<CommandRun | null> =>
      (await dispatch([["shell", input]])).results[0]?.command ?? null,
    read: (path: string) => readFile(join(dir, path), "utf8"),
    mode: async (path: string) => (await stat(join(dir, path))).mode & 0o777,
    write: (path: string, content: string | Buffer) => writeFile(join(dir, path), content),
    chmod: (path: string, mode: number) => chmod(join(dir, path), mode),
    link: (target: string, path: string) => symlink(target, join(dir, path)),
    /** All names; links are not followed. */
    tree: async () => {
      const entries = await readdir(dir, { recursive: true, withFileTypes: true });
      return entries.map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1)).toSorted();
    },
    [Symbol.asyncDispose]: async () => {
      await session[Symbol.asyncDispose]();
      await removeTree(base);
    },
  };
}

function say(observation: Observation | undefined): string {
  return `${observation?.isError === false ? "ok" : "error"}: ${observation?.text ?? ""}`;
}
