/** A review that is asked for again, and one that may wait: what the vendor is asked, and what it costs. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { NotYet } from "../../src/failure.ts";
import { openLog, openRunParts, runQueued } from "../../src/main.ts";
import { throughBatches } from "../../src/model/batch-open.ts";
import type { Model } from "../../src/model/model.ts";
import { postgresBatches } from "../../src/store/batches.ts";
import { insertTask, listTasks, readTask } from "../../src/store/tasks.ts";
import type { TaskId } from "../../src/task.ts";
import { AT, REPO } from "../github.ts";
import { newTaskId } from "../store/builders.ts";
import { World, type Wire } from "../world.ts";
import { readTree } from "./read-tree.ts";

const WIRES: readonly Wire[] = ["anthropic", "openai"];
const usage = { input: 1_000, cachedRead: 0, cacheWrite: 0, output: 100 };
const call = (tool: string, input: Record<string, unknown>) => ({ do: "call", tool, input }) as const;

const finding = {
  ...{ path: "greet.sh", start_line: 4, end_line: 4, severity: "P2" },
  ...{ title: "Says it again", body: "Nobody asked for a second line." },
};

/** Every tool a reviewer looks with, so that each one's observation must be the same the second time. */
const script: Script = {
  conversations: [
    {
      name: "review",
      turns: [
        {
          usage,
          thinking: "What is there?",
          do: [{ do: "shell", command: "pwd; id; ls; git log --oneline; git status; env | sort" }],
        },
        {
          usage,
          do: [
            call("search", { pattern: "echo" }),
            call("read", { files: [{ path: "greet.sh" }] }),
            { do: "view", path: "test.sh" },
          ],
        },
        { usage, do: [call("history", { action: "log" }), { do: "shell", command: "sh test.sh; sleep 0.3; false" }] },
        { usage, do: [call("plan", { steps: [{ step: "Report", status: "in_progress" }] })] },
        { usage, do: [call("report", { summary: "It repeats itself.", findings: [finding] })] },
      ],
    },
  ],
};

async function openWorld(wire: Wire, play = script, settings = ""): Promise<World> {
  const repo = await readTree(join(import.meta.dirname, "review-on-open/repo"));
  const files = { ...repo, ".github/agent.yml": settings };
  const world = await World.open({ wire, script: play, files, withWorker: false });
  const change = { "greet.sh": `${repo["greet.sh"] ?? ""}echo again\n` };
  await world.github.commitFiles(REPO, "again", { login: "ada", message: "Greet twice", from: "main", files: change });
  await world.as("ada").pulls.create({ ...AT, title: "Greet twice", head: "again", base: "main" });
  await world.until(20_000, async () => ((await waiting(world)) ? true : null));
  return world;
}

/** The same review once more, as a task of its own. */
async function askAgain(world: World): Promise<void> {
  const { database } = world.store;
  const [first] = await listTasks(database, { limit: 1 });
  const task = first ? await readTask(database, first.id) : null;
  if (!task) throw new Error("there is no first review");
  const { key, goal, repo, thread, text, asker, origin, instruction, headSha } = task;
  await insertTask(
    database,
    { key: `${key}:again`, goal, repo, thread, text, asker, origin, instruction, headSha },
    newTaskId(),
  );
}

/** Works on the task that waits, its models changed, to its end. */
async function review(world: World, change = (model: Model) => model): Promise<void> {
  const task = await waiting(world);
  if (!task) throw new Error(`nothing waits: ${await world.describe()}`);
  await attempt(world, task.id, change);
  expect((await readTask(world.store.database, task.id))?.state, await world.describe()).toBe("succeeded");
}

async function attempt(world: World, taskId: TaskId, change: (model: Model) => Model): Promise<void> {
  const { database } = world.store;
  const parts = await openRunParts(world.settings, database, openLog(world.settings));
  const openModels: typeof parts.openModels = async (...of) => {
    const [first, ...others] = await parts.openModels(...of);
    return [change(first), ...others.map(change)];
  };
  await runQueued({ ...parts, openModels }, database, taskId, new AbortController().signal);
}

const waiting = async (world: World) =>
  (await listTasks(world.store.database, { limit: 10 })).find(({ state }) => state === "queued");

const spent = async (world: World) =>
  (
    await world.store.database.query<{ usd: number }>("SELECT coalesce(sum(cost_usd), 0) AS usd FROM pullwright.ledger")
  )[0]?.usd;

test.each(WIRES)(
  "a review of an unchanged diff is free the second time, to its last turn, over %s's wire",
  async (wire) => {
    await using world = await openWorld(wire, script, "review: { cache: true }\n");
    await review(world);
    const [asked, usd] = [world.models.requests.length, await spent(world)];
    expect(asked).toBe(5);
    expect(usd).toBeGreaterThan(0);

    await askAgain(world);
    await review(world);
    expect([world.models.requests.length, await spent(world)]).toEqual([asked, usd]);
    expectTwins(world);

    const { number } = (await world.as("ada").pulls.list(AT)).data[0] ?? { number: 0 };
    await world.as("ada").issues.createComment({ ...AT, issue_number: number, body: "/agent review" });
    await world.until(20_000, async () => ((await waiting(world)) ? true : null));
    await review(world);
    expect([world.models.requests.length, await spent(world)]).toEqual([asked, usd]);
  },
);

test.each(WIRES)(
  "a review through the vendor's batches says the same for half the money, over %s's wire",
  async (wire) => {
    await using world = await openWorld(wire);
    await review(world);
    const direct = await spent(world);
    const open = throughBatches({
      accounts: world.settings,
      store: postgresBatches(world.store.database),
      now: Date.now,
      timing: { windowMs: 5, pollMsMin: 5, pollMsMax: 20 },
    });
    await askAgain(world);
    await review(world, open);
    const both = await spent(world);
    expect((both ?? 0) - (direct ?? 0)).toBeCloseTo((direct ?? 0) / 2, 6);
    expectTwins(world);
  },
);

const short: Script = {
  conversations: [
    {
      name: "review",
      turns: [
        { usage, do: [{ do: "shell", command: "cat greet.sh" }] },
        { usage, do: [call("report", { summary: "It repeats itself.", findings: [finding] })] },
      ],
    },
  ],
  batch: { polls: 1 },
};

test("a review whose batch takes its time leaves its worker, says nothing meanwhile, and is paid once", async () => {
  await using world = await openWorld("anthropic", short);
  const task = await waiting(world);
  if (!task) throw new Error("nothing waits");
  // A process of its own each time, as the queue would have it.
  const go = () =>
    attempt(
      world,
      task.id,
      throughBatches({
        accounts: world.settings,
        store: postgresBatches(world.store.database),
        now: Date.now,
        timing: { windowMs: 5, holdMsMax: 0 },
      }),
    );
  for (const _ of ["first turn", "second turn"]) {
    await expect(go()).rejects.toBeInstanceOf(NotYet);
    expect(world.github.reviewComments(REPO)).toEqual([]);
    expect(world.github.comments(REPO)).toEqual([]);
  }
  await go();
  expect((await readTask(world.store.database, task.id))?.state).toBe("succeeded");
  expect(world.github.reviewComments(REPO)).toHaveLength(1);
  // Two answers of 1,000 tokens in and 100 out at half of 4 and 20 USD.
  expect(await spent(world)).toBeCloseTo(0.006, 6);
  expect(world.models.requests.filter(({ path }) => path.endsWith("/batches"))).toHaveLength(2);
});

/** Both reviews stand, and say the same. */
function expectTwins(world: World): void {
  const comments = world.github.reviewComments(REPO).map(({ path, line, body }) => ({ path, line, body: bare(body) }));
  expect(comments).toHaveLength(2);
  expect(comments[0]).toEqual(comments[1]);
}

/** Without the marker, which names the task. */
const bare = (body: string) => body.replaceAll(/<!--.*?-->/gs, "").trim();
