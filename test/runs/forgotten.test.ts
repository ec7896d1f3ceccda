/** Tasks that stand open and whose job is gone: pg-boss drops one that waited for two weeks, and gives one up that was handed out too often. */
import { expect, test } from "vitest";
import { openLog, startWorker } from "../../src/main.ts";
import { rejoinLine } from "../../src/run/rejoin-line.ts";
import { finishTask, markRunning } from "../../src/store/tasks.ts";
import type { TaskId } from "../../src/task.ts";
import { REPO } from "../github.ts";
import { openQueueWorld } from "../queue/world.ts";
import { World } from "../world.ts";

test("a task without a job gets one, whoever looks at the same time; others are left alone", async () => {
  await using world = await openQueueWorld();
  const { database, queue } = world;
  const [gone, givenUp, waiting, ended] = await Promise.all([1, 2, 3, 4].map(() => world.accept()));
  if (!gone || !givenUp || !waiting || !ended) throw new Error("not all were accepted");
  await markRunning(database, ended.id);
  await finishTask(database, { taskId: ended.id, attempt: 1, state: "succeeded" });
  await markRunning(database, givenUp.id);
  await database.query("DELETE FROM pgboss.job WHERE id = ANY($1::uuid[])", [[gone.id, ended.id]]);
  await database.query("DELETE FROM pullwright.places WHERE task_id = $1", [gone.id]);
  await database.query("UPDATE pgboss.job SET state = 'failed' WHERE id = $1", [givenUp.id]);

  const [one, other] = await Promise.all([rejoinLine(queue, database), rejoinLine(queue, database)]);
  expect([...one, ...other].toSorted()).toEqual([gone.id, givenUp.id].toSorted());
  expect(await rejoinLine(queue, database)).toEqual([]);
  const runs: TaskId[] = [];
  const all = Promise.withResolvers<void>();
  await queue.work({
    concurrency: 1,
    run: async (id) => {
      if (runs.push(id) === 3) all.resolve();
    },
    fail: () => Promise.reject(new Error("not expected")),
  });
  await all.promise;
  expect(runs.toSorted()).toEqual([gone.id, givenUp.id, waiting.id].toSorted());
});

const look = { do: [{ do: "shell", command: "ls" } as const] };
const report = { do: [{ do: "call", tool: "report", input: { title: "None", summary: "Nothing to do." } } as const] };

test("whoever asked for what was forgotten hears of it: done when it is young, told when it is old", async () => {
  await using world = await World.open({
    ...{ wire: "anthropic", files: { "greet.sh": "echo hi\n" }, withWorker: false },
    script: { conversations: [{ name: "any", turns: [look, report] }] },
  });
  const young = await world.labelIssue({ title: "Young", body: "x" });
  const old = await world.labelIssue({ title: "Old", body: "x" });
  const { database } = world.store;
  await world.until(20_000, async () =>
    (await database.query("SELECT 1 FROM pgboss.job")).length === 2 ? true : null,
  );
  await database.query("DELETE FROM pgboss.job");
  const before = "UPDATE pullwright.tasks SET created_at = now() - interval '14 days 1 hour' WHERE thread_number = $1";
  await database.query(before, [old]);

  await startWorker(world.settings, world.store, openLog(world.settings));
  const tasks = await world.ended(2);
  expect(new Map(tasks.map(({ thread, state }) => [thread.number, state]))).toEqual(
    new Map([
      [young, "succeeded"],
      [old, "failed"],
    ]),
  );
  const said = world.github.comments(REPO).filter(({ issue_url: url }) => url.endsWith(`/${old}`));
  expect(said.map(({ body }) => body)).toEqual([expect.stringContaining("This waited 14 days before I came to it")]);
}, 60_000);
