/** Automatic reviews of a pull request whose author keeps pushing: only the last head is reviewed, and nobody loses a command. */
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { takeDelivery } from "../../src/run/take-delivery.ts";
import { listTasks, readTask } from "../../src/store/tasks.ts";
import type { TaskId } from "../../src/task.ts";
import { decide } from "../../src/trigger/decide.ts";
import { AT, REPO } from "../github.ts";
import { openQueueWorld } from "../queue/world.ts";
import { comment, pullUpdated, RULES } from "../trigger/builders.ts";
import { World } from "../world.ts";

const findings = [
  {
    path: "greet.sh",
    start_line: 2,
    end_line: 2,
    severity: "P2",
    title: "Says it again",
    body: "Nobody asked for it.",
  },
];

/** The first reply takes longer than anyone waits; the second conversation is the review of the newer head. */
const script: Script = {
  conversations: [
    { name: "old", match: ["+echo one"], turns: [{ delayMs: 120_000, do: [{ do: "shell", command: "true" }] }] },
    {
      name: "new",
      match: ["+echo two"],
      turns: [{ do: [{ do: "call", tool: "report", input: { summary: "Again.", findings } }] }],
    },
  ],
};

async function openPull(world: World): Promise<{ readonly number: number; readonly first: string }> {
  const files = { "greet.sh": "echo hello\necho one\n" };
  const first = await world.github.commitFiles(REPO, "topic", { login: "ada", message: "One", files, from: "main" });
  const pull = { ...AT, title: "Greet twice", head: "topic", base: "main", body: "" };
  return { number: (await world.as("ada").pulls.create(pull)).data.number, first };
}

async function pushAgain(world: World): Promise<string> {
  const files = { "greet.sh": "echo hello\necho two\n" };
  return world.github.commitFiles(REPO, "topic", { login: "ada", message: "Two", files });
}

test("a review at work on a commit that is no longer the head stops and says so; the new head is reviewed", async () => {
  await using world = await World.open({ wire: "anthropic", script, files: { "greet.sh": "echo hello\n" } });
  const { first } = await openPull(world);
  const briefed = "SELECT 1 FROM pullwright.journal WHERE kind = 'briefed'";
  await world.until(30_000, async () => ((await world.store.database.query(briefed)).length > 0 ? true : null));
  const second = await pushAgain(world);
  const tasks = await world.ended(2);
  expect(tasks.map(({ headSha, state }) => [headSha, state])).toEqual([
    [second, "succeeded"],
    [first, "superseded"],
  ]);
  const runs = world.github.checkRuns(REPO);
  const checks = runs.map(({ head_sha, conclusion, output }) => [head_sha, output.title, conclusion]);
  expect(checks).toEqual([
    [first, "Superseded", "neutral"],
    [second, "Reviewed", "neutral"],
  ]);
  expect(runs[0]?.output.summary).toContain(second);
  expect(world.github.reviewComments(REPO)).toHaveLength(1);
}, 90_000);

const old = { headSha: "a".repeat(40), updatedAt: "2026-11-21T10:00:00Z" };
const newer = { headSha: "b".repeat(40), updatedAt: "2026-11-21T10:00:07Z" };

async function take(world: Awaited<ReturnType<typeof openQueueWorld>>, change: typeof old): Promise<void> {
  await takeDecision(world, decide(pullUpdated({ change: "synchronized", ...change }), RULES));
}

async function takeDecision(world: Awaited<ReturnType<typeof openQueueWorld>>, decision: ReturnType<typeof decide>) {
  const delivery = { guid: crypto.randomUUID(), name: "pull_request.synchronize", repo: "acme/shop", decision };
  await takeDelivery(world.queue, delivery, Date.now);
}

const states = async (world: Awaited<ReturnType<typeof openQueueWorld>>) =>
  Object.fromEntries(
    (await listTasks(world.database, { limit: 9 })).map(({ headSha, goal, state }) => [headSha?.[0] ?? goal, state]),
  );

test("a review that waits ends without starting when a newer head comes, and its place in the line is gone", async () => {
  await using world = await openQueueWorld();
  await take(world, old);
  await take(world, newer);
  expect(await states(world)).toEqual({ a: "superseded", b: "queued" });
  const ran: TaskId[] = [];
  const done = Promise.withResolvers<void>();
  const run = async (id: TaskId) => void (ran.push(id), done.resolve());
  await world.queue.work({ concurrency: 2, run, fail: () => Promise.reject(new Error("not expected")) });
  await done.promise;
  expect((await readTask(world.database, ran[0] ?? newTask()))?.headSha).toBe(newer.headSha);
  await world.queue.stop({ graceMs: 1000 });
  expect(ran).toHaveLength(1);
  expect(await world.database.query("SELECT 1 FROM pullwright.places")).toEqual([]);
});

test("a delivery that comes late supersedes nothing newer, and of two of the same second neither goes", async () => {
  await using world = await openQueueWorld();
  await take(world, newer);
  await take(world, old);
  await take(world, { headSha: "c".repeat(40), updatedAt: newer.updatedAt });
  expect(await states(world)).toEqual({ b: "queued", c: "queued", a: "superseded" });
});

test("commands stay, however many heads and commands come after them, and the commands go first", async () => {
  await using world = await openQueueWorld();
  await take(world, old);
  await takeDecision(world, decide(comment("/agent review", "pull"), RULES));
  const other = { ...comment("/agent fix", "pull"), comment: { kind: "conversation", id: 10 } } as const;
  await takeDecision(world, decide(other, RULES));
  await take(world, newer);
  expect(await states(world)).toEqual({ a: "superseded", review: "queued", fix: "queued", b: "queued" });
  const ran: TaskId[] = [];
  const all = Promise.withResolvers<void>();
  const run = async (id: TaskId) => (ran.push(id) === 3 ? all.resolve() : undefined);
  await world.queue.work({ concurrency: 3, run, fail: () => Promise.reject(new Error("not expected")) });
  await all.promise;
  const goals = await Promise.all(ran.map(async (id) => (await readTask(world.database, id))?.origin.kind));
  expect(goals).toEqual(["command", "command", "automatic"]);
});

function newTask(): never {
  throw new Error("nothing ran");
}
