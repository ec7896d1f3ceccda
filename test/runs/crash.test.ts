import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { REPO } from "../github.ts";
import { World } from "../world.ts";
import { readTree } from "./read-tree.ts";

const STORY = join(import.meta.dirname, "label-to-pull");

function startWorkerProcess(world: World, more: Readonly<Record<string, string>> = {}): ChildProcess {
  const env = { ...world.env, ...more, PATH: process.env["PATH"] ?? "" };
  return spawn(join(import.meta.dirname, "../../bin/pullwright"), ["worker"], { env, stdio: "ignore" });
}

/** A worker that has heard the model twice and waits for the third reply. */
async function startInTheMiddle(world: World): Promise<ChildProcess> {
  const worker = startWorkerProcess(world);
  await world.labelIssue({ title: "Typo in the greeting", body: "It says `Helo`." });
  await world.until(30_000, async () => ((await countEntries(world, "model-replied")) >= 2 ? true : null));
  return worker;
}

async function openSlowWorld(): Promise<World> {
  const script: Script = JSON.parse(await readFile(join(STORY, "script.json"), "utf8"));
  // Long enough to be killed in the middle of the third turn, short enough to wait for in the second attempt.
  for (const turn of script.conversations[0]?.turns.slice(2, 3) ?? []) turn.delayMs = 3_000;
  return World.open({ wire: "anthropic", script, files: await readTree(join(STORY, "repo")), withWorker: false });
}

test("a worker killed in the middle of a run leaves one pull request and one comment to the next", async () => {
  await using world = await openSlowWorld();
  const first = await startInTheMiddle(world);
  first.kill("SIGKILL");
  await once(first, "exit");
  expect(world.github.pulls(REPO)).toEqual([]);

  const second = startWorkerProcess(world);
  try {
    const [task] = await world.ended(1, 55_000);
    expect(task).toMatchObject({ state: "succeeded", attempt: 2 });
  } finally {
    second.kill("SIGTERM");
    await once(second, "exit");
  }
  expect(world.github.pulls(REPO).map(({ title, state }) => [title, state])).toEqual([["Fix the greeting", "open"]]);
  expect(world.github.comments(REPO)).toHaveLength(1);
  expect(world.github.reactions(REPO).map(({ content }) => content)).toEqual(["eyes"]);
  // At most the reply that was on its way when the worker was killed was asked for again.
  expect(world.models.requests.length).toBeLessThanOrEqual(5);
  expect(await countEntries(world, "model-replied")).toBe(4);
  expect(await countEntries(world, "resumed")).toBe(1);
}, 120_000);

test("workers killed with kill -9 on one machine after the other leave the task to a third, which ends it", async () => {
  await using stack = new AsyncDisposableStack();
  const world = stack.use(await openSlowWorld());
  const steps = ["checkpointed", "finished"];
  await world.labelIssue({ title: "Typo in the greeting", body: "It says `Helo`." });
  for (const kind of steps) {
    const machine = await openDataDir(stack);
    const worker = startWorkerProcess(world, { PULLWRIGHT_DATA: machine });
    await world.until(60_000, async () => ((await countEntries(world, kind)) > 0 ? true : null));
    worker.kill("SIGKILL");
    await once(worker, "exit");
  }
  const last = startWorkerProcess(world, { PULLWRIGHT_DATA: await openDataDir(stack) });
  try {
    await world.ended(1, 60_000);
  } finally {
    last.kill("SIGTERM");
    await once(last, "exit");
  }
  expect(world.github.pulls(REPO).map(({ title, state }) => [title, state])).toEqual([["Fix the greeting", "open"]]);
  expect(world.github.comments(REPO)).toHaveLength(1);
  expect(await countEntries(world, "model-replied")).toBe(4);
}, 240_000);

/** A machine's own disk: nothing on it comes from another. */
async function openDataDir(stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "pw-machine-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  await chmod(dir, 0o711);
  return dir;
}

test("a worker told to stop in the middle of a run finishes it within its grace time", async () => {
  await using world = await openSlowWorld();
  const first = await startInTheMiddle(world);
  first.kill("SIGTERM");
  await once(first, "exit");
  const [task] = await world.ended(1);
  expect(task).toMatchObject({ state: "succeeded", attempt: 1 });
  expect(world.github.pulls(REPO)).toHaveLength(1);
}, 120_000);

test("a task that is given up before any attempt at it was written down ends, and its asker is told", async () => {
  await using world = await openSlowWorld();
  await world.labelIssue({ title: "Typo in the greeting", body: "It says `Helo`." });
  // As a hundred workers would leave it that were killed just after they had taken it.
  const lose = "UPDATE pgboss.job SET retry_count = 100, started_on = now() WHERE name = 'tasks' RETURNING id";
  await world.until(30_000, async () => ((await world.store.database.query(lose)).length === 1 ? true : null));
  const worker = startWorkerProcess(world);
  try {
    const [task] = await world.ended(1);
    expect(task).toMatchObject({ state: "failed", attempt: 1 });
  } finally {
    worker.kill("SIGTERM");
    await once(worker, "exit");
  }
  expect(world.github.comments(REPO).map(({ body }) => body)).toEqual([expect.stringContaining("My worker was lost")]);
}, 120_000);

async function countEntries(world: World, kind: string): Promise<number> {
  const rows = await world.store.database.query("SELECT 1 FROM pullwright.journal WHERE kind = $1", [kind]);
  return rows.length;
}
