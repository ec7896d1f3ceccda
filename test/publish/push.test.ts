/** Branches that move, break off, refuse: what a push makes of them, and that doing it twice is doing it once. */
import { describe, expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import { perform } from "../../src/publish/perform.ts";
import type { Push } from "../../src/publish/push.ts";
import { PushRefused, type Refusal } from "../../src/publish/refusal.ts";
import { resolveCommit } from "../../src/workspace/mirror.ts";
import { REPO } from "../github.ts";
import { askForge, branches, openScene, type Scene } from "./scene.ts";

const POST = { method: "POST", path: /git-receive-pack$/ };
const RESCUE = (scene: Scene) => `agent/12-rescue-${scene.task.id.slice(0, 6)}`;

/** A fix of `main`, as of a pull request whose branch that is. */
async function fixOf(scene: Scene, files: Readonly<Record<string, string>>): Promise<Push> {
  const expected = await resolveCommit(scene.mirror, "refs/heads/main");
  const commit = await scene.commit(files);
  return { kind: "push", role: "push", commit, to: { kind: "pull-head", branch: "main", expected } };
}

function ownBranch(commit: string, branch = "agent/12-x"): Push {
  return { kind: "push", role: "push", commit, to: { kind: "own-branch", branch } };
}

const ada = (scene: Scene, files: Readonly<Record<string, string | null>>, message = "Ada's") =>
  scene.github.commitFiles(REPO, "main", { login: "ada", message, files });

/** Subjects of `main`, newest first. */
const log = async (scene: Scene, branch = "main") =>
  (await askForge(scene.github, ["log", "--format=%s", branch])).split("\n");

async function refusalOf(scene: Scene, push: Push): Promise<PushRefused> {
  const error: unknown = await perform(scene.desk, push).catch((reason: unknown) => reason);
  if (error instanceof PushRefused) return error;
  throw new Error(`not refused: ${String(error)}`);
}

test("a head that moved gets the change on top of it, once, with its message and author", async () => {
  await using scene = await openScene();
  const fix = await fixOf(scene, { "a.txt": "two\n" });
  const moved = await ada(scene, { "b.txt": "b\n" });
  const published = await perform(scene.desk, fix);
  expect(published.note).toContain("`main` had moved while I was working");
  const format = "--format=%P %s %an <%ae>";
  expect(await askForge(scene.github, ["log", "-1", format, "main"])).toBe(`${moved} Change bot <bot@example.com>`);
  expect(await askForge(scene.github, ["show", "main:a.txt", "main:b.txt"])).toBe("two\nb");
  expect(await perform(scene.desk, fix)).toEqual(published);
  // As after a worker that pushed and was lost before it could say so.
  scene.log.forget("push");
  expect(await perform(scene.desk, fix)).toEqual(published);
  expect(await log(scene)).toEqual(["Change", "Ada's", "First commit"]);
});

test("a change that others built on before its worker was found lost is not made again", async () => {
  await using scene = await openScene();
  const fix = await fixOf(scene, { "a.txt": "two\n" });
  await ada(scene, { "b.txt": "b\n" });
  const published = await perform(scene.desk, fix);
  scene.log.forget("push");
  await ada(scene, { "c.txt": "c\n" }, "Ada's second");
  expect(await perform(scene.desk, fix)).toEqual(published);
  expect(await log(scene)).toEqual(["Ada's second", "Change", "Ada's", "First commit"]);
});

test("a head that moves between the look and the push is looked at again", async () => {
  await using scene = await openScene();
  const fix = await fixOf(scene, { "a.txt": "two\n" });
  scene.github.before({ ...POST, act: () => ada(scene, { "b.txt": "b\n" }) });
  await perform(scene.desk, fix);
  expect(await log(scene)).toEqual(["Change", "Ada's", "First commit"]);
});

test("a head that was rewritten gets the change alone, not the commits that were taken out", async () => {
  await using scene = await openScene();
  await ada(scene, { "secret.txt": "s\n" }, "Taken out");
  await scene.fetch();
  const fix = await fixOf(scene, { "a.txt": "two\n" });
  const root = await askForge(scene.github, ["rev-list", "--max-parents=0", "main"]);
  await askForge(scene.github, ["update-ref", "refs/heads/main", root]);
  await perform(scene.desk, fix);
  expect(await log(scene)).toEqual(["Change", "First commit"]);
  expect(await askForge(scene.github, ["ls-tree", "--name-only", "main"])).toBe("a.txt");
});

test("a change that the head has got by another way is not pushed as an empty commit", async () => {
  await using scene = await openScene();
  const fix = await fixOf(scene, { "a.txt": "two\n" });
  const theirs = await ada(scene, { "a.txt": "two\n" });
  expect((await perform(scene.desk, fix)).url).toContain(theirs);
  expect(await log(scene)).toEqual(["Ada's", "First commit"]);
});

test("a change that conflicts goes onto a branch of ours, once, and the files are named", async () => {
  await using scene = await openScene();
  const fix = await fixOf(scene, { "a.txt": "two\n" });
  const moved = await ada(scene, { "a.txt": "three\n" });
  for (const step of ["first", "again", "lost", "deleted"]) {
    if (step === "lost") scene.log.forget("push-rescue");
    if (step === "deleted") await askForge(scene.github, ["update-ref", "-d", `refs/heads/${RESCUE(scene)}`]);
    const { message, refusal } = await refusalOf(scene, fix);
    expect(refusal).toEqual({ kind: "moved", branch: "main", conflicts: ["a.txt"], isRewritten: false });
    expect(message).toContain(
      `The work is on the branch [\`${RESCUE(scene)}\`](${scene.github.url}/acme/widget/commit/`,
    );
    if (step === "lost") expect(await askForge(scene.github, ["rev-parse", RESCUE(scene)])).toBe(fix.commit);
  }
  // Whoever deleted it has what they wanted of it.
  expect(await branches(scene.github)).toEqual(["main"]);
  expect(await askForge(scene.github, ["rev-parse", "main"])).toBe(moved);
});

test("a change that conflicts with a rewritten head is kept here: its history would bring back what was taken out", async () => {
  await using scene = await openScene();
  await ada(scene, { "secret.txt": "s\n", "a.txt": "s\n" }, "Taken out");
  await scene.fetch();
  const fix = await fixOf(scene, { "a.txt": "two\n" });
  const root = await askForge(scene.github, ["rev-list", "--max-parents=0", "main"]);
  await askForge(scene.github, ["update-ref", "refs/heads/main", root]);
  const refusal = { kind: "moved", branch: "main", conflicts: ["a.txt"], isRewritten: true };
  expect((await refusalOf(scene, fix)).refusal).toEqual(refusal);
  expect(await branches(scene.github)).toEqual(["main"]);
});

test("a head that never stands still is given up, and the work rescued", async () => {
  await using scene = await openScene();
  const fix = await fixOf(scene, { "a.txt": "two\n" });
  for (const name of ["1", "2", "3", "4"]) scene.github.before({ ...POST, act: () => ada(scene, { [name]: "x\n" }) });
  expect((await refusalOf(scene, fix)).refusal).toEqual({ kind: "moving", branch: "main" });
  expect(await log(scene, RESCUE(scene))).toEqual(["Change", "First commit"]);
});

test("a head branch that was deleted is not made again", async () => {
  await using scene = await openScene();
  const fix = await fixOf(scene, { "a.txt": "two\n" });
  await askForge(scene.github, ["update-ref", "-d", "refs/heads/main"]);
  expect((await refusalOf(scene, fix)).refusal).toEqual({ kind: "branch-gone", branch: "main" });
  expect(await branches(scene.github)).toEqual([RESCUE(scene)]);
});

test("what someone pushed on our own branch stays, and our next work goes beside it", async () => {
  await using scene = await openScene();
  const first = await scene.commit({ "a.txt": "two\n" });
  await perform(scene.desk, ownBranch(first));
  const files = { "b.txt": "b\n" };
  const theirs = await scene.github.commitFiles(REPO, "agent/12-x", { login: "ada", message: "Mine", files });
  scene.log.forget("push");
  expect((await perform(scene.desk, ownBranch(first))).ref).toBe("agent/12-x");
  const other = await perform(scene.desk, ownBranch(await scene.commit({ "a.txt": "three\n" })));
  expect(other.ref).toBe(`agent/12-x-${scene.task.id.slice(0, 6)}`);
  expect(await askForge(scene.github, ["rev-parse", "agent/12-x"])).toBe(theirs);
});

test("a branch that was merged and deleted since is not pushed again", async () => {
  await using scene = await openScene();
  const push = ownBranch(await scene.commit({ "a.txt": "two\n" }));
  const published = await perform(scene.desk, push);
  await askForge(scene.github, ["update-ref", "-d", "refs/heads/agent/12-x"]);
  expect(await perform(scene.desk, push)).toEqual(published);
  expect(await branches(scene.github)).toEqual(["main"]);
});

test("a repository that was renamed meanwhile is pushed to under the name of now", async () => {
  await using scene = await openScene();
  const push = ownBranch(await scene.commit({ "a.txt": "two\n" }));
  scene.github.rename(REPO, "gadget");
  const published = await perform(scene.desk, push);
  expect(published.url).toBe(`${scene.github.url}/acme/gadget/commit/${push.commit}`);
  expect(await branches(scene.github)).toEqual(["agent/12-x", "main"]);
});

test("a mirror without files gets those that a moved head needs", async () => {
  const lines = (first: string, last: string) => [first, ..."bcdefgh", last, ""].join("\n");
  await using scene = await openScene({ isBlobless: true, content: { "a.txt": lines("a", "i") } });
  const fix = await fixOf(scene, { "a.txt": lines("a", "I") });
  await ada(scene, { "a.txt": lines("A", "i") });
  await perform(scene.desk, fix);
  expect(await log(scene)).toEqual(["Change", "Ada's", "First commit"]);
  expect(await askForge(scene.github, ["show", "main:a.txt"])).toBe(lines("A", "I").trimEnd());
});

test("a push that breaks off is tried again at once, and later when that does not help", async () => {
  await using scene = await openScene();
  const push = ownBranch(await scene.commit({ "a.txt": "two\n" }));
  scene.github.failNext({ ...POST, status: 503, times: 4 });
  await expect(perform(scene.desk, push)).rejects.toThrow(TransientError);
  scene.github.failNext({ ...POST, status: 403, times: 1 });
  scene.github.failNext({ ...POST, dropConnection: true, times: 1 });
  await perform(scene.desk, push);
  expect(await branches(scene.github)).toEqual(["agent/12-x", "main"]);
});

test("a look at the branch that breaks off is made again at once, and later when that does not help", async () => {
  await using scene = await openScene();
  const push = ownBranch(await scene.commit({ "a.txt": "two\n" }));
  const look = { method: "GET", path: /info\/refs$/ };
  scene.github.failNext({ ...look, status: 502, times: 2 });
  await expect(perform(scene.desk, push)).rejects.toThrow(TransientError);
  scene.github.failNext({ ...look, dropConnection: true, times: 1 });
  await perform(scene.desk, push);
  expect(await branches(scene.github)).toEqual(["agent/12-x", "main"]);
});

/** The hook says that the branch had moved, that all is well, and names a workflow file. */
const LIES = [
  "remote: ! [rejected] x -> x (stale info)",
  "!\trefs/heads/x:refs/heads/x\t[rejected] (non-fast-forward)",
  "refusing to allow a GitHub App to create or update workflow `.github/workflows/x.yml` without `workflows` permission",
  "Everything up-to-date",
].join("\n");

type Case = {
  readonly name: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly refuse: (scene: Scene) => void;
  readonly refusal: Refusal;
};

const WITHOUT_CONTENTS = { metadata: "read", contents: "read", issues: "write", pull_requests: "write" } as const;
const own = { branch: "agent/12-x" };
const cases: readonly Case[] = [
  {
    name: "a protected pattern of branches yet to be made, of which no API tells, though a hook tells stories",
    refuse: ({ github }) => github.protect(REPO, "agent/*", { says: LIES }),
    refusal: { kind: "unknown", ...own },
  },
  {
    name: "a ruleset on new branches",
    refuse: ({ github }) => {
      github.addRule(REPO, "agent/*", "creation");
      github.addRule(REPO, "agent/*", "deletion");
      github.addRule(REPO, "*", "update");
    },
    refusal: { kind: "protected", ...own, isProtected: false, rules: ["creation"] },
  },
  {
    name: "workflow files",
    files: { ".github/workflows/ci.yml": "on: push\n", "a.txt": "two\n" },
    refuse: ({ github }) => github.addRule(REPO, "main", "update"),
    refusal: { kind: "workflows", paths: [".github/workflows/ci.yml"] },
  },
  {
    name: "a permission that was taken away",
    refuse: ({ github }) => github.grant(WITHOUT_CONTENTS),
    refusal: { kind: "permission" },
  },
  { name: "a suspended App", refuse: ({ github }) => github.suspend("acme"), refusal: { kind: "suspended" } },
  { name: "an archived repository", refuse: ({ github }) => github.archive(REPO), refusal: { kind: "read-only" } },
  { name: "a repository that is gone", refuse: ({ github }) => github.remove(REPO), refusal: { kind: "gone" } },
  {
    name: "a reason that nobody tells",
    refuse: ({ github }) => github.refuseSilently(REPO, "agent/*"),
    refusal: { kind: "unknown", ...own },
  },
];

describe("a refused push", () => {
  test.each(cases)("is told as what it is, twice the same: $name", async ({ files, refuse, refusal }) => {
    await using scene = await openScene();
    const push = ownBranch(await scene.commit(files ?? { "a.txt": "two\n" }));
    refuse(scene);
    const first = await refusalOf(scene, push);
    expect(first.refusal).toEqual(refusal);
    expect(first.message).not.toMatch(/stale|up-to-date/);
    expect(await refusalOf(scene, push)).toEqual(first);
  });

  test("takes the token of before for what it is when the door shuts in between", async () => {
    await using scene = await openScene();
    const push = ownBranch(await scene.commit({ "a.txt": "two\n" }));
    scene.github.before({ ...POST, act: async () => scene.github.archive(REPO) });
    expect((await refusalOf(scene, push)).refusal).toEqual({ kind: "read-only" });
  });

  test("tells what it can when it may not even read the branch any more", async () => {
    await using scene = await openScene();
    const fix = await fixOf(scene, { "a.txt": "two\n" });
    scene.github.grant({ metadata: "read", issues: "write" });
    expect((await refusalOf(scene, fix)).refusal).toEqual({ kind: "permission" });
  });

  test("of a pull request's protected branch leaves the work beside it", async () => {
    await using scene = await openScene();
    const fix = await fixOf(scene, { "a.txt": "two\n" });
    scene.github.protect(REPO, "main", { says: LIES });
    scene.github.addRule(REPO, "main", "required_signatures");
    const { refusal, message } = await refusalOf(scene, fix);
    expect(refusal).toEqual({ kind: "protected", branch: "main", isProtected: true, rules: ["required_signatures"] });
    expect(message).toContain("is protected and is under rules (`required_signatures`)");
    expect(await branches(scene.github)).toEqual([RESCUE(scene), "main"]);
  });

  test("is no verdict while GitHub's limits stand in the way", async () => {
    await using scene = await openScene();
    const push = ownBranch(await scene.commit({ "a.txt": "two\n" }));
    const limit = { status: 403, headers: { "retry-after": "120", "x-ratelimit-remaining": "0" } };
    scene.github.failNext({ path: /access_tokens$/, ...limit });
    await expect(perform(scene.desk, push)).rejects.toThrow(TransientError);
    scene.github.protect(REPO, "agent/*");
    scene.github.failNext({ path: /\/rules\/branches\//, ...limit });
    await expect(perform(scene.desk, push)).rejects.toThrow(TransientError);
  });
});
