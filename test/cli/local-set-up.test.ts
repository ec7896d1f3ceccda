/** `pullwright run` in a checkout whose settings file names a set-up: real processes, real git, the stand-in for a vendor. */
import { execa } from "execa";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";
import type { JournalEntry, RecordedEntry } from "../../src/journal.ts";
import { GIT_ENV } from "../workspace/repository.ts";

const BIN = join(import.meta.dirname, "../../bin/pullwright");
const SECRET = "registry-token-0123456789";

const script: Script = {
  conversations: [
    {
      name: "local",
      match: ["look around"],
      turns: [
        { do: [{ do: "shell", command: "cat deps/x; env | grep -c REGISTRY_TOKEN; true" }] },
        { do: [{ do: "call", tool: "report", input: { title: "Nothing", summary: "Nothing to do." } }] },
      ],
    },
  ],
};

async function readEntries(path: string): Promise<readonly JournalEntry[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line): RecordedEntry => JSON.parse(line)).map(({ entry }) => entry);
}

/** A checkout with this settings file, and a run in it that reaches the stand-in and nothing else of the machine. */
async function openLocal(settings: string, script: Script, more: Readonly<Record<string, string>> = {}) {
  await using undo = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-local-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  const work = join(dir, "work");
  await mkdir(join(work, ".github"), { recursive: true });
  await writeFile(join(work, ".github/agent.yml"), settings);
  const git = (...args: string[]) => execa("git", args, { cwd: work, env: GIT_ENV, extendEnv: false });
  await git("init", "--quiet");
  const models = undo.use(await startModels({ script }));
  const env = {
    ...{ PATH: process.env["PATH"] ?? "", HOME: dir, PULLWRIGHT_DATA: join(dir, "data") },
    ...{ ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: models.anthropicBaseUrl },
    ...more,
  };
  /** Looks around; resolves to how the command ended and to the newest journal. */
  const run = async () => {
    const ended = await execa(BIN, ["run", "look around"], { cwd: work, env, extendEnv: false, reject: false });
    const journals = (await readdir(join(dir, "data/local"))).filter((name) => name.endsWith(".jsonl"));
    const [newest = ""] = journals.toSorted().reverse();
    return { ended, entries: await readEntries(join(dir, "data/local", newest)) };
  };
  const kept = undo.move();
  return { work, git, run, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

test("a local run has what its set-up made, runs it once for the same inputs, and gives it no secret", async () => {
  const setup = "mkdir -p deps; env | grep REGISTRY_TOKEN >deps/leak || true; echo made >>deps/x";
  const secret = { PULLWRIGHT_SETUP_ENV: "REGISTRY_TOKEN", REGISTRY_TOKEN: SECRET };
  await using local = await openLocal(`setup: '${setup}'\n`, script, secret);
  const { work, git } = local;
  await writeFile(join(work, ".gitignore"), "deps\n");
  await git("add", "--all");
  await git("commit", "--quiet", "-m", "start");
  const told: unknown[] = [];
  for (const isCached of [false, true]) {
    const { ended, entries } = await local.run();
    expect([ended.exitCode, ended.stderr]).toEqual([0, expect.not.stringContaining("Error")]);
    const setUps = entries.flatMap((entry) => (entry.kind === "set-up-finished" ? [entry.isCached] : []));
    const seen = entries.flatMap((entry) => (entry.kind === "tool-observed" ? [entry.observation.text] : []))[0];
    const brief = entries.flatMap((entry) => (entry.kind === "briefed" ? [entry.brief] : []))[0];
    expect(brief).toContain("# Set-up\n\nThe host ran this in the sandbox before you:");
    told.push({ setUps, seen });
    expect(told.at(-1)).toEqual({ setUps: [isCached], seen: "Exit status 0\nmade\n0\n" });
  }
  expect(await readFile(join(work, "deps/leak"), "utf8")).toBe("");
  expect((await git("status", "--porcelain")).stdout).toBe("");
}, 120_000);

test("a local run's commands reach the hosts of the settings file and no others, and it says so", async () => {
  const ask = "git ls-remote http://named.invalid/x; git ls-remote http://other.invalid/x";
  const report = { do: "call", tool: "report", input: { title: "Nothing", summary: "Nothing." } } as const;
  const turns = [{ do: [{ do: "shell", command: ask } as const] }, { do: [report] }];
  await using local = await openLocal("network: { agent: [named.invalid] }\n", {
    conversations: [{ name: "asks", turns }],
  });
  const { ended, entries } = await local.run();
  expect(ended.exitCode, ended.stderr).toBe(0);
  const decisions = entries.flatMap((entry) =>
    entry.kind === "egress" ? [`${entry.phase} ${entry.host} ${entry.why}`] : [],
  );
  expect(decisions).toEqual([
    expect.stringMatching(/^agent named\.invalid /),
    expect.stringMatching(/^agent other\.invalid .*not/),
  ]);
  const brief = entries.flatMap((entry) => (entry.kind === "briefed" ? [entry.brief] : []))[0];
  expect(brief).toContain("Your commands reach these hosts by http and https, and no others: `named.invalid`.");
});
