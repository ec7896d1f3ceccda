/** Runs that have work to push while something happens to their repository. */
import { execa } from "execa";
import { join } from "node:path";
import { expect } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { AT, REPO } from "../github.ts";
import { World } from "../world.ts";
import { describeGitHub } from "./describe-github.ts";
import { readTree } from "./read-tree.ts";

const REPORT = { do: "call", tool: "report", input: { title: "Fix the greeting", summary: "One letter." } } as const;
const EDIT = { do: "edit", path: "greet.sh", old: 'echo "Helo, $1"', new: 'echo "Hello, $1"' } as const;

/** Edits the greeting, and what else is given, then reports. */
export async function openPushing(
  more: Script["conversations"][number]["turns"] = [],
  { withWorker = true }: { readonly withWorker?: boolean } = {},
): Promise<World> {
  const script: Script = {
    conversations: [
      {
        name: "change",
        turns: [{ do: [{ do: "view", path: "greet.sh" }] }, { do: [EDIT] }, ...more, { do: [REPORT] }],
      },
    ],
  };
  const files = await readTree(join(import.meta.dirname, "label-to-pull/repo"));
  return World.open({ wire: "anthropic", script, files, withWorker });
}

/** Lets `act` happen when the work is done and not yet pushed: just then the App asks for its own name, to sign the commit. */
export function beforePush(world: World, act: () => Promise<unknown>): void {
  world.github.before({ path: /\/users\/pullwright/, act });
}

/** Ada asks for a fix of her pull request, whose branch is `side`. Resolves to its number. */
export async function askForFix(world: World): Promise<number> {
  await world.github.commitFiles(REPO, "side", { login: "ada", message: "s", from: "main", files: { "b.txt": "b\n" } });
  const ada = world.as("ada");
  // A draft keeps the automatic review out.
  const { number } = (await ada.pulls.create({ ...AT, title: "Side", head: "side", base: "main", draft: true })).data;
  await ada.issues.createComment({ ...AT, issue_number: number, body: "/agent fix the greeting" });
  return number;
}

/** The one comment of the App. */
export function said(world: World): string {
  const ours = world.github.comments(REPO).filter(({ user }) => user?.login === "pullwright[bot]");
  expect(ours).toHaveLength(1);
  return ours[0]?.body ?? "";
}

export async function askGit(world: World, ...args: string[]): Promise<string> {
  return (await execa("git", args, { cwd: world.github.gitDir(REPO) })).stdout;
}

/** Once more from its recorded end: everything said, and every branch, is as it was. */
export async function expectSameTwice(world: World): Promise<void> {
  const look = async () => ({
    said: await describeGitHub(world.github, REPO, { exact: true }),
    refs: await askGit(world, "for-each-ref", "refs/heads"),
  });
  const before = await look();
  const [task] = await world.ended(1);
  if (!task) throw new Error("there is no task");
  await world.runAgain(task);
  expect(await look()).toEqual(before);
}

/** What `pullwright show` gives for the task's id: the subject and the changed lines of the patch. */
export async function keptPatch(world: World): Promise<string> {
  const [task] = await world.ended(1);
  const env = { PATH: process.env["PATH"] ?? "", ...world.env };
  const id = task?.id.replaceAll("-", "").slice(0, 12) ?? "";
  expect(said(world)).toContain(`pullwright show ${id} --patch`);
  return patchOf(id, env);
}

async function patchOf(id: string, env: Readonly<Record<string, string>>): Promise<string> {
  const bin = join(import.meta.dirname, "../../bin/pullwright");
  return (await execa(bin, ["show", id, "--patch"], { env, extendEnv: false })).stdout;
}
