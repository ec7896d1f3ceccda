/** A run in a person's own checkout: no forge, no database. Edits stay as uncommitted changes; the .git folder cannot be written. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Journal } from "../journal.ts";
import type { Model } from "../model/model.ts";
import type { FileChange, Outcome } from "../outcome.ts";
import { SANDBOX_LIMITS } from "../sandbox/limits.ts";
import type { Sandbox, SandboxSession } from "../sandbox/sandbox.ts";
import type { RunLimits } from "../settings.ts";
import { parseRepoSettings, SETTINGS_PATH } from "./repo-settings.ts";
import { renderBrief } from "./brief.ts";
import { runChecks } from "./verify.ts";
import { work, wordsOf } from "./work.ts";

export type LocalParts = {
  readonly model: Model;
  readonly sandbox: Sandbox;
  readonly journal: Journal;
  readonly limits: RunLimits;
  readonly cacheKey: string;
  readonly now: () => number;
};

/** Does `text` in the checkout at `root` (absolute). The outcome is the journal's last entry too. */
export async function runLocal(parts: LocalParts, root: string, text: string, signal: AbortSignal): Promise<Outcome> {
  const { journal, sandbox } = parts;
  await journal.append({ kind: "started", attempt: 1, goal: "local", title: text });
  await using session = await sandbox.open({
    workspaceDir: root,
    readOnlyPaths: [".git"],
    isReadOnly: false,
    limits: SANDBOX_LIMITS,
  });
  const settings = parseRepoSettings(await readIfThere(join(root, SETTINGS_PATH)));
  const before = await runChecks(session, settings.checks, signal);
  const guidance = await readIfThere(join(root, "AGENTS.md"));
  const files = guidance === "" ? [] : [{ path: "AGENTS.md", text: guidance, isCut: false }];
  const checks = before.map(({ command, exitCode }) => ({ command, exitCode }));
  const rest = { guidance: { files, unread: [] }, thread: null, comments: [], place: null, diff: null, checks };
  const ended = await work(
    {
      goal: "change",
      ...{ session, journal, model: parts.model, limits: parts.limits, cacheKey: parts.cacheKey, now: parts.now },
      brief: renderBrief({ task: text, ...rest }),
      charge: async () => {}, // A person's own run has no ledger; the journal holds each reply's cost.
    },
    signal,
  );
  const outcome = await readOutcome(parts, session, { ended, before, commands: settings.checks }, signal);
  await journal.append({ kind: "finished", outcome });
  return outcome;
}

type Ended = {
  readonly ended: Awaited<ReturnType<typeof work>>;
  readonly before: Awaited<ReturnType<typeof runChecks>>;
  readonly commands: readonly string[];
};

async function readOutcome(
  parts: LocalParts,
  session: SandboxSession,
  it: Ended,
  signal: AbortSignal,
): Promise<Outcome> {
  const { ending, spend } = it.ended.end;
  if (it.ended.report?.kind === "refusal") return { kind: "refused", reason: it.ended.report.reason, spend };
  if (ending.kind === "refused") return { kind: "refused", reason: "The model declined this task.", spend };
  const words = wordsOf(it.ended, "Local work");
  const files = await listLocalChanges(session, signal);
  if (files.length === 0) return { kind: "nothing-changed", summary: words.summary, ending, spend };
  const after = await runChecks(session, it.commands, signal);
  for (const command of after) await parts.journal.append({ kind: "verified", command });
  const checks = after.map((run, i) => ({ command: run.command, before: it.before[i] ?? null, after: run }));
  return { kind: "changed", ...words, commit: "", files, commands: it.ended.commands, checks, ending, spend };
}

/** Asked of git inside the sandbox: the checkout's settings may start programs, which must not happen on the host. */
async function listLocalChanges(session: SandboxSession, signal: AbortSignal): Promise<readonly FileChange[]> {
  const script = "git add --intent-to-add --all 2>/dev/null; git diff --numstat -z HEAD";
  const environment = "cp .git/index /tmp/index 2>/dev/null; GIT_INDEX_FILE=/tmp/index; export GIT_INDEX_FILE;";
  const argv = ["/bin/sh", "-c", `${environment} ${script}`];
  const result = await session.exec({ argv, cwd: "", stdin: "", timeoutMs: 60_000, outputBytesMax: 4_000_000 }, signal);
  return result.stdout
    .toString("utf8")
    .split("\0")
    .flatMap((line) => {
      const match = /^(\d+|-)\t(\d+|-)\t(.+)$/s.exec(line);
      if (!match) return [];
      const [, added, deleted, path = ""] = match;
      return [
        { path, change: "modified" as const, linesAdded: Number(added) || 0, linesDeleted: Number(deleted) || 0 },
      ];
    });
}

async function readIfThere(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return "";
    throw error;
  });
}
