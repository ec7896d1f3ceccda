import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Outcome } from "../../src/outcome.ts";
import type { Publication } from "../../src/publication.ts";
import { planPublications } from "../../src/publish/plan.ts";
import { renderCommitMessage } from "../../src/publish/render.ts";
import { renderWork } from "../../src/publish/render-work.ts";
import { renderProgress } from "../../src/publish/render-progress.ts";
import type { JournalEntry, RecordedEntry } from "../../src/journal.ts";
import { changed, command, finding, pull, spend, task, voice } from "./builders.ts";

const golden = (name: string) => join(import.meta.dirname, "../golden", `${name}.md`);
const kinds = (publications: readonly Publication[]) => publications.map(({ kind, role }) => `${kind} ${role}`);
const comment = { kind: "review-thread", id: 9, rootId: 5 } as const;
const fix = task({ goal: "fix", thread: { kind: "pull", number: 12 }, origin: { kind: "command", comment } });
const review = task({ goal: "review", thread: { kind: "pull", number: 12 }, origin: { kind: "automatic" } });
const reviewed: Extract<Outcome, { kind: "reviewed" }> = {
  kind: "reviewed",
  ...{ headSha: "a".repeat(40), summary: "Adds a farewell.", inline: [], elsewhere: [], leftOut: 0 },
  ending: { kind: "reported" },
  spend,
};

describe("a change for an issue", () => {
  test("is a branch of the task's own and a pull request that closes the issue", async () => {
    const publications = planPublications(task(), changed(), { pull: null, voice });
    expect(kinds(publications)).toEqual(["push push", "pull pull"]);
    expect(publications[0]).toMatchObject({
      commit: "c".repeat(40),
      to: { kind: "own-branch", branch: "agent/12-typo-in-the-greeting" },
    });
    expect(publications[1]).toMatchObject({ base: "main", title: "Fix the greeting", draft: false, headRole: "push" });
    await expect(publications[1]?.kind === "pull" ? publications[1].body : "").toMatchFileSnapshot(golden("pull-body"));
  });

  test("is a draft when a check fails, was killed, or a limit ended the run, and says so", async () => {
    const failing = changed({
      checks: [{ command: "npm test", before: command(), after: command({ exitCode: null }) }],
    });
    const limited = changed({ ending: { kind: "limit", limit: "cost" }, notDone: "The tests." });
    for (const outcome of [failing, limited]) {
      expect(planPublications(task(), outcome, { pull: null, voice })[1]).toMatchObject({ draft: true });
    }
    const [, made] = planPublications(task(), limited, { pull: null, voice });
    await expect(made?.kind === "pull" ? made.body : "").toMatchFileSnapshot(golden("pull-body-limit"));
  });
});

describe("a fix", () => {
  test("goes to the pull request's branch, from the head it was made on, and resolves the thread it was asked in", () => {
    expect(planPublications(fix, changed(), { pull: pull(), voice })).toEqual([
      ...[
        {
          kind: "push",
          role: "push",
          commit: "c".repeat(40),
          to: { kind: "pull-head", branch: "farewell", expected: "a".repeat(40) },
        },
      ],
      ...[{ kind: "resolve-thread", role: "resolve", pull: 12, rootCommentId: 5 }],
    ]);
  });

  test("leaves the thread open when something was not done, and never pushes to a fork", () => {
    expect(kinds(planPublications(fix, changed({ notDone: "x" }), { pull: pull(), voice }))).toEqual(["push push"]);
    expect(planPublications(fix, changed(), { pull: pull({ isFork: true }), voice })).toEqual([]);
  });
});

describe("a review", () => {
  test("is one publication with its findings inline and the rest in its body", async () => {
    const outcome = {
      ...reviewed,
      inline: [finding()],
      elsewhere: [finding({ path: "README.md", suggestion: null })],
      leftOut: 2,
    };
    const publications = planPublications(review, outcome, { pull: pull(), voice });
    expect(kinds(publications)).toEqual(["review review"]);
    const [it] = publications;
    if (it?.kind !== "review") throw new Error("no review");
    expect(it.comments.map(({ path, startLine, line }) => [path, startLine, line])).toEqual([["src/greet.ts", 3, 4]]);
    await expect(`${it.body}\n\n---\n\n${it.comments[0]?.body}\n`).toMatchFileSnapshot(golden("review"));
  });

  test("that nobody asked for and that found nothing is a thumb up, an asked one says it in words", () => {
    expect(kinds(planPublications(review, reviewed, { pull: pull(), voice }))).toEqual(["react react-+1"]);
    const asked = task({ ...review, origin: { kind: "command", comment: { kind: "conversation", id: 3 } } });
    expect(kinds(planPublications(asked, reviewed, { pull: pull(), voice }))).toEqual(["review review"]);
  });
});

test.each([
  ["refused", { kind: "refused", reason: "No.", spend } as const, ["react react-confused"]],
  ["failed", { kind: "failed", message: "It broke.", spend: null } as const, ["react react-confused"]],
  [
    "nothing changed",
    { kind: "nothing-changed", summary: "It is right as it is.", ending: { kind: "reported" }, spend } as const,
    [],
  ],
])("a run that ended %s", (_name, outcome, expected) => {
  expect(kinds(planPublications(task(), outcome, { pull: null, voice }))).toEqual(expected);
});

test("a commit names the asker as co-author", () => {
  expect(renderCommitMessage({ title: "Fix it", summary: "Because." }, { id: 7, login: "ada" })).toBe(
    "Fix it\n\nBecause.\n\nCo-authored-by: ada <7+ada@users.noreply.github.com>",
  );
});

test("a patch that holds a fence does not end its own", () => {
  const work = { name: "0f6c2c9e8a54", patch: "+```\n+x\n+````\n" };
  expect(renderWork(work)).toContain("`````diff\n+```\n+x\n+````\n`````");
});

const usage = { input: 10, cachedRead: 0, cacheWrite: 0, output: 5, reasoning: 0 };
const entries: readonly JournalEntry[] = [
  { kind: "started", attempt: 1, goal: "implement", title: "Typo" },
  { kind: "workspace-ready", baseSha: "b", headSha: "b", guidance: ["AGENTS.md"] },
  { kind: "briefed", model: "m", promptHash: "h", brief: "x" },
  {
    ...{
      kind: "model-replied",
      turn: 1,
      model: "m",
      parts: [],
      stop: "tool-calls",
      usage,
      costUsd: 0.03,
      wallMs: 1,
      opaque: null,
    },
  },
  {
    kind: "plan-updated",
    steps: [
      { step: "Look", status: "completed" },
      { step: "Mend", status: "in_progress" },
      { step: "Test", status: "pending" },
    ],
  },
  { kind: "tool-called", turn: 1, call: { id: "c", tool: "shell", input: { command: "npm test\n`x`" } } },
];
const recorded = (all: readonly JournalEntry[]): readonly RecordedEntry[] =>
  all.map((entry, i) => ({ seq: i + 1, at: i * 1000, entry }));

test("the progress comment while the run goes on, at its end, and when it could not be published", async () => {
  const facts = { usdMax: 5, now: 65_000, work: null };
  const outcome = changed();
  const end: readonly JournalEntry[] = [...entries, { kind: "finished", outcome }];
  const pullUrl = { kind: "published", role: "pull", url: "https://github.com/acme/widget/pull/13" } as const;
  const push = {
    kind: "published",
    role: "push",
    url: `https://github.com/acme/widget/commit/${"c".repeat(40)}`,
  } as const;
  const work = { name: "0f6c2c9e8a54", patch: "diff --git a/x b/x\n" };
  const note = "`farewell` had moved while I was working.";
  const again = { kind: "started", attempt: 2, goal: "implement", title: "x" } as const;
  const why = "its work tree is no longer stored";
  const states = {
    "just started": renderProgress(recorded(entries.slice(0, 1)), facts, null),
    "at work": renderProgress(recorded(entries), facts, null),
    resumed: renderProgress(
      recorded([...entries, again, { kind: "resumed", attempt: 2, turn: 1, tree: null }]),
      facts,
      null,
    ),
    "started over": renderProgress(recorded([...entries, again, { kind: "restarted", attempt: 2, why }]), facts, null),
    "a pull request": renderProgress(recorded([...end, push, pullUrl]), facts, null),
    "a fix": renderProgress(recorded([...end, push]), facts, null),
    "a fix on a branch that had moved": renderProgress(recorded([...end, { ...push, note }]), facts, null),
    "a fix for a fork": renderProgress(recorded(end), { ...facts, work }, null),
    "not pushed": renderProgress(recorded(end), { ...facts, work }, "The branch moved."),
    "pushed, but no pull request": renderProgress(recorded([...end, push]), { ...facts, work }, "GitHub said no."),
    failed: renderProgress(
      recorded([...entries, { kind: "finished", outcome: { kind: "failed", message: "It broke.", spend: null } }]),
      facts,
      "It broke.",
    ),
    refused: renderProgress(
      recorded([...entries, { kind: "finished", outcome: { kind: "refused", reason: "It would harm.", spend } }]),
      facts,
      null,
    ),
  };
  const text = Object.entries(states).map(([name, body]) => `<!-- ${name} -->\n\n${body}\n`);
  await expect(text.join("\n---\n\n")).toMatchFileSnapshot(golden("progress"));
});
