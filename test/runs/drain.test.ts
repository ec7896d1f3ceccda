/** A worker that is told to stop in the middle of a long run: it hands the run over at the end of a turn, and another goes on there. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { REPO } from "../github.ts";
import { World } from "../world.ts";
import { readTree } from "./read-tree.ts";

const STORY = join(import.meta.dirname, "label-to-pull");
/** Half of it passes before the run is asked to leave, so the reply it waits for takes longer than that and less than all. */
const GRACE_SECONDS = 16;
const REPLY_MS = 11_000;

test("a worker that is told to stop hands its run over at the end of a turn; another goes on at once, and pays nothing twice", async () => {
  const script: Script = JSON.parse(await readFile(join(STORY, "script.json"), "utf8"));
  const turns = script.conversations[0]?.turns ?? [];
  for (const turn of turns.slice(1, 2)) turn.delayMs = REPLY_MS;
  const files = await readTree(join(STORY, "repo"));
  const env = { PULLWRIGHT_GRACE_SECONDS: String(GRACE_SECONDS) };
  await using world = await World.open({ wire: "anthropic", script, files, env, withWorker: false });
  await using first = startWorkerProcess(world);
  await world.labelIssue({ title: "Typo in the greeting", body: "It says `Helo`." });
  await world.until(30_000, async () => ((await countEntries(world, "model-replied")) >= 1 ? true : null));
  first.process.kill("SIGTERM");
  await once(first.process, "exit");
  expect(first.process.exitCode).toBe(0);
  expect(await countEntries(world, "model-replied")).toBe(2);
  const [job] = await world.store.database.query("SELECT state, data FROM pgboss.job");
  expect(job).toEqual({ state: "retry", data: { failures: 0, failedAt: [], lostAt: [], handedOver: 1 } });

  await using second = startWorkerProcess(world);
  const [task] = await world.ended(1);
  expect(second.process.exitCode).toBe(null);
  expect(task).toMatchObject({ state: "succeeded", attempt: 2 });
  expect(world.models.requests).toHaveLength(turns.length);
  expect(world.github.pulls(REPO).map(({ title }) => title)).toEqual(["Fix the greeting"]);
  expect(world.github.comments(REPO)).toHaveLength(1);
}, 120_000);

function startWorkerProcess(world: World): AsyncDisposable & { readonly process: ChildProcess } {
  const env = { ...world.env, PATH: process.env["PATH"] ?? "" };
  const child = spawn(join(import.meta.dirname, "../../bin/pullwright"), ["worker"], { env, stdio: "ignore" });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  return { process: child, [Symbol.asyncDispose]: stop };
}

async function countEntries(world: World, kind: string): Promise<number> {
  const rows = await world.store.database.query("SELECT 1 FROM pullwright.journal WHERE kind = $1", [kind]);
  return rows.length;
}
