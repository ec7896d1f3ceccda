import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AT, REPO } from "../github.ts";
import { World } from "../world.ts";
import { readTree } from "./read-tree.ts";
import { describeGitHub } from "./describe-github.ts";

const STORY = join(import.meta.dirname, "label-to-pull");

async function openWorld(): Promise<World> {
  const script = JSON.parse(await readFile(join(STORY, "script.json"), "utf8"));
  return World.open({ wire: "anthropic", script, files: await readTree(join(STORY, "repo")) });
}

test("a command by someone who may only read starts no run, costs nothing and is explained once", async () => {
  await using world = await openWorld();
  const { number } = (
    await world.as("ada").issues.create({ ...AT, title: "Typo in the greeting", body: "It says `Helo`." })
  ).data;
  await world.as("bob").issues.createComment({ ...AT, issue_number: number, body: "/agent implement" });
  const [task] = await world.ended(1);
  expect(task?.state).toBe("ignored");
  expect(world.models.requests).toEqual([]);
  expect(world.github.pulls(REPO)).toEqual([]);
  expect(await describeGitHub(world.github, REPO)).toContain("write");
});

test("our own words and other bots' start nothing, and the deliveries say why", async () => {
  await using world = await openWorld();
  const { number } = (await world.as("ada").issues.create({ ...AT, title: "Typo", body: "x" })).data;
  await world
    .as("ada")
    .issues.createComment({ ...AT, issue_number: number, body: "/agent implement\n<!-- pullwright:x:progress -->" });
  await world.as("ada").issues.createComment({
    ...AT,
    issue_number: number,
    body: "> /agent implement\n\nsee `/agent implement` and /agents",
  });
  await world.github.settled();
  const rows = await world.store.database.query("SELECT event, decision FROM pullwright.deliveries");
  expect(rows.filter(({ decision }) => decision === "start")).toEqual([]);
  expect(rows.filter(({ event }) => event === "issue_comment.created")).toHaveLength(2);
});

test("a redelivery with the same id makes no second task", async () => {
  await using world = await openWorld();
  await world.labelIssue({ title: "Typo in the greeting", body: "It says `Helo`." });
  await world.github.settled();
  const delivery = world.github.deliveries.find(({ event, action }) => event === "issues" && action === "labeled");
  world.github.redeliver(delivery?.id ?? 0);
  await world.github.settled();
  expect(await world.ended(1)).toHaveLength(1);
  expect(
    world.github.deliveries.filter(({ guid }) => guid === delivery?.guid).map(({ statusCode }) => statusCode),
  ).toEqual([200, 200]);
});

test("a database that is down is answered with 5xx, so that GitHub shows the delivery as failed", async () => {
  await using world = await openWorld();
  await world.store.database.query("ALTER TABLE pullwright.deliveries RENAME TO gone");
  await world.as("ada").issues.create({ ...AT, title: "Typo", body: "x" });
  await world.github.settled();
  expect(world.github.deliveries.map(({ statusCode }) => statusCode)).toEqual([500]);
});
