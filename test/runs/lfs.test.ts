/** A repository that keeps files by Git LFS, and asks for them: the agent reads and changes them as they are. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { lfsFile } from "../../sim/github/lfs-http.ts";
import type { Script } from "../../sim/models/models.ts";
import { readTaskJournal } from "../../src/store/journal.ts";
import { REPO } from "../github.ts";
import { LFS_RULE, oidOf, pointerTo, putObject } from "../lfs.ts";
import { World } from "../world.ts";
import { askGit } from "./pushing.ts";

const SOUND = "quiet\n";
const FILES = {
  ...{ ".gitattributes": LFS_RULE, ".github/agent.yml": "checkout: { lfs: true }\n" },
  ...{ "sound.bin": pointerTo(SOUND), "gone.bin": pointerTo("gone\n"), "README.md": "# Sound\n" },
};
const REPORT = { do: "call", tool: "report", input: { title: "Make it loud", summary: "Louder." } } as const;
const script: Script = {
  conversations: [
    {
      name: "change",
      turns: [
        { do: [{ do: "shell", command: "cat sound.bin; git status --short; printf 'loud\\n' >sound.bin" }] },
        { do: [REPORT] },
      ],
    },
  ],
};

test("the agent has the files, what it changes goes back to Git LFS, and what is missing is named", async () => {
  await using world = await World.open({ wire: "anthropic", script, files: FILES });
  await putObject(world.github, SOUND);
  await world.labelIssue({ title: "Too quiet", body: "Make it loud." });
  const [task] = await world.ended(1);
  if (task?.state !== "succeeded") throw new Error(await world.describe());
  const [pull] = world.github.pulls(REPO);
  expect(await askGit(world, "show", `${pull?.head.sha}:sound.bin`)).toBe(pointerTo("loud\n").trim());
  expect(await askGit(world, "diff", "--name-only", "main", `${pull?.head.sha}`)).toBe("sound.bin");
  expect(await readFile(lfsFile({ gitDir: world.github.gitDir(REPO) }, oidOf("loud\n")), "utf8")).toBe("loud\n");
  const entries = (await readTaskJournal(world.store.database, task.id)).map(({ entry }) => entry);
  const observed = entries.flatMap((entry) => (entry.kind === "tool-observed" ? [entry.observation.text] : []));
  expect(observed[0]).toBe("Exit status 0\nquiet\n");
  const briefs = entries.flatMap((entry) => (entry.kind === "briefed" ? [entry.brief] : []));
  expect(briefs[0]).toContain("Git LFS did not give `gone.bin`");
  expect(briefs[0]).not.toContain("`sound.bin`");
});
