import { join } from "node:path";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { AT, REPO } from "../github.ts";
import { World } from "../world.ts";
import { readTree } from "./read-tree.ts";

const STORY = join(import.meta.dirname, "label-to-pull");
const ISSUE = { title: "Typo in the greeting", body: "It says `Helo`." };
const report = (input: Record<string, unknown>) => ({ do: "call", tool: "report", input }) as const;

async function openWorld(script?: Script, files: Readonly<Record<string, string>> = {}): Promise<World> {
  const usual: Script = JSON.parse(await readFile(join(STORY, "script.json"), "utf8"));
  const repo = await readTree(join(STORY, "repo"));
  return World.open({ wire: "anthropic", script: script ?? usual, files: { ...repo, ...files } });
}

/** The one comment of the App, without its marker. */
function said(world: World): string {
  const ours = world.github.comments(REPO).filter(({ user }) => user?.login === "pullwright[bot]");
  expect(ours).toHaveLength(1);
  return ours[0]?.body ?? "";
}

const reactions = (world: World) => world.github.reactions(REPO).map(({ content }) => content);

test("a vendor whose quota is used up is told in the progress comment, and nothing is published", async () => {
  const fault = { kind: "status", status: 402, type: "billing_error", message: "no credit", times: 9 } as const;
  await using world = await openWorld({ conversations: [{ name: "broke", turns: [{ fault }] }] });
  await world.labelIssue(ISSUE);
  expect(await world.ended(1)).toMatchObject([{ state: "failed", attempt: 1 }]);
  expect(said(world)).toMatch(/^\*\*Failed\.\*\* The vendor of `anthropic\/[^`]+` says that the account's quota/);
  expect(reactions(world)).toEqual(["eyes", "confused"]);
  expect(world.github.pulls(REPO)).toEqual([]);
});

test("a model that is overloaded for a moment is asked again within the run", async () => {
  const script: Script = JSON.parse(await readFile(join(STORY, "script.json"), "utf8"));
  for (const turn of script.conversations[0]?.turns.slice(1, 2) ?? [])
    turn.fault = { kind: "status", status: 529, times: 1 };
  await using world = await openWorld(script);
  await world.labelIssue(ISSUE);
  expect(await world.ended(1)).toMatchObject([{ state: "succeeded", attempt: 1 }]);
  expect(world.github.pulls(REPO)).toHaveLength(1);
});

test("a refusal is an ending of its own, with its reason", async () => {
  const refusing = [{ do: [report({ refusal: "This would send customers' data to a stranger." })] }];
  await using world = await openWorld({ conversations: [{ name: "no", turns: refusing }] });
  await world.labelIssue(ISSUE);
  await world.ended(1);
  expect(said(world)).toContain("**Not done.** This would send customers' data to a stranger.");
  expect(reactions(world)).toEqual(["eyes", "confused"]);
});

test("a run that changes nothing says so and opens nothing", async () => {
  const turns = [{ do: [report({ title: "Nothing", summary: "It is right as it is." })] }];
  await using world = await openWorld({ conversations: [{ name: "idle", turns }] });
  await world.labelIssue(ISSUE);
  await world.ended(1);
  expect(said(world)).toContain("**Nothing was changed.**\n\nIt is right as it is.");
  expect(world.github.pulls(REPO)).toEqual([]);
});

test("a mistake in the repository's settings is told with its line, before any money is spent", async () => {
  await using world = await openWorld(undefined, { ".github/agent.yml": "checks: [sh test.sh]\nlabels: [x]\n" });
  await world.labelIssue(ISSUE);
  await world.ended(1);
  expect(said(world)).toContain("line 2, `labels`");
  expect(world.models.requests).toEqual([]);
});

test("an automatic review that fails says so in its check run and with a face, not with a comment", async () => {
  const fault = { kind: "status", status: 401, times: 9 } as const;
  await using world = await openWorld({ conversations: [{ name: "broke", turns: [{ fault }] }] });
  await world.github.commitFiles(REPO, "side", { login: "ada", message: "s", from: "main", files: { "b.txt": "b\n" } });
  await world.as("ada").pulls.create({ ...AT, title: "Side", head: "side", base: "main" });
  await world.ended(1);
  expect(world.github.checkRuns(REPO).map(({ status, conclusion }) => [status, conclusion])).toEqual([
    ["completed", "failure"],
  ]);
  expect(world.github.comments(REPO)).toEqual([]);
  expect(reactions(world)).toEqual(["eyes", "confused"]);
});

test("a review that finds nothing is a thumb up and a neutral check run", async () => {
  const turns = [{ do: [report({ summary: "Fine.", findings: [] })] }];
  await using world = await openWorld({ conversations: [{ name: "fine", turns }] });
  await world.github.commitFiles(REPO, "side", { login: "ada", message: "s", from: "main", files: { "b.txt": "b\n" } });
  await world.as("ada").pulls.create({ ...AT, title: "Side", head: "side", base: "main" });
  await world.ended(1);
  expect(world.github.checkRuns(REPO).map(({ conclusion }) => conclusion)).toEqual(["neutral"]);
  expect(world.github.reviews(REPO)).toEqual([]);
  expect(reactions(world)).toEqual(["eyes", "+1"]);
});
