/**
 * `npm run bench:resume [-- --files 50000 --rounds 5 --dir /var/tmp]`: what an observation costs with and without a checkpoint of the work
 * tree, in time, in bytes and in PostgreSQL, and what it costs to go on elsewhere. Generates the repository; the database is the embedded one.
 */
import { appendFile, chmod, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NO_PAST, readResumption } from "../src/agent/resumption.ts";
import type { JournalEntry, TreeJournal } from "../src/journal.ts";
import { TreeKeeper } from "../src/run/tree-keeper.ts";
import { readPacks } from "../src/store/checkpoints.ts";
import { openDatabase, type Database } from "../src/store/database.ts";
import { postgresJournal } from "../src/store/journal.ts";
import { insertTask, markRunning } from "../src/store/tasks.ts";
import { newTaskId, type TaskId } from "../src/task.ts";
import { openReadState } from "../src/tools/read-state.ts";
import { restoreCheckpoint, unpackCheckpoint } from "../src/workspace/checkpoint.ts";
import { removeTree } from "../src/workspace/remove-tree.ts";
import { Workspace } from "../src/workspace/workspace.ts";
import { makeRepository, pathOf } from "./workspace/repository.ts";
import { median, render, run, timed, type Row } from "./workspace/measure.ts";

const { values } = parseArgs({
  options: {
    files: { type: "string", default: "50000" },
    rounds: { type: "string", default: "5" },
    dir: { type: "string", default: "/var/tmp" },
  },
});
const files = Number(values.files);
const rounds = Number(values.rounds);
const signal = AbortSignal.timeout(3_600_000);
const ROADS = [
  ...(process.getuid?.() === 0 ? [{ road: "overlay", overlayFilesMin: 0 }] : []),
  { road: "checkout", overlayFilesMin: Infinity },
];
const MANY = 500;
const TURNS = 200;

const seen = {
  kind: "tool-observed",
  turn: 1,
  wallMs: 1,
  observation: { callId: "1", text: "x".repeat(2_000), isError: false },
} as const;
const command: JournalEntry = {
  ...{ ...seen, tool: "shell" },
  command: { command: "true", exitCode: 0, wallMs: 1, outputTail: "" },
};
const edit: JournalEntry = { ...seen, tool: "edit", command: null, edits: [{ path: "a.ts", hunks: [], isCut: false }] };
const read = { ...seen, tool: "read", command: null } as const;

const folder = await mkdtemp(join(values.dir, "pullwright-bench-"));
await chmod(folder, 0o711);
try {
  const gitDir = join(folder, "mirror.git");
  await makeRepository(gitDir, { files, commits: 20 });
  const sha = (await run("git", ["-C", gitDir, "rev-parse", "main"])).trim();
  await using database = await openDatabase({ databaseUrl: null, dataDir: join(folder, "data") });
  console.log(`${files} files, ${rounds} rounds. ${await fsyncs(database)}\n`);
  for (const road of ROADS) await measureRoad(database, { ...road, gitDir, sha });
  console.log(render("Transcript", [await measureTranscript()]));
} finally {
  await removeTree(folder);
}

async function fsyncs(database: Database): Promise<string> {
  const [row] = await database.query<{ setting: string }>("SHOW synchronous_commit");
  return `PostgreSQL embedded, synchronous_commit ${String(Object.values(row ?? {})[0])}.`;
}

async function startTask(database: Database): Promise<{ taskId: TaskId; attempt: number }> {
  const taskId = newTaskId();
  const who = { id: 1, login: "ada", isBot: false };
  await insertTask(
    database,
    {
      ...{ key: taskId, goal: "implement", instruction: "", headSha: null, asker: who, origin: { kind: "label" } },
      repo: { installationId: 1, id: 2, owner: "acme", name: "widget", defaultBranch: "main" },
      ...{ thread: { kind: "issue", number: 7 }, text: { title: "Bench", body: "", author: who } },
    },
    taskId,
  );
  return { taskId, attempt: (await markRunning(database, taskId)) ?? 1 };
}

type Road = { readonly road: string; readonly overlayFilesMin: number; readonly gitDir: string; readonly sha: string };

async function measureRoad(database: Database, { road, overlayFilesMin, gitDir, sha }: Road): Promise<void> {
  const opening = { mirror: { gitDir }, sha, runsDir: join(folder, "runs"), overlayFilesMin };
  const rows = new Map<string, number[]>();
  const bytes = new Map<string, number[]>();
  const note = (into: Map<string, number[]>, name: string, value: number) =>
    void into.set(name, [...(into.get(name) ?? []), value]);
  for (let round = 0; round < rounds; round += 1) {
    await using workspace = await Workspace.open(opening, signal);
    const task = await startTask(database);
    const store = postgresJournal(database, { ...task, now: Date.now });
    let packed = 0;
    const journal: TreeJournal = {
      ...store,
      appendTogether: async (entries, pack) => {
        packed = pack?.pack.length ?? 0;
        await store.appendTogether(entries, pack);
      },
    };
    const keeper = new TreeKeeper({ journal, workspace, packs: [], now: Date.now }, signal);
    const change = async (indices: readonly number[]) => {
      for (const i of indices) await appendFile(join(workspace.treeDir, pathOf(i)), `// ${Math.random()} ${i}\n`);
    };
    const measure = async (name: string, entry: JournalEntry, to = keeper.append.bind(keeper)) => {
      packed = 0;
      note(rows, name, (await timed(() => to(entry))).ms);
      if (packed > 0) note(bytes, name, packed);
    };
    await measure("observation, journal alone", command, (entry) => store.append(entry));
    await measure("command that wrote nothing", command);
    await measure("reading tool", read);
    await change([round]);
    await measure("first edit of one file", edit);
    for (let i = 1; i < 14; i += 1) {
      await change([i * 31]);
      await measure("each further edit of one file", edit);
    }
    await change([3]);
    await measure("command that changed one file", command);
    await measure("command that wrote nothing, later", command);
    await change(Array.from({ length: MANY }, (_, i) => (i * 97) % files));
    await measure(`command that changed ${MANY} files`, command);
    await measureResume(database, { opening, taskId: task.taskId }, (name, ms) => note(rows, name, ms));
  }
  const toRow = ([name, ms]: [string, number[]]): Row => ({ name, ms });
  console.log(render(`By ${road}: one observation, written`, [...rows].map(toRow)));
  const lines = [...bytes].map(([name, sizes]) => `| ${name} | ${median(sizes)} |`);
  console.log([`| By ${road}: pack | median bytes |`, "| --- | ---: |", ...lines, ""].join("\n"));
}

type Resuming = { readonly opening: Parameters<typeof Workspace.open>[0]; readonly taskId: TaskId };

async function measureResume(database: Database, it: Resuming, note: (name: string, ms: number) => void) {
  const opened = await timed(() => Workspace.open(it.opening, signal));
  await using other = opened.value;
  note("resume: work tree of the base", opened.ms);
  const read = await timed(() => readPacks(database, it.taskId));
  note("resume: packs out of PostgreSQL", read.ms);
  const unpacked = await timed(async () => {
    for (const { pack } of read.value) await unpackCheckpoint(other, pack, signal);
  });
  note(`resume: ${read.value.length} packs taken in`, unpacked.ms);
  const tree = read.value.at(-1)?.tree ?? "";
  note(
    "resume: tree put back",
    (await timed(() => restoreCheckpoint(other, { tree, baseSha: other.baseSha }, signal))).ms,
  );
}

/** A run's messages out of its entries, each turn a read of two kilobytes. */
async function measureTranscript(): Promise<Row> {
  const usage = { input: 1_000, cachedRead: 0, cacheWrite: 0, output: 100, reasoning: 0 };
  const written: JournalEntry[] = [{ kind: "briefed", model: "m", promptHash: "h", brief: "Do it." }];
  for (let turn = 1; turn <= TURNS; turn += 1) {
    const call = { id: `${turn}`, tool: "read", input: { files: [{ path: "a.ts" }] } };
    written.push(
      {
        ...({ kind: "model-replied", turn, model: "m", parts: [{ kind: "call", call }], stop: "tool-calls" } as const),
        ...{ usage, costUsd: 0, wallMs: 0, opaque: null },
      },
      { kind: "tool-called", turn, call },
      { ...read, turn, observation: { callId: call.id, text: "x".repeat(2_000), isError: false } },
    );
  }
  const toolset = { tools: [], specs: [], forget: () => {}, readState: openReadState() };
  const ms: number[] = [];
  for (let round = 0; round < rounds; round += 1)
    ms.push((await timed(async () => readResumption({ ...NO_PAST, written }, "", toolset))).ms);
  return { name: `${TURNS} turns rebuilt`, ms };
}
