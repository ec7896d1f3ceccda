/** What bounds a run as a whole, and what is told when a run is ended from outside: no comment and no check run is left as if it went on. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLog, openRunParts } from "../../src/main.ts";
import { openRecords } from "../../src/run/records.ts";
import { AROUND_MS_MAX, failTask, QUEUE_AGE_MS_MAX, TASK_AGE_MS_MAX } from "../../src/run/run-task.ts";
import { listTasks, readTask, type StoredTask } from "../../src/store/tasks.ts";
import { AT, REPO } from "../github.ts";
import { World } from "../world.ts";
import { attemptTask, NO_FAULT, type Fault, type Worker } from "./dying-run.ts";
import { readTree } from "./read-tree.ts";

const look = { do: [{ do: "shell", command: "ls" } as const] };
const report = { do: [{ do: "call", tool: "report", input: { title: "None", summary: "Nothing." } } as const] };
const script = { conversations: [{ name: "any", turns: [look, look, report] }] };

async function openWorld(settings = ""): Promise<World> {
  const repo = await readTree(join(import.meta.dirname, "label-to-pull/repo"));
  return World.open({
    wire: "anthropic",
    script,
    files: { ...repo, ".github/agent.yml": settings },
    withWorker: false,
  });
}

async function openWorker(world: World): Promise<Worker> {
  const { database } = world.store;
  return { database, parts: await openRunParts(world.settings, database, openLog(world.settings)) };
}

async function waiting(world: World): Promise<StoredTask> {
  const first = async () => (await listTasks(world.store.database, { limit: 1 }))[0] ?? null;
  return await world.until(20_000, first);
}

/** Models that are opened when `isShown`: what a run shows of itself is on its way while it works. */
function onceShown({ parts, database }: Worker, world: World, isShown: () => boolean): Worker {
  const openModels: Worker["parts"]["openModels"] = async (...wanted) => {
    await world.until(20_000, async () => (isShown() ? true : null));
    return await parts.openModels(...wanted);
  };
  return { database, parts: { ...parts, progressGapMs: 0, openModels } };
}

const after = (kind: string): Fault => ({ when: "after", isIt: (entry) => entry.kind === kind });

test("a task that waited for longer than anyone waits is not begun", async () => {
  await using world = await openWorld();
  await world.labelIssue({ title: "Old", body: "Old." });
  const { id } = await waiting(world);
  const then = new Date(Date.now() - QUEUE_AGE_MS_MAX - 3_600_000);
  await world.store.database.query("UPDATE pullwright.tasks SET created_at = $2 WHERE id = $1", [id, then]);
  await expect(attemptTask(await openWorker(world), id, NO_FAULT)).rejects.toThrow(/^This waited 3 days before I came/);
  expect(world.models.requests).toEqual([]);
});

test("a task that was begun and is not done after a week is not gone on with, but published when only that is left", async () => {
  await using world = await openWorld();
  const [lost, done] = [
    await world.labelIssue({ title: "A", body: "A." }),
    await world.labelIssue({ title: "B", body: "B." }),
  ];
  const tasks = await world.until(20_000, async () => {
    const all = await listTasks(world.store.database, { limit: 2 });
    return all.length === 2 ? all : null;
  });
  const idOf = (number: number) => tasks.find(({ thread }) => thread.number === number)?.id ?? tasks[0]?.id;
  const [begun, reached] = [idOf(lost), idOf(done)];
  if (!begun || !reached) throw new Error("a task is missing");
  const worker = await openWorker(world);
  await attemptTask(worker, begun, after("model-replied"));
  await attemptTask(worker, reached, after("finished"));
  const then = new Date(Date.now() - TASK_AGE_MS_MAX - 3_600_000);
  await world.store.database.query("UPDATE pullwright.tasks SET created_at = $1", [then]);
  await expect(attemptTask(worker, begun, NO_FAULT)).rejects.toThrow(/^I am not done with this after 7 days/);
  expect((await attemptTask(worker, reached, NO_FAULT)).end).toBe("succeeded");
});

test("a run that takes longer than all its parts may is stopped", async () => {
  await using world = await openWorld("checks: [sleep 60]\n");
  await world.labelIssue({ title: "Slow", body: "Slow." });
  const { id } = await waiting(world);
  const { database, parts } = await openWorker(world);
  const limits = { ...parts.limits, wallMsMax: 1_500 - AROUND_MS_MAX };
  const begun = performance.now();
  await expect(attemptTask({ database, parts: { ...parts, limits } }, id, NO_FAULT)).rejects.toThrow(
    /I was not done after/,
  );
  expect(performance.now() - begun).toBeLessThan(30_000);
});

test("a review that is given up after its worker was lost leaves no check run that goes on", async () => {
  await using world = await openWorld();
  const change = { "more.txt": "more\n" };
  await world.github.commitFiles(REPO, "side", { login: "ada", message: "More", from: "main", files: change });
  const ada = world.as("ada");
  const pull = (await ada.pulls.create({ ...AT, title: "More", head: "side", base: "main", draft: true })).data;
  await ada.issues.createComment({ ...AT, issue_number: pull.number, body: "/agent review" });
  const { id } = await waiting(world);
  const worker = onceShown(await openWorker(world), world, () => world.github.checkRuns(REPO).length > 0);
  const { parts } = worker;
  await attemptTask(worker, id, after("model-replied"));
  const shown = async () => world.github.checkRuns(REPO).map(({ status, conclusion }) => [status, conclusion]);
  expect(await shown()).toEqual([["in_progress", null]]);

  const task = await readTask(worker.database, id);
  if (!task) throw new Error("the task is gone");
  const { now, secrets, dayLimits, resultsDir } = parts;
  const { attempt } = task;
  const records = openRecords(worker.database, task, { attempt, now, secrets, dayLimits, resultsDir });
  await failTask(parts, { task, attempt, records }, "My worker was lost 5 times.");
  expect(await shown()).toEqual([["completed", "failure"]]);
});

test("who has lost the right to ask does not leave a comment that says the work goes on", async () => {
  await using world = await openWorld();
  const number = await world.labelIssue({ title: "Typo", body: "Typo." });
  const { id } = await waiting(world);
  const worker = onceShown(await openWorker(world), world, () => world.github.comments(REPO).length > 0);
  await attemptTask(worker, id, after("model-replied"));
  const said = () => world.github.comments(REPO).map(({ body }) => body?.split("\n")[0]);
  expect(said()).toEqual([expect.stringMatching(/^\*\*Working:\*\*/)]);
  const reader = { ...worker.parts.reader, permission: async () => "none" as const };
  const { end } = await attemptTask({ ...worker, parts: { ...worker.parts, reader } }, id, NO_FAULT);
  expect([end, number > 0]).toEqual(["ignored", true]);
  expect(said()).toEqual(["**Failed.** `implement` needs write access to this repository."]);
});
