/**
 * A run in a person's own checkout: no forge, no database. Edits stay as uncommitted changes; the .git folder cannot be written.
 * A run that was lost goes on from what it wrote; what was settled before its agent began is not settled again.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SILENT } from "../agent/inbox.ts";
import { readSpent } from "../agent/purse.ts";
import { NO_PAST } from "../agent/resumption.ts";
import { UserError } from "../failure.ts";
import { sinceLast, type CommandRun, type Journal, type JournalEntry } from "../journal.ts";
import { afterFirstAsk } from "../model/after-first-ask.ts";
import type { ModelChain } from "../model/model.ts";
import type { ModelRole } from "../model/roles.ts";
import type { FileChange, Outcome } from "../outcome.ts";
import { lazySession } from "../sandbox/lazy-session.ts";
import { SANDBOX_LIMITS } from "../sandbox/limits.ts";
import type { Sandbox, SandboxSession } from "../sandbox/sandbox.ts";
import type { RunLimits } from "../settings.ts";
import type { FindBrowser } from "../tools/find-browser.ts";
import { setUpLocally, type LocalSetUpParts } from "./local-set-up.ts";
import { EgressLog } from "./egress-log.ts";
import { parseRepoSettings, SETTINGS_PATH } from "./repo-settings.ts";
import { renderBrief, renderGuidance } from "./brief.ts";
import { agentEgress } from "./set-up.ts";
import { recordChecks } from "./verify.ts";
import { work, wordsOf, type WorkEnd } from "./work.ts";

export type LocalParts = {
  readonly openModels: (role: ModelRole) => Promise<ModelChain>;
  readonly sandbox: Sandbox;
  readonly findBrowser: FindBrowser;
  readonly setUp: LocalSetUpParts;
  readonly journal: Journal;
  readonly limits: RunLimits;
  readonly cacheKey: string;
  /** Whether another model looks at the change before the run ends. */
  readonly wantsOpinion: boolean;
  /** What an earlier process of this run wrote; [] for a fresh start. */
  readonly written: readonly JournalEntry[];
  readonly now: () => number;
};

/** Does `text` in the checkout at `root` (absolute). The outcome is the journal's last entry too. */
export async function runLocal(parts: LocalParts, root: string, text: string, signal: AbortSignal): Promise<Outcome> {
  const { journal, sandbox, written, wantsOpinion } = parts;
  const attempt = 1 + written.filter(({ kind }) => kind === "started").length;
  await journal.append({ kind: "started", attempt, goal: "local", title: text, local: { root, wantsOpinion } });
  const settings = await parseRepoSettings(await readIfThere(join(root, SETTINGS_PATH)));
  const begun = readBegun(written);
  const bare = { workspaceDir: root, readOnlyPaths: [".git"], limits: SANDBOX_LIMITS };
  const ground = { parts: parts.setUp, sandbox, opening: bare, settings, journal, isDone: begun !== null };
  const installed = await setUpLocally(ground, signal);
  await using log = new EgressLog(journal, "agent");
  const egress = agentEgress(settings, parts.setUp.network, log);
  const opening = { ...bare, environment: installed.environment, egress };
  // A model takes longer to answer than a sandbox to open: unless a check needs it sooner, that is when it is opened.
  await using session = lazySession(() => sandbox.open({ ...opening, isReadOnly: false }));
  const refused = new AbortController();
  const begin = () => void session.begin().catch((error: unknown) => refused.abort(error));
  await using readOnlySession = lazySession(() => sandbox.open({ ...opening, isReadOnly: true }));
  const before = begun?.before ?? (await recordChecks({ journal, session, commands: settings.checks }, signal));
  const guidance = await readIfThere(join(root, "AGENTS.md"));
  const files = guidance === "" ? [] : [{ path: "AGENTS.md", text: guidance, isCut: false }];
  const checks = before.map(({ command, exitCode }) => ({ command, exitCode }));
  const rest = { guidance: { files, unread: [] }, thread: null, comments: [], place: null, diff: null, checks };
  const { enabled, tests } = settings.second_opinion;
  const ended = await work(
    {
      ...{ goal: "change", journal, session, readOnlySession, inbox: SILENT },
      ...{ past: { ...NO_PAST, written }, paid: readSpent(written), today: { kind: "ok" } },
      entries: async () => (await journal.read()).map(({ entry }) => entry),
      openModels: async (role) => afterFirstAsk(await parts.openModels(role), begin),
      ...{ limits: parts.limits, cacheKey: parts.cacheKey, now: parts.now },
      findBrowser: parts.findBrowser,
      brief: begun?.brief ?? [renderBrief({ task: text, ...rest }), installed.brief].filter(Boolean).join("\n\n"),
      guidance: renderGuidance(rest.guidance),
      opinion: wantsOpinion && enabled ? { readDiff: () => readLocalDiff(session, signal), isTested: tests } : null,
      charge: async () => ({ kind: "ok" }), // A person's own run has no ledger; the journal holds each reply's cost.
    },
    AbortSignal.any([signal, refused.signal]),
  );
  const outcome = await readOutcome(parts, session, { ended, before }, signal);
  await journal.append({ kind: "finished", outcome });
  return outcome;
}

/** What a lost run had settled: its brief, and how the checks stood before anything was changed. Null when it was lost before that. */
function readBegun(written: readonly JournalEntry[]): { brief: string; before: readonly CommandRun[] } | null {
  const at = written.findIndex(({ kind }) => kind === "briefed");
  const briefed = written[at];
  if (briefed?.kind !== "briefed") return null;
  const before = sinceLast(written.slice(0, at), "started");
  return {
    brief: briefed.brief,
    before: before.flatMap((entry) => (entry.kind === "verified" ? [entry.command] : [])),
  };
}

/** The checks to be run again are those of `before`: the agent may have edited the file that names them. */
type Ended = { readonly ended: WorkEnd; readonly before: readonly CommandRun[] };

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
  const names = it.before.map(({ command }) => command);
  const after = await recordChecks({ journal: parts.journal, session, commands: names }, signal);
  const checks = after.map((run, i) => ({ command: run.command, before: it.before[i] ?? null, after: run }));
  const { commands, opinion } = it.ended;
  return { kind: "changed", ...words, commit: "", files, commands, checks, opinion, ending, spend };
}

/** Asked of git inside the sandbox: the checkout's settings may start programs, which must not happen on the host. */
async function diffLocally(session: SandboxSession, options: string, signal: AbortSignal): Promise<string> {
  // The checkout's .git cannot be written here, so index and new objects lie elsewhere. Without a commit yet, all is new.
  const script = `set -e
    objects=$PWD/$(git rev-parse --git-path objects)
    cp "$(git rev-parse --git-path index)" /tmp/index 2>/dev/null || rm -f /tmp/index
    mkdir -p /tmp/objects
    export GIT_INDEX_FILE=/tmp/index GIT_OBJECT_DIRECTORY=/tmp/objects GIT_ALTERNATE_OBJECT_DIRECTORIES="$objects"
    git add --intent-to-add --all
    git diff ${options} "$(git rev-parse --quiet --verify HEAD || git hash-object -t tree /dev/null)"`;
  const argv = ["/bin/sh", "-c", script];
  const result = await session.exec({ argv, cwd: "", stdin: "", timeoutMs: 60_000, outputBytesMax: 4_000_000 }, signal);
  if (result.exit.kind === "exited" && result.exit.code === 0) return result.stdout.toString("utf8");
  const why = result.stderr.toString("utf8").trim().slice(0, 500);
  throw new UserError(
    `The edits stand, but git cannot compare them inside the sandbox, which sees nothing beside this folder (a linked worktree or a ` +
      `submodule has its git directory elsewhere). It says: ${why}`,
  );
}

const readLocalDiff = (session: SandboxSession, signal: AbortSignal) => diffLocally(session, "", signal);

async function listLocalChanges(session: SandboxSession, signal: AbortSignal): Promise<readonly FileChange[]> {
  const listed = await diffLocally(session, "--numstat -z", signal);
  return listed.split("\0").flatMap((line) => {
    const match = /^(\d+|-)\t(\d+|-)\t(.+)$/s.exec(line);
    if (!match) return [];
    const [, added, deleted, path = ""] = match;
    return [{ path, change: "modified" as const, linesAdded: Number(added) || 0, linesDeleted: Number(deleted) || 0 }];
  });
}

async function readIfThere(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return "";
    throw error;
  });
}
