/** What `npm run build` makes is the same program, and bin/pullwright takes it only where it is not older than the sources. */
import { randomUUID } from "node:crypto";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";

const HOME = join(import.meta.dirname, "../..");

const SCRIPT: Script = {
  conversations: [
    {
      name: "built",
      match: ["write it down"],
      turns: [
        { do: [{ do: "shell", command: "echo built > note.txt; cat note.txt" }] },
        { do: [{ do: "call", tool: "report", input: { title: "Write it down", summary: "Written." } }] },
      ],
    },
  ],
};

test("what is built does a task in a sandbox, from its prompts and tools to its journal", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pw-build-"));
  const built = join(HOME, "node_modules/.cache", `pullwright-build-${randomUUID()}`);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  undo.defer(() => rm(built, { recursive: true, force: true }));
  const models = undo.use(await startModels({ script: SCRIPT }));
  await mkdir(dirname(built), { recursive: true });
  await execa(process.execPath, [join(HOME, "scripts/build.ts"), built]);
  await execa("git", ["init", "-q", dir]);
  const env = { ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: models.url, PULLWRIGHT_DATA: join(dir, ".git/data") };
  const options = { cwd: dir, env: { ...env, HOME: dir }, reject: false } as const;
  const run = await execa(process.execPath, [join(built, "start.mjs"), "run", "write it down"], options);
  expect(run.exitCode, run.stderr).toBe(0);
  expect(run.stdout).toContain("Written.");
  expect(await readFile(join(dir, "note.txt"), "utf8")).toBe("built\n");
});

/** A home whose two entries say which of them was started. */
async function makeHome(dir: string) {
  for (const folder of ["bin", "src", "dist", "node_modules/.bin"]) await mkdir(join(dir, folder), { recursive: true });
  await copyFile(join(HOME, "bin/pullwright"), join(dir, "bin/pullwright"));
  await chmod(join(dir, "bin/pullwright"), 0o755);
  await symlink(process.execPath, join(dir, "node_modules/.bin/node"));
  const said = { "bin/start.mjs": "the sources", "dist/start.mjs": "what was built" };
  for (const [path, text] of Object.entries(said)) await writeFile(join(dir, path), `console.log("${text}")`);
  for (const path of ["src/a.ts", "package-lock.json"]) await writeFile(join(dir, path), "");
  const age = async (path: string, seconds: number) => {
    const at = Date.now() / 1000 - seconds;
    await utimes(join(dir, path), at, at);
  };
  for (const path of ["src", "src/a.ts", "bin", "bin/pullwright", "bin/start.mjs", "package-lock.json"])
    await age(path, 60);
  return { age, start: async () => (await execa(join(dir, "bin/pullwright"))).stdout };
}

test("a checkout starts what was built until a source is newer; an image always does", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pw-home-"));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  const home = await makeHome(dir);
  await mkdir(join(dir, ".git"));
  expect(await home.start()).toBe("what was built");
  await home.age("src/a.ts", -60);
  expect(await home.start()).toBe("the sources");
  await rm(join(dir, ".git"), { recursive: true });
  expect(await home.start()).toBe("what was built");
  await rm(join(dir, "dist"), { recursive: true });
  expect(await home.start()).toBe("the sources");
});
