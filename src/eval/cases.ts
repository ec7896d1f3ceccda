/** A case of an evaluation: a folder with `repo/` (the files), `task.md` (what is asked) and `check` (a command that must pass). */
import { cp, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { UserError } from "../failure.ts";

export type Case = { readonly name: string; readonly dir: string; readonly task: string; readonly check: string };

/** The cases below `dir`, by name. Throws UserError for a folder that is no case. */
export async function readCases(dir: string): Promise<readonly Case[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    throw new UserError(`The folder of cases cannot be read: ${dir}`, { cause: error });
  });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (names.length === 0)
    throw new UserError(`There are no cases in ${dir}: each is a folder with repo/, task.md and check.`);
  return Promise.all(names.toSorted().map((name) => readCase(name, join(dir, name))));
}

/** A fresh checkout of the case's files, with one commit, so that the agent sees a repository. */
export async function openCase({ dir }: Case, into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  await cp(join(dir, "repo"), into, { recursive: true });
  const git = (...args: string[]) => execa("git", ["-c", "core.hooksPath=/dev/null", ...args], { cwd: into });
  await git("init", "--quiet", "--template=", "--initial-branch=main");
  await git("add", "--all");
  await git(
    "-c",
    "user.name=eval",
    "-c",
    "user.email=eval@localhost",
    "commit",
    "--quiet",
    "--allow-empty",
    "-m",
    "Start",
  );
}

async function readCase(name: string, dir: string): Promise<Case> {
  try {
    const [task, check] = await Promise.all(["task.md", "check"].map((file) => readFile(join(dir, file), "utf8")));
    return { name, dir, task: task?.trim() ?? "", check: check?.trim() ?? "" };
  } catch (error) {
    throw new UserError(`${dir} is not a case: it needs repo/, task.md and check.`, { cause: error });
  }
}
