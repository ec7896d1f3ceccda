/** The server is away while people ask for things. GitHub tries each delivery once; when we are back, its log tells what we missed. */
import { execa } from "execa";
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { listDeliveries } from "../../src/store/deliveries.ts";
import { listTasks } from "../../src/store/tasks.ts";
import { AT, REPO } from "../github.ts";
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

const end = (input: Record<string, unknown>) => ({ do: [{ do: "call", tool: "report", input } as const] });
const write = (command: string) => ({ do: [{ do: "shell", command } as const] });
const finding = {
  path: "more.sh",
  start_line: 1,
  end_line: 1,
  severity: "P2",
  title: "Why",
  body: "Nobody asked for it.",
};

const working: Script = {
  conversations: [
    {
      name: "fix",
      match: "adds:\n\nSay it louder.",
      turns: [write("echo LOUD >> loud.sh"), end({ title: "Louder", summary: "Louder." })],
    },
    {
      name: "issue",
      match: "Solve issue",
      turns: [write("echo new >> new.sh"), end({ title: "New", summary: "New." })],
    },
    { name: "review", match: "Review pull request", turns: [end({ summary: "Read it.", findings: [finding] })] },
  ],
};

async function openPull(world: World, head: string, draft: boolean): Promise<number> {
  const files = { "more.sh": `echo ${head}\n` };
  await world.github.commitFiles(REPO, head, { login: "ada", message: "More", files, from: "main" });
  return (await world.as("ada").pulls.create({ ...AT, title: head, head, base: "main", draft })).data.number;
}

/** What stands on the forge of ours, but for the progress of the tasks. */
async function results(world: World) {
  const ofBot = ({ user }: { user: { type: string } | null }) => user?.type === "Bot";
  const fixes = await execa("git", ["log", "--format=%s", "main..topic"], { cwd: world.github.gitDir(REPO) });
  return {
    pulls: world.github
      .pulls(REPO)
      .filter(ofBot)
      .map(({ title }) => title),
    commits: fixes.stdout.split("\n"),
    reviews: world.github
      .pulls(REPO)
      .flatMap(({ number }) => world.github.reviews(REPO, number))
      .filter(ofBot).length,
    comments: world.github.comments(REPO).filter(ofBot).length,
    checks: world.github.checkRuns(REPO).map(({ conclusion }) => conclusion),
  };
}

test("an issue, a command and a pull request of the outage are worked on once, however often they are delivered again", async () => {
  await using world = await World.open({ wire: "anthropic", script: working, files: { "greet.sh": "echo hi\n" } });
  await setBack(world);
  const draft = await openPull(world, "topic", true);
  await world.github.settled();
  await world.goAway();
  await world.labelIssue({ title: "Missed", body: "x" });
  await world.as("ada").issues.createComment({ ...AT, issue_number: draft, body: "/agent fix Say it louder." });
  await openPull(world, "other", false);
  await world.github.settled();
  const failed = world.github.deliveries.filter(({ status }) => status !== "OK");
  for (const one of failed) Object.assign(one, { deliveredAt: new Date(Date.now() - 1.8 * HOUR_MS).toISOString() });
  expect(failed.map(({ event }) => event)).toEqual(expect.arrayContaining(["issues", "issue_comment", "pull_request"]));

  await world.comeBack();
  const ends = await world.ended(3, 60_000);
  expect(ends.map(({ goal, state }) => `${goal} ${state}`).toSorted()).toEqual([
    "fix succeeded",
    "implement succeeded",
    "review succeeded",
  ]);
  const once = { pulls: ["New"], commits: ["Louder", "More"], reviews: 1, comments: 2, checks: ["neutral"] };
  expect(await results(world)).toEqual(once);

  // Someone presses "Redeliver", twice, and everything that was missed comes two times more, at once.
  for (const { id } of [...failed, ...failed]) world.github.redeliver(id);
  await world.github.settled();
  await world.goAway();
  const again = Date.now();
  await world.comeBack();
  await swept(world, again);
  expect(await world.ended(3)).toHaveLength(3);
  expect(await results(world)).toEqual(once);
}, 120_000);

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
