/** The rows of the table of crashes (crash-table.test.ts) that need a run too long for its window: a summary that was paid for is used. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { SUMMARY_HEAD } from "../../src/agent/context.ts";
import type { JournalEntry } from "../../src/journal.ts";
import { openLog, openRunParts } from "../../src/main.ts";
import { readTaskJournal } from "../../src/store/journal.ts";
import { listTasks } from "../../src/store/tasks.ts";
import { REPO } from "../github.ts";
import { World } from "../world.ts";
import { attemptTask, NO_FAULT, type Fault } from "./dying-run.ts";
import { readTree } from "./read-tree.ts";

const shell = (command: string) => ({ do: [{ do: "shell", command } as const] });
const SUMMARY = "Half is done: notes.txt has one line.";

/** So much output that the third request is over the window, as the price list tells it. */
const script: Script = {
  conversations: [
    { name: "summary", match: "about to outgrow the window", by: "requests", turns: Array(9).fill({ text: SUMMARY }) },
    {
      name: "author",
      match: "Solve issue",
      by: "requests",
      turns: [
        shell("echo one >> notes.txt"),
        shell("seq 1 4000"),
        shell("echo two >> notes.txt"),
        { do: [{ do: "call", tool: "report", input: { title: "Count", summary: "Counted." } }] },
      ],
    },
  ],
};
const TURNS = 4;
const PRICES = { "anthropic/*": { input: 5, output: 25, contextTokensMax: 10_000 } };

type Row = { readonly name: string; readonly fault: Fault; readonly summaries: number };

const at = (when: Fault["when"], kind: JournalEntry["kind"]): Fault => ({ when, isIt: (entry) => entry.kind === kind });

const ROWS: readonly Row[] = [
  { name: "nowhere", fault: NO_FAULT, summaries: 1 },
  // Lost on its way to the journal, so nobody knows of it.
  { name: "before the summary is written down", fault: at("before", "summarised"), summaries: 2 },
  { name: "after it", fault: at("after", "summarised"), summaries: 1 },
  { name: "before the cut", fault: at("before", "compacted"), summaries: 1 },
  { name: "after it", fault: at("after", "compacted"), summaries: 1 },
];

test.each(ROWS)(
  "a worker that dies $name leaves a run that is summed up once",
  async ({ fault, summaries }) => {
    await using world = await World.open({
      ...{ wire: "anthropic", script, withWorker: false },
      files: await readTree(join(import.meta.dirname, "label-to-pull/repo")),
      env: { PULLWRIGHT_PRICES: JSON.stringify(PRICES) },
    });
    await world.labelIssue({ title: "Count", body: "Count to two." });
    const { database } = world.store;
    const [task] = await world.until(20_000, async () => {
      const all = await listTasks(database, { limit: 1 });
      return all.length === 1 ? all : null;
    });
    if (!task) throw new Error("no task");
    const worker = { database, parts: await openRunParts(world.settings, database, openLog(world.settings)) };
    if (fault !== NO_FAULT) expect((await attemptTask(worker, task.id, fault)).end).toBe("died");
    expect((await attemptTask(worker, task.id, NO_FAULT)).end).toBe("succeeded");

    const entries = await readTaskJournal(database, task.id);
    const count = (kind: string) => entries.filter(({ entry }) => entry.kind === kind).length;
    const asked = world.models.requests.map(({ conversation }) => conversation);
    const charged = await database.query("SELECT 1 FROM pullwright.ledger WHERE task_id = $1", [task.id]);
    expect({
      replies: count("model-replied"),
      summaries: asked.filter((name) => name === "summary").length,
      kept: count("summarised"),
      cuts: count("compacted"),
      charged: charged.length,
      pulls: world.github.pulls(REPO).length,
    }).toEqual({ replies: TURNS, summaries, kept: 1, cuts: 1, charged: TURNS + 1, pulls: 1 });
    const last = JSON.stringify(world.models.requests.at(-1)?.body);
    expect(last).toContain(`${SUMMARY_HEAD}\\n\\n${SUMMARY}`);
  },
  180_000,
);
