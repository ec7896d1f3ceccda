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

/**
 * Where two workers die, the first before and the second after the commit: at the entry of this kind that is the `first` or the `again`
 * of its like in the attempt. `ways` is how the second and the third attempt begin.
 */
type Step = {
  readonly kind: JournalEntry["kind"];
  readonly first: number;
  readonly again: number;
  readonly ways: readonly [Way, Way];
};

type Way = "anew" | "resumed" | "published only";

const ANEW = { first: 1, again: 1, ways: ["anew", "anew"] } as const;
const RESUMED = { again: 1, ways: ["resumed", "resumed"] } as const;
const PUBLISHED = { ways: ["published only", "published only"] } as const;

const STEPS: readonly Step[] = [
  { kind: "started", ...ANEW },
  { kind: "set-up-finished", ...ANEW },
  { kind: "verified", ...ANEW },
  { kind: "workspace-ready", ...ANEW },
  { kind: "briefed", ...ANEW },
  { kind: "plan-updated", first: 1, ...RESUMED },
  { kind: "tool-observed", first: 2, ...RESUMED },
  { kind: "tool-called", first: 4, ...RESUMED },
  { kind: "checkpointed", first: 2, ...RESUMED },
  { kind: "model-replied", first: 3, ...RESUMED },
  { kind: "finished", first: 1, again: 1, ways: ["resumed", "published only"] },
  { kind: "published", first: 1, again: 1, ...PUBLISHED },
  { kind: "published", first: 2, again: 2, ...PUBLISHED },
];

/** Runs side by side, as a worker has them; more only wait for the processors. */
const AT_ONCE = 3;

test("a task whose workers die before and after any step ends as one whose worker lives", async () => {
  await using world = await openWorld();
  const worker = await openWorker(world);
  for (const [i] of STEPS.entries()) await world.labelIssue({ title: `Typo ${i}`, body: "It says `Helo`." });
  const tasks = await world.until(20_000, async () => {
    const all = await listTasks(world.store.database, { limit: 100 });
    return all.length === STEPS.length ? all.toSorted((a, b) => a.thread.number - b.thread.number) : null;
  });
  const ends = await inTurns(tasks, AT_ONCE, async (task, i) => {
    const step = STEPS[i];
    if (!step) throw new Error("more tasks than steps");
    const faults = [faultAt(step.kind, "before", step.first), faultAt(step.kind, "after", step.again), NO_FAULT];
    const ended: string[] = [];
    for (const fault of faults) ended.push((await attemptTask(worker, task.id, fault)).end);
    return { kind: step.kind, ended, ...(await describe(world, task)) };
  });
  expect(ends).toEqual(STEPS.map(expected));
  expect(await world.store.database.query("SELECT 1 FROM pullwright.checkpoints")).toEqual([]);
}, 240_000);

/** A reply that was lost on its way to the journal is asked for again, for nobody knows of it: the vendor is paid twice, we say once. */
function expected({ kind, ways }: Step) {
  return {
    kind,
    ended: ["died", "died", "succeeded"],
    asked: TURNS + (kind === "model-replied" ? 1 : 0),
    charged: TURNS,
    pulls: ["agent/#-typo"],
    comments: 1,
    reactions: ["eyes"],
    tree: { "greet.sh": 'echo "Hello, $1"', "notes.txt": "one two" },
    ways,
  };
}

function faultAt(kind: JournalEntry["kind"], when: Fault["when"], place: number): Fault {
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
  const entries = await readTaskJournal(database, id);
  const ways = [2, 3].map((attempt): Way => {
    const kinds = new Set(entries.flatMap((one) => (one.attempt === attempt ? [one.entry.kind] : [])));
    return kinds.has("resumed")
      ? "resumed"
      : kinds.has("published") && !kinds.has("briefed")
        ? "published only"
        : "anew";
  });
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
    ways,
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
