/** People push to the pull request's branch while the agent works on it. */
import { expect, test } from "vitest";
import { REPO } from "../github.ts";
import { askForFix, askGit, beforePush, expectSameTwice, keptPatch, openPushing, said } from "./pushing.ts";

const ada = (message: string, files: Readonly<Record<string, string>>) => ({ login: "ada", message, files });

test("what others pushed meanwhile stays, and the fix is made again on top of it, once", async () => {
  await using world = await openPushing();
  beforePush(world, () => world.github.commitFiles(REPO, "side", ada("Ada goes on", { "c.txt": "c\n" })));
  await askForFix(world);
  expect((await world.ended(1))[0]?.state, await world.describe()).toBe("succeeded");

  const log = ["Fix the greeting", "Ada goes on", "s", "First commit"];
  expect((await askGit(world, "log", "--format=%s", "side")).split("\n")).toEqual(log);
  expect(await askGit(world, "show", "side:greet.sh", "side:c.txt")).toContain('echo "Hello, $1"');
  const head = await askGit(world, "rev-parse", "side");
  expect(said(world)).toContain(`**Done:** ${world.github.url}/${REPO}/commit/${head}`);
  expect(said(world)).toContain("`side` had moved while I was working, so the change was made again on its new head");
  expect(said(world)).toContain(`**Fix the greeting** (${head.slice(0, 10)})`);
  await expectSameTwice(world);
});

test("a fix that conflicts with what others pushed is put beside the branch, named in the comment, and kept", async () => {
  await using world = await openPushing();
  const theirs = { "greet.sh": 'echo "Good day, $1"\n' };
  beforePush(world, () => world.github.commitFiles(REPO, "side", ada("Ada rewords it", theirs)));
  const number = await askForFix(world);
  expect((await world.ended(1))[0]?.state, await world.describe()).toBe("failed");

  expect((await askGit(world, "log", "-1", "--format=%s", "side")).trim()).toBe("Ada rewords it");
  const branch = (await askGit(world, "for-each-ref", "--format=%(refname:short)", "refs/heads/agent/")).trim();
  expect(branch).toMatch(new RegExp(`^agent/${number}-rescue-[0-9a-f]{6}$`));
  expect(await askGit(world, "show", `${branch}:greet.sh`)).toContain('echo "Hello, $1"');
  const commit = await askGit(world, "rev-parse", branch);
  expect(said(world)).toMatch(/^\*\*Failed\.\*\* Moved branch: `side` got other commits .* in `greet\.sh`/);
  expect(said(world)).toContain(`[\`${branch}\`](${world.github.url}/${REPO}/commit/${commit})`);
  expect(said(world)).toContain('-echo "Helo, $1"\n+echo "Hello, $1"');
  expect(await keptPatch(world)).toContain('+echo "Hello, $1"');
  await expectSameTwice(world);
});
