/** A task that goes on after its worker was lost: on another machine, in the middle of sub-agents and of a second opinion, or from the start. */
import { execa } from "execa";
import { mkdtemp, rm, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import type { JournalEntry } from "../../src/journal.ts";
import { openLog, openRunParts } from "../../src/main.ts";
import { readSettings } from "../../src/settings.ts";
import { readTaskJournal } from "../../src/store/journal.ts";
import { listTasks } from "../../src/store/tasks.ts";
import type { TaskId } from "../../src/task.ts";
import { REPO } from "../github.ts";
import { World, type WorldOptions } from "../world.ts";
import { attemptTask, NO_FAULT, type Fault, type Worker } from "./dying-run.ts";
import { readTree } from "./read-tree.ts";

const STORY = join(import.meta.dirname, "label-to-pull");
type Turns = Script["conversations"][number]["turns"];
const call = (tool: string, input: Record<string, unknown>) => ({ do: "call", tool, input }) as const;
const shell = (command: string) => ({ do: "shell", command }) as const;
const report = { do: [call("report", { title: "Fix the greeting", summary: "It said `Helo`." })] };
const mend = shell("sed -i s/Helo/Hello/ greet.sh && echo one >> notes.txt");

async function openWorld(
  turns: Turns,
  more: Partial<WorldOptions> & { readonly others?: Script["conversations"] } = {},
) {
  const { others = [], ...options } = more;
  const conversations = [...others, { name: "author", match: "Solve issue", turns }];
  const files = { ...(await readTree(join(STORY, "repo"))), ".gitignore": "built/\n" };
  const world = await World.open({
    wire: "anthropic",
    files,
    withWorker: false,
    ...options,
    script: { conversations },
  });
  await world.labelIssue({ title: "Typo in the greeting", body: "It says `Helo`." });
  const task = await world.until(20_000, async () => (await listTasks(world.store.database, { limit: 1 }))[0] ?? null);
  return { world, taskId: task.id };
}

async function openWorker(world: World, settings = world.settings): Promise<Worker> {
  const { database } = world.store;
  return { database, parts: await openRunParts(settings, database, openLog(settings)) };
}

/** With nothing of the first one's disk. */
async function openMachine(world: World): Promise<Worker & AsyncDisposable> {
  const dataDir = await mkdtemp(join(tmpdir(), "pw-machine-"));
  await chmod(dataDir, 0o711);
  const worker = await openWorker(world, readSettings({ ...world.env, PULLWRIGHT_DATA: dataDir }));
  return { ...worker, [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }) };
}

function after(kind: JournalEntry["kind"], place: number): Fault {
  let seen = 0;
  return { when: "after", isIt: (entry) => entry.kind === kind && ++seen === place };
}

async function entriesOf(world: World, taskId: TaskId, attempt: number) {
  const entries = await readTaskJournal(world.store.database, taskId);
  return entries.flatMap((one) => (one.attempt === attempt ? [one.entry] : []));
}

const show = async (world: World, path: string) => {
  const ref = world.github.pulls(REPO)[0]?.head.ref ?? "";
  return (await execa("git", ["show", `${ref}:${path}`], { cwd: world.github.gitDir(REPO) })).stdout;
};

/** The messages of a request to Anthropic's API, without what only the cache reads. */
function messagesOf(world: World, index: number): readonly unknown[] {
  const body = JSON.stringify(world.models.requests.at(index)?.body, (key, value) =>
    key === "cache_control" ? undefined : value,
  );
  return JSON.parse(body).messages;
}

test("another machine goes on with the same tree and the same words, and says that it did", async () => {
  const turns = [
    { do: [mend] },
    { do: [shell("mkdir built && touch built/x; echo two >> notes.txt")] },
    { do: [shell("cat notes.txt")] },
    report,
  ];
  const { world, taskId } = await openWorld(turns);
  await using _ = world;
  expect((await attemptTask(await openWorker(world), taskId, after("checkpointed", 2))).end).toBe("died");
  const before = messagesOf(world, -1);
  await using machine = await openMachine(world);
  expect((await attemptTask(machine, taskId, NO_FAULT)).end).toBe("succeeded");
  const resumed = (await entriesOf(world, taskId, 2)).find(({ kind }) => kind === "resumed");
  expect(resumed).toEqual({ kind: "resumed", attempt: 2, turn: 2, tree: expect.stringMatching(/^[0-9a-f]{40}$/) });
  expect(await show(world, "notes.txt")).toBe("one\ntwo");
  expect(world.models.requests).toHaveLength(4);
  // What it was asked before stands in front, to the byte; what it cannot know stands behind.
  const next = messagesOf(world, 2);
  expect(next.slice(0, before.length)).toEqual(before);
  expect(JSON.stringify(next.at(-1))).toContain("another one goes on");
  expect(world.github.pulls(REPO)[0]?.body).toContain("cat notes.txt");
  expect(world.github.pulls(REPO)[0]?.body).toContain("4 turns");
}, 120_000);

test("a run that is lost again and again among sub-agents, tests and a dispute ends as one that is not", async () => {
  const ask = call("delegate", { role: "explorer", task: "Where is the greeting?" });
  const approves = { do: [call("report", { summary: "Right as it is.", findings: [] })] };
  const finding = { path: "greet.sh", start_line: 2, end_line: 2, severity: "P1", title: "No note", body: "Say why." };
  const blocks = { do: [call("report", { summary: "One thing.", findings: [finding] })] };
  const look = { do: [shell("cat greet.sh")] };
  const change = "# The change to review";
  const others = [
    {
      name: "explorer",
      match: "Where is the greeting?",
      turns: [look, { do: [call("report", { answer: "In greet.sh:3." })] }],
    },
    {
      name: "tester",
      match: "You write tests for work",
      turns: [{ do: [shell("echo true >> made-test.sh")] }, report],
    },
    { name: "second round", match: [change, "+why"], turns: [look, approves] },
    { name: "first round", match: change, turns: [look, blocks] },
  ];
  const author = [{ do: [ask] }, { do: [mend] }, report, report, { do: [shell("echo why >> notes.txt")] }, report];
  const files = {
    ...(await readTree(join(STORY, "repo"))),
    ".github/agent.yml": "checks: [sh test.sh]\nsecond_opinion: { tests: true }\n",
  };
  const env = { PULLWRIGHT_SECOND_OPINION: "on" };
  const { world, taskId } = await openWorld(author, { others, wire: "both", env, files });
  await using _ = world;
  const worker = await openWorker(world);
  let attempts = 0;
  for (let end = "died"; end === "died" && attempts < ATTEMPTS_MAX; attempts += 1) {
    let entries = 0;
    // Far enough for any attempt to get on, and never at the same place.
    ({ end } = await attemptTask(worker, taskId, { when: "after", isIt: () => ++entries === 11 + (attempts % 4) }));
  }
  expect(attempts).toBeGreaterThan(4);
  expect(attempts).toBeLessThan(ATTEMPTS_MAX);
  const asked = Object.groupBy(world.models.requests, ({ conversation }) => conversation ?? "");
  expect(Object.fromEntries(Object.entries(asked).map(([name, requests]) => [name, requests?.length]))).toEqual({
    ...{ explorer: 2, tester: 2, author: 6 },
    ...{ "first round": 2, "second round": 2 },
  });
  const [ledger] = await world.store.database.query("SELECT count(*) AS calls FROM pullwright.ledger");
  expect(ledger).toEqual({ calls: 14 });
  expect([await show(world, "notes.txt"), await show(world, "made-test.sh")]).toEqual(["one\nwhy", "true"]);
  const [pull, ...more] = world.github.pulls(REPO);
  expect([more.length, world.github.comments(REPO).length]).toEqual([0, 1]);
  expect(pull?.body).toContain("has no objection (round 2)");
}, 240_000);

const ATTEMPTS_MAX = 20;

test("a run whose tree could not be kept starts over and says so", async () => {
  const odd = { do: [shell("echo '*.x working-tree-encoding=UTF-16' > .gitattributes && printf abc > a.x")] };
  const { world, taskId } = await openWorld([odd, { do: [shell("rm .gitattributes a.x")] }, { do: [mend] }, report]);
  await using _ = world;
  const worker = await openWorker(world);
  await attemptTask(worker, taskId, after("checkpoint-missed", 1));
  expect((await attemptTask(worker, taskId, NO_FAULT)).end).toBe("succeeded");
  const again = (await entriesOf(world, taskId, 2)).find(({ kind }) => kind === "restarted");
  const why = expect.stringMatching(/^its work tree could not be kept: git could not take the run's files in/);
  expect(again).toEqual({ kind: "restarted", attempt: 2, why });
  expect(await show(world, "notes.txt")).toBe("one");
  // The money of the first attempt counts.
  const [ledger] = await world.store.database.query("SELECT count(*) AS calls FROM pullwright.ledger");
  expect(ledger).toEqual({ calls: 5 });
}, 120_000);
