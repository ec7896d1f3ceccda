import { execa } from "execa";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";
import { openTestDatabase } from "../database.ts";
import { openGitHub } from "../github.ts";
import { GIT_ENV } from "../workspace/repository.ts";

const BIN = join(import.meta.dirname, "../../bin/pullwright");

type Call = { readonly input?: string; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string };
type Ended = { readonly exitCode: number | undefined; readonly stdout: string; readonly stderr: string };

/** A folder for one test, with `work` to work in and an environment that reaches nothing of the machine's. */
async function openScratch() {
  const dir = await mkdtemp(join(tmpdir(), "pw-cli-"));
  const work = join(dir, "work");
  await mkdir(work);
  const env = { PATH: process.env["PATH"] ?? "", HOME: dir, PULLWRIGHT_DATA: join(dir, "data") };
  const pullwright = async (args: readonly string[], over: Call = {}): Promise<Ended> => {
    const { exitCode, stdout, stderr } = await execa(BIN, [...args], {
      ...{ cwd: over.cwd ?? work, env: { ...env, ...over.env }, extendEnv: false, reject: false },
      ...{ stripFinalNewline: false, input: over.input ?? "" },
    });
    return { exitCode, stdout, stderr };
  };
  return { dir, work, pullwright, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

test("sandbox passes standard output, standard error and the exit status through", async () => {
  await using scratch = await openScratch();
  const result = await scratch.pullwright([
    "sandbox",
    "--workspace",
    ".",
    "--",
    "sh",
    "-c",
    "echo out; echo err >&2; touch made; exit 7",
  ]);
  expect([result.exitCode, result.stdout, result.stderr]).toEqual([7, "out\n", "err\n"]);
  expect(await readFile(join(scratch.work, "made"), "utf8")).toBe("");
});

test("sandbox stops a command at its time limit", async () => {
  await using scratch = await openScratch();
  const result = await scratch.pullwright(["sandbox", "--workspace", ".", "--timeout", "0.5", "--", "sleep", "60"]);
  expect(result.exitCode).toBe(124);
  expect(result.stderr).toContain("stopped after 0.5 s");
});

test("tool runs one tool as the agent would, and says by its exit status whether the call was good", async () => {
  await using scratch = await openScratch();
  await writeFile(join(scratch.work, "a.txt"), "one\ntwo\n");
  const shell = await scratch.pullwright(["tool", "shell", "--workspace", "."], {
    input: '{"command":"cat a.txt; exit 3"}',
  });
  expect(shell.exitCode).toBe(0);
  expect(shell.stdout).toContain("one\ntwo");
  const patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n-two\n+three\n*** End Patch\n";
  expect((await scratch.pullwright(["tool", "apply_patch", "--workspace", "."], { input: patch })).exitCode).toBe(0);
  expect(await readFile(join(scratch.work, "a.txt"), "utf8")).toBe("one\nthree\n");
  const wrong = await scratch.pullwright(["tool", "shell", "--workspace", "."], { input: '{"cmd":"ls"}' });
  expect(wrong.exitCode).toBe(1);
  expect(wrong.stdout).toContain("command");
  expect((await scratch.pullwright(["tool", "nosuch", "--workspace", "."], { input: "{}" })).exitCode).toBe(1);
});

const SCRIPT: Script = {
  conversations: [
    {
      name: "local",
      match: ["say hello", "Run `sh test.sh`"],
      turns: [
        {
          do: [
            { do: "view", path: "greet.sh" },
            { do: "shell", command: "touch .git/hooks/pre-commit; git status --short" },
          ],
        },
        { do: [{ do: "edit", path: "greet.sh", old: "echo helo", new: "echo hello" }] },
        { do: [{ do: "call", tool: "report", input: { title: "Say hello", summary: "One letter." } }] },
      ],
    },
  ],
};

test("run edits the checkout, leaves .git alone, prints its journal as JSON lines and keeps it in a file", async () => {
  await using scratch = await openScratch();
  await using models = await startModels({ script: SCRIPT });
  const git = (...args: string[]) => execa("git", args, { cwd: scratch.work, env: GIT_ENV, extendEnv: false });
  await writeFile(join(scratch.work, "greet.sh"), "echo helo\n");
  await writeFile(join(scratch.work, "AGENTS.md"), "Run `sh test.sh`.\n");
  await git("init", "--quiet");
  await git("add", "--all");
  await git("commit", "--quiet", "-m", "start");
  await mkdir(join(scratch.work, "below"));
  const env = { ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: models.anthropicBaseUrl };
  const result = await scratch.pullwright(["run", "--json", "say hello"], { env, cwd: join(scratch.work, "below") });
  expect(result.exitCode, result.stderr).toBe(0);
  const entries = result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => i + 1));
  expect(entries.at(-1).entry.outcome).toMatchObject({
    kind: "changed",
    title: "Say hello",
    files: [{ path: "greet.sh", linesAdded: 1 }],
  });
  expect((await git("status", "--porcelain")).stdout.trim()).toBe("M greet.sh");
  expect(await readFile(join(scratch.work, "greet.sh"), "utf8")).toBe("echo hello\n");
  await expect(readFile(join(scratch.work, ".git/hooks/pre-commit"))).rejects.toThrow("ENOENT");
  const people = await scratch.pullwright(["run", "say hello"], { env });
  expect(people.stdout).toContain("journal: ");
});

test("a run whose sandbox does not isolate ends with the remedy, without waiting for the model that was asked meanwhile", async () => {
  await using scratch = await openScratch();
  const turns = [{ delayMs: 50_000, do: [{ do: "shell", command: "true" } as const] }];
  await using models = await startModels({ script: { conversations: [{ name: "slow", turns }] } });
  await execa("git", ["init", "--quiet"], { cwd: scratch.work, env: GIT_ENV, extendEnv: false });
  const env = { ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: models.anthropicBaseUrl };
  const { exitCode, stdout, stderr } = await scratch.pullwright(["run", "--json", "say hello"], {
    env: { ...env, PULLWRIGHT_SANDBOX_TOOLS: "/no/such" },
  });
  expect(exitCode).toBe(64);
  expect(stderr).toContain("The sandbox tool /no/such does not exist. Correct PULLWRIGHT_SANDBOX_TOOLS.");
  expect(stdout).not.toContain("tool-called");
});

test.each([true, false])(
  "a run that only makes files says so, in a checkout that has a commit: %s",
  async (hasCommit) => {
    await using scratch = await openScratch();
    const make = { do: "create", path: "new.txt", text: "one\ntwo\n" } as const;
    const report = { do: "call", tool: "report", input: { title: "Make a file", summary: "Made." } } as const;
    const conversations = [{ name: "local", turns: [{ do: [make] }, { do: [report] }] }];
    await using models = await startModels({ script: { conversations } });
    const git = (...args: string[]) => execa("git", args, { cwd: scratch.work, env: GIT_ENV, extendEnv: false });
    await git("init", "--quiet");
    if (hasCommit) await git("commit", "--quiet", "--allow-empty", "-m", "start");
    const env = { ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: models.anthropicBaseUrl };
    const { stdout, stderr } = await scratch.pullwright(["run", "--json", "make a file"], { env });
    const last = stdout.trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(last).entry.outcome, stderr).toMatchObject({
      kind: "changed",
      files: [{ path: "new.txt", linesAdded: 2 }],
    });
  },
);

test("run without a key says which variable is missing, and outside a checkout that it needs one", async () => {
  await using scratch = await openScratch();
  expect(await scratch.pullwright(["run", "x"])).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining("git checkout"),
  });
  await mkdir(join(scratch.work, ".git"));
  expect(await scratch.pullwright(["run", "x"])).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining("ANTHROPIC_API_KEY"),
  });
});

test("tasks and deliveries say that there is nothing yet, and show that there is no such run", async () => {
  await using scratch = await openScratch();
  await using database = await openTestDatabase();
  const env = { DATABASE_URL: database.url };
  expect((await scratch.pullwright(["tasks"], { env })).stdout).toContain("No task was asked for yet");
  expect((await scratch.pullwright(["deliveries"], { env })).stdout).toContain("GitHub delivered nothing yet");
  expect(await scratch.pullwright(["show", "abc"], { env })).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining("no run"),
  });
});

test("a database that is away is one line and status 75, to try again later", async () => {
  await using scratch = await openScratch();
  const env = { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" };
  const result = await scratch.pullwright(["tasks"], { env });
  expect([result.exitCode, result.stderr.trim().split("\n").length]).toEqual([75, 1]);
  expect(result.stderr).toContain("The database is away or busy");
});

test("doctor names what is missing and how to mend it", async () => {
  await using scratch = await openScratch();
  await using database = await openTestDatabase();
  const result = await scratch.pullwright(["doctor"], { env: { DATABASE_URL: database.url } });
  expect(result.exitCode).toBe(1);
  expect(result.stdout).toMatch(/ok +database: postgresql 18/);
  expect(result.stdout).toMatch(/ok +sandbox: browser: (Chrom|none, so the agent cannot look at pages)/);
  expect(result.stdout).toContain(
    "BROKEN   models: none can be asked\n         No model can be asked: set ANTHROPIC_API_KEY",
  );
  expect(result.stdout).toMatch(/BROKEN +GitHub: .*WEBHOOK_SECRET/);
});

test("doctor finds an App with app.yml's permissions and events in order", async () => {
  await using scratch = await openScratch();
  await using database = await openTestDatabase();
  await using github = await openGitHub({ "a.txt": "a" });
  const app = {
    APP_ID: String(github.appId),
    PRIVATE_KEY: github.privateKey,
    WEBHOOK_SECRET: "s",
    GITHUB_API_URL: github.apiUrl,
  };
  const result = await scratch.pullwright(["doctor"], {
    env: { ...app, DATABASE_URL: database.url, OPENAI_API_KEY: "sk-x" },
  });
  // An ordinary user may be warned of a missing limit.
  expect([result.exitCode, result.stdout.match(/^BROKEN.+$/gm)]).toEqual([0, null]);
  expect(result.stdout).toContain("GitHub permissions: contents: write");
});

test.each([["serve"], ["worker"]])("%s refuses to start without a webhook secret", async (command) => {
  await using scratch = await openScratch();
  const result = await scratch.pullwright([command], { env: { APP_ID: "1", PRIVATE_KEY: "x" } });
  expect([result.exitCode, result.stderr]).toEqual([64, expect.stringContaining("WEBHOOK_SECRET")]);
});

test("a wrong call is answered with the usage and status 64", async () => {
  await using scratch = await openScratch();
  expect(await scratch.pullwright(["fly"])).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining('no command "fly"'),
  });
  expect(await scratch.pullwright(["tasks", "--limit", "many"])).toMatchObject({ exitCode: 64 });
  expect(await scratch.pullwright(["--help"])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining("deliveries"),
  });
});
