/** Tasks and outcomes with defaults, for the pure tests of publish/. */
import type { PullFacts } from "../../src/forge/forge.ts";
import type { CommandRun } from "../../src/journal.ts";
import type { Finding, Outcome, Spend } from "../../src/outcome.ts";
import { publicText, publicTitle } from "../../src/policy/redact.ts";
import type { Voice } from "../../src/publish/plan.ts";
import type { Task, TaskId } from "../../src/task.ts";

export const voice: Voice = {
  say: (markdown, closes) => publicText(markdown, { secrets: [], mention: "ada", closes: closes ?? null }),
  sayTitle: (title) => publicTitle(title, { secrets: [] }),
};

export const spend: Spend = {
  ...{
    usd: 0.0421,
    turns: 5,
    wallMs: 73_400,
    inputTokens: 18_230,
    outputTokens: 1_904,
    model: "anthropic/claude-opus-5-5",
    switches: [],
  },
};

export function command(over: Partial<CommandRun> = {}): CommandRun {
  return { command: "npm test", exitCode: 0, wallMs: 1_200, outputTail: "ok 12\n", ...over };
}

export function task(over: Partial<Task> = {}): Task {
  const ada = { id: 7, login: "ada", isBot: false };
  return {
    id: "0f6c2c9e-8a54-4b7e-9c7b-0c5b5f3f9d11" as TaskId,
    key: "label:1:12:x",
    goal: "implement",
    repo: { installationId: 1, id: 2, owner: "acme", name: "widget", defaultBranch: "main" },
    thread: { kind: "issue", number: 12 },
    text: { title: "Typo in the greeting", body: "It says Helo.", author: ada },
    asker: ada,
    origin: { kind: "label" },
    instruction: "",
    headSha: null,
    state: "running",
    createdAt: "2026-01-01T00:00:00.000Z",
    ...over,
  };
}

export function changed(
  over: Partial<Extract<Outcome, { kind: "changed" }>> = {},
): Extract<Outcome, { kind: "changed" }> {
  return {
    kind: "changed",
    title: "Fix the greeting",
    summary: "It said `Helo`, as @bob noticed.",
    notDone: "",
    commit: "c".repeat(40),
    files: [
      { path: "src/greet.ts", change: "modified", linesAdded: 1, linesDeleted: 1 },
      { path: "test/greet.test.ts", change: "added", linesAdded: 9, linesDeleted: 0 },
    ],
    commands: [
      command({ command: "grep -rn Helo .", wallMs: 20 }),
      command({ command: "npm test", exitCode: 1 }),
      command(),
    ],
    checks: [{ command: "npm test", before: command({ exitCode: 1 }), after: command() }],
    opinion: null,
    ending: { kind: "reported" },
    spend,
    ...over,
  };
}

export function finding(over: Partial<Finding> = {}): Finding {
  return {
    ...{ path: "src/greet.ts", startLine: 3, endLine: 4, severity: "P1", title: "An empty name is greeted" },
    ...{ body: '`greet("")` returns `Hello, `.', suggestion: 'if (name === "") throw new RangeError("no name");' },
    ...over,
  } as Finding;
}

export function pull(over: Partial<PullFacts> = {}): PullFacts {
  return {
    ...{ number: 12, title: "Say goodbye", body: "", author: { id: 7, login: "ada", isBot: false }, state: "open" },
    ...{
      isDraft: false,
      baseBranch: "main",
      baseSha: "b".repeat(40),
      headBranch: "farewell",
      headSha: "a".repeat(40),
      isFork: false,
    },
    ...over,
  } as PullFacts;
}
