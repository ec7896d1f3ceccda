import { expect, test } from "vitest";
import { readEvent, readName } from "../../src/webhook/read-event.ts";
import { EXAMPLES, example, examplesOf, withValue } from "./deliveries.ts";

const KNOWN = [
  "issues.labeled",
  "issue_comment.created",
  "pull_request_review_comment.created",
  "pull_request.opened",
  "pull_request.reopened",
  "pull_request.ready_for_review",
  "pull_request.synchronize",
];

test.each(KNOWN)("every recorded %s of GitHub's is read", (name) => {
  const payloads = examplesOf(name);
  expect(payloads.length).toBeGreaterThan(0);
  for (const payload of payloads) expect(readEvent(name, payload)).toMatchObject({ kind: "event" });
});

test("every other event of GitHub's is passed over, by name", () => {
  for (const { name: event, examples: payloads } of EXAMPLES) {
    for (const payload of payloads) {
      const name = readName(event, payload);
      if (KNOWN.includes(name)) continue;
      expect(readEvent(name, payload)).toEqual({ kind: "none", reason: `event ${name} has no meaning here` });
    }
  }
});

const repo = { installationId: 7, id: 186853002, owner: "Codertocat", name: "Hello-World", defaultBranch: "master" };
const actor = { id: 21031067, login: "Codertocat", isBot: false };

test("a label is read with the moment it was put on", () => {
  const payload = example("issues.labeled");
  expect(readEvent("issues.labeled", payload)).toEqual({
    kind: "event",
    event: {
      kind: "issue-labeled",
      repo,
      actor,
      thread: { kind: "issue", number: 1 },
      text: {
        title: "Spelling error in the README file",
        body: "It looks like you accidently spelled 'commit' with two 't's.",
        author: actor,
      },
      label: "bug",
      labeledAt: "2019-05-15T15:20:18Z",
    },
  });
});

test("a comment on a pull request is told from one on an issue", () => {
  const onPull = example("issue_comment.created", (payload) =>
    withValue(payload, ["issue", "pull_request"], { url: "https://api.github.com/repos/a/b/pulls/1" }),
  );
  expect(readEvent("issue_comment.created", onPull)).toMatchObject({
    event: { thread: { kind: "pull" }, comment: { kind: "conversation", id: 492700400 } },
  });
  expect(readEvent("issue_comment.created", example("issue_comment.created"))).toMatchObject({
    event: {
      kind: "comment-created",
      thread: { kind: "issue", number: 1 },
      body: "You are totally right! I'll get this fixed right away.",
    },
  });
});

test("a reply in a review thread names the thread's first comment", () => {
  const first = example("pull_request_review_comment.created");
  const name = "pull_request_review_comment.created";
  expect(readEvent(name, first)).toMatchObject({
    event: {
      thread: { kind: "pull", number: 2 },
      comment: { kind: "review-thread", id: 284312630, rootId: 284312630 },
    },
  });
  expect(readEvent(name, withValue(first, ["comment", "in_reply_to_id"], 5))).toMatchObject({
    event: { comment: { id: 284312630, rootId: 5 } },
  });
});

test.each([
  ["pull_request.opened", "opened"],
  ["pull_request.reopened", "opened"],
  ["pull_request.ready_for_review", "ready"],
  ["pull_request.synchronize", "synchronized"],
])("%s is a pull request that was %s", (name, change) => {
  const payload = withValue(example(name), ["pull_request", "draft"], true);
  expect(readEvent(name, payload)).toMatchObject({
    event: {
      ...{ kind: "pull-updated", change, isDraft: true, headSha: expect.stringMatching(/^[0-9a-f]{40}$/) },
      updatedAt: expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    },
  });
});

test("a bot is known by its type, an empty body is empty, an author without an account is a ghost", () => {
  const base = example("issues.labeled");
  const bot = withValue(base, ["sender", "type"], "Bot");
  const bare = withValue(withValue(bot, ["issue", "body"], null), ["issue", "user"], null);
  expect(readEvent("issues.labeled", bare)).toMatchObject({
    event: { actor: { isBot: true }, text: { body: "", author: { id: 10137, login: "ghost", isBot: false } } },
  });
});

test.each([
  [["installation"], undefined, "installation"],
  [["issue", "number"], "1", "issue.number"],
  [["repository", "id"], -1, "repository.id"],
  [["sender"], null, "sender"],
  [["label"], undefined, "label"],
])("a payload that is wrong at %j is passed over with the place", (path, value, place) => {
  const read = readEvent("issues.labeled", withValue(example("issues.labeled"), path, value));
  expect(read).toEqual({ kind: "none", reason: expect.stringContaining(`malformed at ${place}`) });
});

test.each([null, 1, "x", [], {}, { action: 1 }])("%j is no payload and does no harm", (payload) => {
  expect(readEvent("issues.labeled", payload).kind).toBe("none");
  expect(readEvent("constructor", payload).kind).toBe("none");
  expect(readName("push", payload)).toBe("push");
});
