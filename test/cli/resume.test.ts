/** Real processes: a run is killed with SIGKILL, as by a machine that goes down, and another process goes on. */
import { execa } from "execa";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startModels, type Models, type RecordedRequest, type Script } from "../../sim/models/models.ts";
import type { JournalEntry, RecordedEntry } from "../../src/journal.ts";
import { GIT_ENV } from "../workspace/repository.ts";

const BIN = join(import.meta.dirname, "../../bin/pullwright");

/** Of a provider that takes no part, in no form that one would know it by. */
const OTHER_KEY = "plain-words-of-another-provider";

/** The reply begins and never ends, the first time. */
const stalls = { fault: { kind: "stall" } } as const;

type Turns = Script["conversations"][number]["turns"];
const shell = (command: string) => ({ do: "shell", command }) as const;
const report = { do: "call", tool: "report", input: { title: "Say hello", summary: "One letter." } } as const;

/** A checkout with a check that fails until the greeting is right, and the stand-in for a vendor. */
async function openScratch(turns: Turns, others: Script["conversations"] = []) {
  const stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-resume-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const work = join(dir, "work");
  await mkdir(join(work, ".github"), { recursive: true });
  await writeFile(join(work, "greet.sh"), "echo helo\n");
  await writeFile(join(work, ".github/agent.yml"), "checks: [grep -q hello greet.sh]\n");
  await execa("git", ["init", "--quiet"], { cwd: work, env: GIT_ENV, extendEnv: false });
  await execa("git", ["add", "--all"], { cwd: work, env: GIT_ENV, extendEnv: false });
  await execa("git", ["commit", "--quiet", "-m", "start"], { cwd: work, env: GIT_ENV, extendEnv: false });
  const conversations = [...others, { name: "local", match: "say hello", turns }];
  const models = stack.use(await startModels({ script: { conversations } }));
  const env = {
    ...{ PATH: process.env["PATH"] ?? "", HOME: dir, PULLWRIGHT_DATA: join(dir, "data") },
    ...{ ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: models.anthropicBaseUrl },
    ...{ PULLWRIGHT_COMPATIBLE_URL: models.compatibleBaseUrl, PULLWRIGHT_COMPATIBLE_KEY: OTHER_KEY },
  };
  const pullwright = (args: readonly string[], cwd = work) =>
    execa(BIN, [...args], { cwd, env, extendEnv: false, reject: false, timeout: 50_000 });
  /** Begins a run; the caller kills it. */
  const begin = (...options: string[]): ChildProcess => {
    const child = spawn(BIN, ["run", ...options, "say hello"], { cwd: work, env, stdio: "ignore" });
    stack.defer(() => void child.kill("SIGKILL"));
    return child;
  };
  const runs = join(dir, "data", "local");
  const journals = async () => (await readdir(runs).catch(() => [])).filter((name) => name.endsWith(".jsonl"));
  return { dir, work, runs, models, pullwright, begin, journals, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function readEntries(path: string): Promise<readonly JournalEntry[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  const recorded = lines.map((line): RecordedEntry => JSON.parse(line));
  expect(recorded.map(({ seq }) => seq)).toEqual(recorded.map((_, i) => i + 1));
  return recorded.map(({ entry }) => entry);
}

/** The first message, without the marks for the vendor's prompt cache, which move. */
function readBrief({ body }: RecordedRequest): string {
  return JSON.stringify(Object(body).messages[0]).replaceAll(/,"cache_control":\{[^}]*\}/g, "");
}

/** How many of the model's own messages each request held: the turn it asked for, from 0. */
function askedTurns({ requests }: Models): readonly number[] {
  return requests.map(({ body }) => {
    const { messages } = Object(body);
    return messages.filter(({ role }: { readonly role: string }) => role === "assistant").length;
  });
}

/** Resolves when the newest journal of the scratch holds this text. */
async function written(scratch: { runs: string; journals: () => Promise<readonly string[]> }, text: string) {
  const read = async () => {
    const [name] = (await scratch.journals()).toSorted().toReversed();
    return name === undefined ? "" : readFile(join(scratch.runs, name), "utf8");
  };
  await expect.poll(read, { timeout: 30_000, interval: 50 }).toContain(text);
}

test("a run killed in the middle of a command goes on with the next turn; nothing is paid or done twice", async () => {
  await using scratch = await openScratch([
    { do: [shell("echo one >> log.txt")] },
    { do: [shell("echo two >> log.txt; sleep 600")] },
    { do: [shell("echo three >> log.txt"), { do: "view", path: "greet.sh" }] },
    { do: [{ do: "edit", path: "greet.sh", old: "echo helo", new: "echo hello" }] },
    { do: [report] },
  ]);
  const { work, models } = scratch;
  const child = scratch.begin();
  await expect
    .poll(() => readFile(join(work, "log.txt"), "utf8").catch(() => ""), { timeout: 30_000 })
    .toContain("two");
  await kill(child);
  expect(askedTurns(models)).toEqual([0, 1]);
  // What the agent has done to these files by now must not change what it was told at the start.
  await writeFile(join(work, "AGENTS.md"), "Say goodbye.\n");
  const ended = await scratch.pullwright(["resume", "--json"]);
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(ended.stderr).toMatch(/resuming run 2\S+ after \d+ journal entries$/m);
  expect(askedTurns(models)).toEqual([0, 1, 2, 3, 4]);
  expect(new Set(models.requests.map(readBrief)).size).toBe(1);
  expect(JSON.stringify(models.requests[2]?.body)).not.toContain("goodbye");
  expect(JSON.stringify(models.requests[2]?.body)).toContain("Its effect is unknown");

  expect(await readFile(join(work, "log.txt"), "utf8")).toBe("one\ntwo\nthree\n");
  expect(await readFile(join(work, "greet.sh"), "utf8")).toBe("echo hello\n");
  const [name = ""] = await scratch.journals();
  const entries = await readEntries(join(scratch.runs, name));
  expect(entries.filter(({ kind }) => kind === "started")).toMatchObject([
    { attempt: 1, title: "say hello", local: { root: work, wantsOpinion: false } },
    { attempt: 2, title: "say hello" },
  ]);
  expect(entries.at(-1)).toMatchObject({
    kind: "finished",
    outcome: {
      ...{ kind: "changed", title: "Say hello", spend: { turns: 5 } },
      checks: [{ before: { exitCode: 1 }, after: { exitCode: 0 } }],
    },
  });
  const numbers = ended.stdout.split("\n").map((line) => JSON.parse(line).seq);
  expect(numbers).toEqual(numbers.map((_, i) => entries.length - numbers.length + 1 + i));
  expect(await readdir(scratch.runs)).toEqual([name]);
});

test("a run killed while a reply is on its way asks for that one again, and a torn last line is cut off and said", async () => {
  await using scratch = await openScratch([
    { do: [shell("sed -i s/helo/hello/ greet.sh; cat leaked.txt")] },
    { do: [shell("cat greet.sh")], ...stalls },
    { do: [report] },
  ]);
  await writeFile(join(scratch.work, "leaked.txt"), OTHER_KEY);
  const child = scratch.begin();
  await expect.poll(() => scratch.models.requests.length, { timeout: 30_000 }).toBe(2);
  await kill(child);
  const [name = ""] = await scratch.journals();
  const path = join(scratch.runs, name);
  await appendFile(path, '{"seq":9,"at":17,"entry":{"kind":"model-rep');
  const ended = await scratch.pullwright(["resume", name.slice(0, 20)]);
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(ended.stderr).toContain("the last line was torn (43 bytes) and is cut off");
  expect(askedTurns(scratch.models)).toEqual([0, 1, 1, 2]);
  const replies = (await readEntries(path)).filter(({ kind }) => kind === "model-replied");
  expect(replies).toHaveLength(3);
  expect(await readFile(join(scratch.work, "greet.sh"), "utf8")).toBe("echo hello\n");

  const journal = await readFile(path, "utf8");
  expect([journal.includes(OTHER_KEY), journal.includes("[redacted]")]).toEqual([false, true]);

  const again = await scratch.pullwright(["resume", path]);
  expect([again.exitCode, again.stderr]).toEqual([64, expect.stringContaining("has ended (changed)")]);
  expect(scratch.models.requests).toHaveLength(4);
});

test("a run lost before its first reply is briefed as it was, and one lost twice goes on from the second", async () => {
  await using scratch = await openScratch([
    { do: [shell("echo one >> log.txt")], ...stalls },
    { do: [shell("echo two >> log.txt")], ...stalls },
    { do: [report] },
  ]);
  const { models, work } = scratch;
  const asked = (count: number) => expect.poll(() => models.requests.length, { timeout: 30_000 }).toBe(count);
  const first = scratch.begin();
  await asked(1);
  await kill(first);
  const env = { PATH: process.env["PATH"] ?? "", HOME: scratch.dir, PULLWRIGHT_DATA: join(scratch.dir, "data") };
  const keys = { ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: models.anthropicBaseUrl };
  const second = spawn(BIN, ["resume"], { cwd: work, env: { ...env, ...keys }, stdio: "ignore" });
  await asked(3);
  await kill(second);
  const ended = await scratch.pullwright(["resume"]);
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(askedTurns(models)).toEqual([0, 0, 1, 1, 2]);
  expect(await readFile(join(work, "log.txt"), "utf8")).toBe("one\ntwo\n");
});

test("a run killed while its change is looked at keeps the author's work and asks the reviewer again", async () => {
  const approves = { do: "call", tool: "report", input: { summary: "Right as it is.", findings: [] } } as const;
  const reviewer = { name: "reviewer", match: "# The change to review", turns: [{ do: [approves], ...stalls }] };
  const author: Turns = [{ do: [shell("sed -i s/helo/hello/ greet.sh")] }, { do: [report] }];
  await using scratch = await openScratch(author, [reviewer]);
  const { models } = scratch;
  const child = scratch.begin("--review");
  await expect.poll(() => models.requests.length, { timeout: 30_000 }).toBe(3);
  await kill(child);
  const ended = await scratch.pullwright(["resume"]);
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(models.requests.map(({ conversation }) => conversation)).toEqual(["local", "local", "reviewer", "reviewer"]);
  const [name = ""] = await scratch.journals();
  expect((await readEntries(join(scratch.runs, name))).at(-1)).toMatchObject({
    outcome: { kind: "changed", title: "Say hello", opinion: { verdict: "approves" } },
  });
});

test("resume refuses what it cannot go on with, and says why", async () => {
  await using scratch = await openScratch([{ do: [shell("sleep 600")] }]);
  const refused = async (args: readonly string[], why: string | RegExp, cwd?: string) =>
    expect(await scratch.pullwright(["resume", ...args], cwd)).toMatchObject({
      exitCode: 64,
      stderr: typeof why === "string" ? expect.stringContaining(why) : expect.stringMatching(why),
    });
  await refused([], "No run was begun in");
  await refused(["2026"], 'There is no run "2026". The newest: none');
  await refused(["none.jsonl"], "There is no file none.jsonl");

  const child = scratch.begin();
  await written(scratch, '"tool-called"');
  await refused([], "Another process is at work on this run");
  await kill(child);
  const [name = ""] = await scratch.journals();
  const path = join(scratch.runs, name);
  const other = join(scratch.dir, "other");
  await mkdir(join(other, ".git"), { recursive: true });
  await refused([name.slice(0, 10)], /works in \S+\/work, and you stand in \S+\/other/, other);
  await refused([], "No run was begun in", other);

  const whole = await readFile(path, "utf8");
  const lines = whole.split("\n");
  await writeFile(path, lines.with(1, "{torn").join("\n"));
  await refused([name.slice(0, 10)], "Line 2 of");
  await writeFile(path, lines.toSpliced(1, 1).join("\n"));
  await refused([name.slice(0, 10)], "Line 2 of");
  await writeFile(path, "");
  await refused([path], "was lost before it began");
  await writeFile(path, whole.replace(/,"local":\{[^}]*\}/, ""));
  await refused([path], "does not say where it works");
  await writeFile(join(scratch.runs, `${name.slice(0, 15)}x.jsonl`), whole);
  await refused([name.slice(0, 10)], "Several runs begin with");
  expect(scratch.models.requests).toHaveLength(1);
});
