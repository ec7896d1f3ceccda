/** An old attempt that wakes after a new one took over: on a real database, at each kind of write. */
import { expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import type { Publication } from "../../src/publication.ts";
import { perform, type Desk } from "../../src/publish/perform.ts";
import { openRecords } from "../../src/run/records.ts";
import { insertTask, markRunning } from "../../src/store/tasks.ts";
import type { Database } from "../../src/store/database.ts";
import { openTestDatabase } from "../database.ts";
import { actAs, AT, REPO } from "../github.ts";
import { voice } from "./builders.ts";
import { openScene, type Scene } from "./scene.ts";

const dayLimits = { repoUsdMax: 1, installationUsdMax: 1 };

/** The desk of one attempt, as the worker that holds it has it. */
async function nextAttempt({ desk, task }: Scene, database: Database): Promise<Desk> {
  const attempt = await markRunning(database, task.id);
  if (attempt === null) throw new Error("the task has ended");
  const run = { attempt, now: Date.now, secrets: [], dayLimits, resultsDir: "/nowhere" };
  const { publications: log, assertCurrent } = openRecords(database, task, run);
  return { ...desk, log, assertCurrent };
}

async function openTwo() {
  await using stack = new AsyncDisposableStack();
  const { database } = stack.use(await openTestDatabase());
  const scene = stack.use(await openScene());
  const { id, state: _state, createdAt: _createdAt, ...request } = scene.task;
  await insertTask(database, request, id);
  // The builder's thread is number 12, a pull request here.
  const ada = actAs(scene.github, "ada");
  for (let i = 1; i < 12; i++) await ada.issues.create({ ...AT, title: `Issue ${i}` });
  const files = { "a.txt": "one\ntwo\n" };
  const headSha = await scene.github.commitFiles(REPO, "side", { login: "ada", message: "s", from: "main", files });
  await ada.pulls.create({ ...AT, title: "Side", head: "side", base: "main" });
  const place = { pull_number: 12, commit_id: headSha, path: "a.txt", line: 2, side: "RIGHT" } as const;
  const root = (await ada.pulls.createReviewComment({ ...AT, ...place, body: "Why?" })).data.id;
  const kept = stack.move();
  return { database, scene, headSha, root, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

type Two = Awaited<ReturnType<typeof openTwo>>;

const WRITES: Readonly<Record<string, (two: Two) => Promise<Publication>>> = {
  react: async () => ({ kind: "react", role: "react", target: { kind: "thread", number: 12 }, content: "eyes" }),
  comment: async ({ scene }) => ({
    ...{ kind: "comment", role: "progress", place: { kind: "conversation", thread: scene.task.thread } },
    body: voice.say("Working"),
  }),
  reply: async ({ root }) => ({
    ...{ kind: "comment", role: "reply", place: { kind: "review-thread", pull: 12, rootCommentId: root } },
    body: voice.say("Working"),
  }),
  push: async ({ scene }) => {
    const to = { kind: "own-branch", branch: "agent/12-x" } as const;
    return { kind: "push", role: "push", commit: await scene.commit({ "a.txt": "two\n" }), to };
  },
  review: async ({ headSha }) => ({
    ...{ kind: "review", role: "review", pull: 12, headSha, body: voice.say("Fine."), comments: [] },
  }),
  check: async ({ headSha }) => ({
    ...{ kind: "check", role: "check", name: "Review", headSha, state: "in_progress" },
    ...{ title: voice.sayTitle("Reviewing"), summary: voice.say("x") },
  }),
  "resolve-thread": async ({ root }) => ({ kind: "resolve-thread", role: "resolve", pull: 12, rootCommentId: root }),
  pull: async ({ scene }) => {
    await scene.github.commitFiles(REPO, "agent/12-x", { login: "ada", message: "x", from: "main", files: { x: "x" } });
    const title = { title: voice.sayTitle("Title"), body: voice.say("Body") };
    return { kind: "pull", role: "pull", headRole: "push", base: "main", draft: false, ...title };
  },
};

function build(two: Two, name: string): Promise<Publication> {
  return WRITES[name]?.(two) ?? Promise.reject(new Error(name));
}

/** What changes something: tokens are for reading as well, and GraphQL asks by POST. */
const isWrite = ({ method, path }: { readonly method: string; readonly path: string }) =>
  method !== "GET" && !/access_tokens|git-upload-pack|graphql/.test(path);

test.each(Object.keys(WRITES))("an attempt that loses its task while it looks writes nothing: %s", async (name) => {
  await using two = await openTwo();
  const { database, scene } = two;
  const publication = await build(two, name);
  const old = await nextAttempt(scene, database);
  if (name === "pull") {
    await old.log.intend("push", { branch: "agent/12-x", commits: [] });
    await old.log.complete("push", { ref: "agent/12-x", url: "u" });
  }
  // The last moment there is: when its first request of this kind is on its way, another worker takes over.
  const takeOver = async () => void (await markRunning(database, scene.task.id));
  const isPost = name === "react" || name === "push";
  scene.github.before({ path: isPost ? /access_tokens$/ : /\/repos\/|graphql/, act: takeOver });
  const before = scene.github.requests.length;
  await expect(perform(old, publication)).rejects.toThrow(TransientError);
  const writes = scene.github.requests.slice(before).filter(isWrite);
  expect(writes.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  expect(scene.github.resolvedThreads(REPO)).toEqual([]);

  const current = await nextAttempt(scene, database);
  const first = await perform(current, publication);
  const made = scene.github.requests.length;
  expect(await perform(current, publication)).toEqual(first);
  expect(scene.github.requests.slice(made)).toEqual([]);
});

test("a write that GitHub's answer makes wait is not made again for an attempt that was overtaken meanwhile", async () => {
  await using two = await openTwo();
  const { database, scene } = two;
  const old = await nextAttempt(scene, database);
  const say = async (desk: Desk, body: string) =>
    perform(desk, {
      ...{ kind: "comment", role: "progress", place: { kind: "conversation", thread: scene.task.thread } },
      body: voice.say(body),
    });
  await say(old, "first");
  const path = /\/issues\/comments\/\d+$/;
  scene.github.failNext({ method: "PATCH", path, status: 502 });
  scene.github.before({ method: "PATCH", path, act: async () => void (await markRunning(database, scene.task.id)) });
  await expect(say(old, "second")).rejects.toThrow("another one may be running");
  expect(scene.github.comments(REPO).map(({ body }) => body?.split("\n")[0])).toEqual(["first"]);
});

test("what people made of a publication stays when the next attempt publishes the same", async () => {
  await using two = await openTwo();
  const { database, scene } = two;
  const made = [await build(two, "comment"), await build(two, "push")];
  const first = await nextAttempt(scene, database);
  for (const publication of made) await perform(first, publication);
  const opened = await build(two, "pull");
  await perform(first, opened);
  const ada = actAs(scene.github, "ada");
  const pull = scene.github.pulls(REPO).find(({ head }) => head.ref.startsWith("agent/"));
  const pull_number = pull?.number ?? 0;
  await ada.pulls.update({ ...AT, pull_number, title: "Ada's title", state: "closed" });
  const second = await nextAttempt(scene, database);
  for (const publication of [...made, opened]) await perform(second, publication);
  const { data } = await ada.pulls.get({ ...AT, pull_number });
  expect([data.title, data.state]).toEqual(["Ada's title", "closed"]);
  expect(scene.github.pulls(REPO)).toHaveLength(2);
});
