import { expect, test } from "vitest";
import { decide } from "../../src/trigger/decide.ts";
import type { RepoEvent } from "../../src/repo-event.ts";
import type { TaskRequest } from "../../src/task.ts";
import { BOT, comment, issueLabeled, pullUpdated, RULES } from "./builders.ts";

test("the label on an issue asks for a pull request", () => {
  const event = issueLabeled();
  const { repo, thread, text, actor } = event;
  expect(decide(event, RULES)).toEqual({
    kind: "start",
    request: {
      key: "label:70:3:1:implement:2026-11-21T00:00:00Z",
      goal: "implement",
      repo,
      thread,
      text,
      asker: actor,
      origin: { kind: "label" },
      instruction: "",
      headSha: null,
    },
    headAt: null,
  });
});

const inThread: RepoEvent = {
  ...comment("/agent fix", "pull"),
  comment: { kind: "review-thread", id: 11, rootId: 10 },
};

const STARTS: readonly [name: string, event: RepoEvent, request: Partial<TaskRequest>][] = [
  ["the label in another case", issueLabeled({ label: "Agent" }), { goal: "implement" }],
  ["/agent on an issue", comment("/agent"), { goal: "implement", key: "comment:70:3:1:implement:conversation:9" }],
  ["/agent implement", comment("/agent implement with care"), { goal: "implement", instruction: "with care" }],
  ["/agent fix", comment("/agent fix it", "pull"), { goal: "fix", instruction: "it", headSha: null }],
  [
    "/agent fix in a review thread",
    inThread,
    {
      goal: "fix",
      key: "comment:70:4:1:fix:review-thread:11",
      origin: { kind: "command", comment: { kind: "review-thread", id: 11, rootId: 10 } },
    },
  ],
  ["/agent review", comment("/agent review src/", "pull"), { goal: "review", instruction: "src/" }],
  ["@mention", comment("@pullwright review", "pull"), { goal: "review", instruction: "" }],
  [
    "an opened pull request",
    pullUpdated(),
    {
      goal: "review",
      key: `review:70:4:-:review:${"a".repeat(40)}`,
      headSha: "a".repeat(40),
      origin: { kind: "automatic" },
    },
  ],
  ["one that became ready", pullUpdated({ change: "ready" }), { goal: "review" }],
  ["new commits", pullUpdated({ change: "synchronized" }), { goal: "review" }],
];

test.each(STARTS)("%s starts a task", (_name, event, request) => {
  expect(decide(event, RULES)).toMatchObject({ kind: "start", request });
});

const IGNORED: readonly [event: RepoEvent, reason: string][] = [
  [issueLabeled({ label: "bug" }), 'the label is not "agent"'],
  [
    issueLabeled({ thread: { kind: "pull", number: 4 } }),
    "the label on a pull request asks for nothing; comment `/agent fix`",
  ],
  [issueLabeled({ actor: BOT }), "a bot never starts a task"],
  [{ ...comment("/agent fix", "pull"), actor: BOT }, "a bot never starts a task"],
  [pullUpdated({ actor: BOT }), "a bot never starts a task"],
  [comment("/agent\n\n<!-- pullwright:1:progress -->"), "the comment is one of our own"],
  [comment("thanks"), "no command in the comment"],
  [comment("/agent", "pull"), "`/agent` alone says nothing on a pull request"],
  [comment("/agent implement", "pull"), "`implement` is for issues"],
  [comment("/agent fix"), "`fix` is for pull requests"],
  [comment("/agent review"), "`review` is for pull requests"],
  [comment("/agent ask why?"), "`ask` is not a command yet"],
  [pullUpdated({ isDraft: true }), "the pull request is a draft"],
];

test.each(IGNORED)("%j is ignored", (event, reason) => {
  expect(decide(event, RULES)).toEqual({ kind: "ignore", reason });
});

test.each([
  ["/agent stop", "stop", ""],
  ["/agent steer look at the CSS too", "steer", "look at the CSS too"],
  ["/agent Please keep the old name.", "steer", "Please keep the old name."],
])("%j is for whoever is at work on the thread", (body, kind, said) => {
  const event = comment(body, "pull");
  const { repo, thread, actor: author } = event;
  const note = { repo, thread, author, comment: { kind: "conversation", id: 9 }, body: said };
  expect(decide(event, RULES)).toEqual({ kind, note });
});

test("drafts are reviewed where the rules say so, and nothing is where reviews are off", () => {
  const draft = pullUpdated({ isDraft: true });
  expect(decide(draft, { ...RULES, reviewDrafts: true }).kind).toBe("start");
  expect(decide(pullUpdated(), { ...RULES, automaticReview: false })).toEqual({
    kind: "ignore",
    reason: "automatic reviews are off",
  });
});

const eve = { id: 3, login: "eve", isBot: false };
const SAME: readonly [name: string, one: RepoEvent, other: RepoEvent][] = [
  ["the same label event", issueLabeled(), issueLabeled()],
  ["the same comment", comment("/agent fix", "pull"), comment("/agent fix", "pull")],
  ["a head that was opened by one and reopened by another", pullUpdated(), { ...pullUpdated(), actor: eve }],
];
const OTHER: typeof SAME = [
  ["the label put on again", issueLabeled(), issueLabeled({ labeledAt: "2026-11-21T00:00:01Z" })],
  ["the label put on by another person", issueLabeled(), { ...issueLabeled(), actor: eve }],
  [
    "another comment",
    comment("/agent fix", "pull"),
    { ...comment("/agent fix", "pull"), comment: { kind: "conversation", id: 10 } },
  ],
  ["another head", pullUpdated(), pullUpdated({ headSha: "b".repeat(40) })],
  ["a label and a command", issueLabeled(), comment("/agent")],
];

test.each(SAME)("%s is one task, however often it is heard", (_name, one, other) => {
  expect(keyOf(one)).toBe(keyOf(other));
});

test.each(OTHER)("%s is a task of its own", (_name, one, other) => {
  expect(keyOf(one)).not.toBe(keyOf(other));
});

function keyOf(event: RepoEvent): string {
  const decision = decide(event, RULES);
  if (decision.kind !== "start") throw new Error(`no task: ${decision.kind}`);
  return decision.request.key;
}
