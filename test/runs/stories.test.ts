import { execa } from "execa";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { readTree } from "./read-tree.ts";
import { describeGitHub } from "./describe-github.ts";
import { AT, REPO } from "../github.ts";
import { World, type Wire } from "../world.ts";

const Event = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("label"), title: z.string(), body: z.string() }),
  z.strictObject({
    ...{ kind: z.enum(["command", "pull"]), branch: z.string(), files: z.record(z.string(), z.string()) },
    ...{ title: z.string(), body: z.string(), comment: z.string().optional() },
  }),
]);
type Event = z.infer<typeof Event>;

const ROOT = import.meta.dirname;
const STORIES = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const WIRES: readonly Wire[] = ["anthropic", "openai"];

describe.each(STORIES.map(({ name }) => name))("%s", (story) => {
  test.each(WIRES)("ends as expected over %s's wire, and publishes once when it runs twice", async (wire) => {
    const dir = join(ROOT, story);
    const script = JSON.parse(await readFile(join(dir, "script.json"), "utf8"));
    await using world = await World.open({ wire, script, files: await readTree(join(dir, "repo")) });
    const branch = await play(world, Event.parse(JSON.parse(await readFile(join(dir, "event.json"), "utf8"))));
    const [task] = await world.ended(1);
    expect(task?.state, await world.describe()).toBe("succeeded");

    const said = await describeGitHub(world.github, REPO);
    await expect(said).toMatchFileSnapshot(join(dir, `expected/${wire}.md`));
    const tree = await readTree(join(dir, "expected/tree"));
    for (const [path, text] of Object.entries(tree)) expect(await fileOnBranch(world, branch, path)).toBe(text);

    const before = { said: await describeGitHub(world.github, REPO, { exact: true }), head: await tip(world, branch) };
    if (task) await world.runAgain(task);
    expect({ said: await describeGitHub(world.github, REPO, { exact: true }), head: await tip(world, branch) }).toEqual(
      before,
    );
  });
});

/** What people do on GitHub, through its API. Resolves to the branch that should hold the work. */
async function play(world: World, event: Event): Promise<string> {
  if (event.kind === "label") {
    const number = await world.labelIssue({ title: event.title, body: event.body });
    return `agent/${number}-typo-in-the-greeting`;
  }
  const ada = world.as("ada");
  await world.github.commitFiles(REPO, event.branch, {
    login: "ada",
    message: event.title,
    from: "main",
    files: event.files,
  });
  const draft = event.kind === "command"; // Keeps the automatic review out of a story about a command.
  const made = await ada.pulls.create({
    ...AT,
    title: event.title,
    body: event.body,
    head: event.branch,
    base: "main",
    draft,
  });
  if (event.comment) await ada.issues.createComment({ ...AT, issue_number: made.data.number, body: event.comment });
  return event.branch;
}

async function fileOnBranch(world: World, branch: string, path: string): Promise<string> {
  const { stdout } = await execa("git", ["show", `${branch}:${path}`], {
    cwd: world.github.gitDir(REPO),
    stripFinalNewline: false,
  });
  return stdout;
}

async function tip(world: World, branch: string): Promise<string> {
  return (await execa("git", ["rev-parse", branch], { cwd: world.github.gitDir(REPO) })).stdout;
}
