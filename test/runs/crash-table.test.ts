/** A worker that dies between any two steps of a run: whatever had been written, the next one ends it as if nothing had happened. */
import { execa } from "execa";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listTasks, type StoredTask } from "../../src/store/tasks.ts";
import { readTaskJournal } from "../../src/store/journal.ts";
import type { JournalEntry } from "../../src/journal.ts";
import { openLog, openRunParts } from "../../src/main.ts";
import type { Script } from "../../sim/models/models.ts";
import { REPO } from "../github.ts";
import { World } from "../world.ts";
import { attemptTask, NO_FAULT, type Fault, type Worker } from "./dying-run.ts";
import { readTree } from "./read-tree.ts";

const STORY = join(import.meta.dirname, "label-to-pull");
const call = (tool: string, input: Record<string, unknown>) => ({ do: "call", tool, input }) as const;
const shell = (command: string) => ({ do: "shell", command }) as const;

/** Each turn may be done once only: what is appended twice is seen twice. The edit needs what was read before. */
const script: Script = {
  conversations: [
    {
      name: "author",
      match: "Solve issue",
      turns: [
        {
          do: [
            call("plan", { steps: [{ step: "Mend the greeting", status: "in_progress" }] }),
            { do: "view", path: "greet.sh" },
          ],
        },
        { do: [shell("echo one >> notes.txt"), shell("echo two >> notes.txt")] },
        { do: [{ do: "edit", path: "greet.sh", old: 'echo "Helo, $1"', new: 'echo "Hello, $1"' }] },
        { do: [call("report", { title: "Fix the greeting", summary: "It said `Helo`." })] },
      ],
    },
  ],
};
const TURNS = script.conversations[0]?.turns.length ?? 0;

/** Where the worker dies: at the entry of this kind that comes at this place among its like, from 1. */
type Step = { readonly kind: JournalEntry["kind"]; readonly place: number };

const STEPS: readonly Step[] = [
  { kind: "started", place: 1 },
  { kind: "set-up-finished", place: 1 },
  { kind: "verified", place: 1 },
  { kind: "workspace-ready", place: 1 },
  { kind: "briefed", place: 1 },
  { kind: "plan-updated", place: 1 },
  { kind: "tool-observed", place: 2 },
  { kind: "tool-called", place: 4 },
  { kind: "checkpointed", place: 2 },
  { kind: "model-replied", place: 3 },
  { kind: "finished", place: 1 },
  { kind: "published", place: 1 },
  { kind: "published", place: 2 },
];
const CASES = STEPS.flatMap(({ kind, place }) => (["before", "after"] as const).map((when) => ({ kind, place, when })));

/** Runs side by side, as a worker has them; more only wait for the processors. */
const AT_ONCE = 3;

test("a task whose worker dies at any step ends as one whose worker lives: one pull request, one comment, each reply paid once", async () => {
  await using world = await openWorld();
  const worker = await openWorker(world);
  for (const [i] of CASES.entries()) await world.labelIssue({ title: `Typo ${i}`, body: "It says `Helo`." });
  const tasks = await world.until(20_000, async () => {
    const all = await listTasks(world.store.database, { limit: 100 });
    return all.length === CASES.length ? all.toSorted((a, b) => a.thread.number - b.thread.number) : null;
  });
  const ends = await inTurns(tasks, AT_ONCE, async (task, i) => {
    const step = CASES[i];
    if (!step) throw new Error("more tasks than cases");
    const t0 = performance.now();
    const first = await attemptTask(worker, task.id, faultAt(step));
    const second = await attemptTask(worker, task.id, NO_FAULT);
    console.log(step.kind, step.when, Math.round(performance.now() - t0));
    return { ...step, ends: [first.end, second.end], ...(await describe(world, task)) };
  });
  expect(ends).toEqual(CASES.map((step) => ({ ...step, ...expected(step) })));
  const kept = await world.store.database.query("SELECT 1 FROM pullwright.checkpoints");
  expect(kept).toEqual([]);
}, 240_000);

/** Of a reply that was lost on its way to the journal nobody knows, so it is asked for again: the vendor is paid twice, we say once. */
function expected({ kind, when, place }: (typeof CASES)[number]) {
  const isReplyLost = kind === "model-replied" && when === "before";
  const hasBegun = STEPS.findIndex((step) => step.kind === kind && step.place === place) >= FIRST_REPLY;
  const isResumed = hasBegun && kind !== "published";
  const isReached = kind === "published" || (kind === "finished" && when === "after");
  return {
    ends: ["died", "succeeded"],
    asked: TURNS + (isReplyLost ? 1 : 0),
    charged: TURNS,
    pulls: [`agent/#-typo`],
    comments: 1,
    reactions: ["eyes"],
    tree: { "greet.sh": 'echo "Hello, $1"', "notes.txt": "one two" },
    way: isReached ? "published only" : isResumed ? "resumed" : "anew",
  };
}

/** The first step that stands after a reply. */
const FIRST_REPLY = STEPS.findIndex(({ kind }) => kind === "plan-updated");

function faultAt({ kind, place, when }: (typeof CASES)[number]): Fault {
  let seen = 0;
  return { when, isIt: (entry) => entry.kind === kind && ++seen === place };
}

async function openWorld(): Promise<World> {
  const repo = await readTree(join(STORY, "repo"));
  const settings = "checks: [sh test.sh]\nsetup: mkdir -p built && echo ready > built/flag\n";
  const files = { ...repo, ".gitignore": "built/\n", ".github/agent.yml": settings };
  return World.open({ wire: "anthropic", script, files, withWorker: false });
}

async function openWorker(world: World): Promise<Worker> {
  const { database } = world.store;
  return { database, parts: await openRunParts(world.settings, database, openLog(world.settings)) };
}

/** What became of the task, everywhere. */
async function describe(world: World, { id, thread }: StoredTask) {
  const { number } = thread;
  const { database } = world.store;
  const branch = `agent/${number}-typo-`;
  const pulls = world.github.pulls(REPO).filter(({ head }) => head.ref.startsWith(branch));
  const ref = pulls[0]?.head.ref ?? "";
  const charged = await database.query("SELECT 1 FROM pullwright.ledger WHERE task_id = $1", [id]);
  const entries = (await readTaskJournal(database, id)).filter(({ attempt }) => attempt === 2);
  const hasAsked = entries.some(({ entry }) => entry.kind === "briefed");
  const isResumed = entries.some(({ entry }) => entry.kind === "resumed");
  const requests = world.models.requests.filter(({ body }) => JSON.stringify(body).includes(`Solve issue #${number} `));
  const show = async (path: string) =>
    (await execa("git", ["show", `${ref}:${path}`], { cwd: world.github.gitDir(REPO) })).stdout;
  return {
    asked: requests.length,
    charged: charged.length,
    pulls: pulls.map(({ head }) => head.ref.replace(/\d+-typo-\d+$/, "#-typo")),
    comments: world.github.comments(REPO).filter(({ issue_url: url }) => url.endsWith(`/${number}`)).length,
    reactions: world.github
      .reactions(REPO)
      .filter(({ on, id }) => on === "thread" && id === number)
      .map(({ content }) => content),
    tree: {
      "greet.sh": (await show("greet.sh")).split("\n").at(-1),
      "notes.txt": (await show("notes.txt")).split("\n").join(" "),
    },
    way: isResumed ? "resumed" : hasAsked ? "anew" : "published only",
  };
}

/** In the order of the items. */
async function inTurns<T, R>(items: readonly T[], atOnce: number, act: (item: T, index: number) => Promise<R>) {
  const results: R[] = [];
  const waiting = [...items.entries()];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await act(next[1], next[0]);
    }),
  );
  return results;
}
