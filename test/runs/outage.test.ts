/** The server is away while people ask for things. GitHub tries each delivery once; when we are back, its log tells what we missed. */
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { listDeliveries } from "../../src/store/deliveries.ts";
import { listTasks } from "../../src/store/tasks.ts";
import { AT } from "../github.ts";
import { World } from "../world.ts";

const HOUR_MS = 3_600_000;

/** No worker runs here. */
const silent: Script = { conversations: [{ name: "never", turns: [{ do: [{ do: "shell", command: "true" }] }] }] };
const open = () =>
  World.open({ wire: "anthropic", script: silent, files: { "greet.sh": "echo hi\n" }, withWorker: false });

const deliveries = (world: World) => listDeliveries(world.store.database, { limit: 100 });

/** When a sweep has ended that began after `since` (epoch ms). */
async function swept(world: World, since: number): Promise<void> {
  const ended =
    "SELECT 1 FROM pullwright.sweeps WHERE leased_until = '-infinity' AND swept_to >= to_timestamp($1::float8 / 1000)";
  await world.until(10_000, async () =>
    (await world.store.database.query(ended, [since])).length === 1 ? true : null,
  );
}

/** As if the last sweep had been two hours ago. */
async function setBack(world: World): Promise<void> {
  await swept(world, 0);
  await world.store.database.query("UPDATE pullwright.sweeps SET swept_to = swept_to - interval '2 hours'");
}

test("what was asked while the server was away for two hours is a task once it is back, exactly once", async () => {
  await using world = await open();
  await setBack(world);
  const before = await world.labelIssue({ title: "Heard", body: "x" });
  await world.github.settled();
  await world.goAway();
  const missed = await world.labelIssue({ title: "Missed", body: "x" });
  await world.as("ada").issues.createComment({ ...AT, issue_number: missed, body: "/agent implement" });
  await world.github.settled();
  const failed = world.github.deliveries.filter(({ status }) => status !== "OK");
  expect(failed.map(({ event, statusCode }) => [event, statusCode])).toEqual([
    ["issues", 502],
    ["issues", 502],
    ["issue_comment", 502],
  ]);
  // The outage began 110 minutes ago.
  for (const one of failed) Object.assign(one, { deliveredAt: new Date(Date.now() - 1.8 * HOUR_MS).toISOString() });

  await world.comeBack();
  const threads = async () => (await listTasks(world.store.database, { limit: 9 })).map(({ thread }) => thread.number);
  await world.until(20_000, async () => ((await threads()).length === 3 ? true : null));
  expect(await threads()).toEqual([missed, missed, before]);
  expect(await deliveries(world)).toHaveLength(world.github.deliveries.length);

  // Someone presses "Redeliver" all the same, and the server starts once more.
  for (const { id } of failed) world.github.redeliver(id);
  await world.github.settled();
  await world.goAway();
  const again = Date.now();
  await world.comeBack();
  await swept(world, again);
  expect(await threads()).toEqual([missed, missed, before]);
  const places = await world.store.database.query("SELECT 1 FROM pullwright.places");
  expect(places).toHaveLength(3);
}, 60_000);

test("a server that never ran before takes up nothing of the past", async () => {
  await using world = await open();
  await world.goAway();
  await world.store.database.query("DELETE FROM pullwright.sweeps");
  await world.labelIssue({ title: "Before my time", body: "x" });
  await world.github.settled();
  const started = Date.now();
  await world.comeBack();
  await swept(world, started);
  expect(await deliveries(world)).toEqual([]);
}, 60_000);
