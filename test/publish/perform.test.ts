import { execa } from "execa";
import { expect, test } from "vitest";
import type { Publication } from "../../src/publication.ts";
import { perform } from "../../src/publish/perform.ts";
import type { Task } from "../../src/task.ts";
import { actAs, AT, REPO } from "../github.ts";
import { voice } from "./builders.ts";
import { branches, openScene, type Scene } from "./scene.ts";

const push = (commit: string, branch = "agent/12-x"): Publication => ({
  kind: "push",
  role: "push",
  commit,
  to: { kind: "own-branch", branch },
});
const pull: Publication = {
  ...{ kind: "pull", role: "pull", headRole: "push", base: "main", draft: false },
  ...{ title: voice.sayTitle("Title"), body: voice.say("Body") },
};
const comment = (task: Task, body: string): Publication => ({
  ...{ kind: "comment", role: "progress", place: { kind: "conversation", thread: task.thread }, body: voice.say(body) },
});

async function openIssue(scene: Scene): Promise<void> {
  const ada = actAs(scene.github, "ada");
  // The builder's thread is number 12.
  for (let i = 0; i < 12; i++) await ada.issues.create({ ...AT, title: `Issue ${i + 1}` });
}

test("a branch and its pull request are made once, and updated when the same task publishes other work", async () => {
  await using scene = await openScene();
  for (const text of ["two\n", "two\n", "three\n"]) {
    await perform(scene.desk, push(await scene.commit({ "a.txt": text })));
    await perform(scene.desk, pull);
  }
  expect(await branches(scene.github)).toEqual(["agent/12-x", "main"]);
  expect(scene.github.pulls(REPO)).toHaveLength(1);
});

test("what a lost worker did without recording it is found on the forge and not done again", async () => {
  await using scene = await openScene();
  await openIssue(scene);
  const commit = await scene.commit({ "a.txt": "two\n" });
  for (let attempt = 0; attempt < 2; attempt++) {
    await perform(scene.desk, push(commit));
    await perform(scene.desk, pull);
    await perform(scene.desk, comment(scene.task, `attempt ${attempt}`));
    for (const role of ["push", "progress"]) scene.log.forget(role);
    if (attempt === 0) await perform(scene.desk, push(commit));
    scene.log.forget("pull");
  }
  expect(scene.github.pulls(REPO)).toHaveLength(1);
  expect(scene.github.comments(REPO).map(({ body }) => body?.split("\n")[0])).toEqual(["attempt 1"]);
});

test("a branch of that name that someone else made is left alone", async () => {
  await using scene = await openScene();
  const theirs = await scene.github.commitFiles(REPO, "agent/12-x", {
    login: "ada",
    message: "mine",
    from: "main",
    files: { b: "b\n" },
  });
  const published = await perform(scene.desk, push(await scene.commit({ "a.txt": "two\n" })));
  expect(published.ref).toBe(`agent/12-x-${scene.task.id.slice(0, 6)}`);
  const { stdout } = await execa("git", ["rev-parse", "agent/12-x"], { cwd: scene.github.gitDir(REPO) });
  expect(stdout).toBe(theirs);
});

test("a push whose answer was lost is found to have arrived", async () => {
  await using scene = await openScene();
  const commit = await scene.commit({ "a.txt": "two\n" });
  scene.github.failNext({ method: "POST", path: /git-receive-pack/, when: "after" });
  const published = await perform(scene.desk, push(commit));
  expect(published.url).toBe(`${scene.github.url}/acme/widget/commit/${commit}`);
  expect(await branches(scene.github)).toContain("agent/12-x");
});

test("an attempt that another one has overtaken writes nothing", async () => {
  await using scene = await openScene();
  const late = { ...scene.desk, assertCurrent: () => Promise.reject(new Error("superseded")) };
  const before = scene.github.requests.length;
  await expect(perform(late, push(await scene.commit({ "a.txt": "two\n" })))).rejects.toThrow("superseded");
  expect(scene.github.requests.slice(before)).toEqual([]);
});
