/** A day's money that runs short is told: on the thread, or to a webhook, once either way. */
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLog, startWorker } from "../../src/main.ts";
import type { Script } from "../../sim/models/models.ts";
import { REPO } from "../github.ts";
import { World } from "../world.ts";
import { readTree } from "./read-tree.ts";

const STORY = join(import.meta.dirname, "label-to-pull");
const ISSUE = { title: "Typo in the greeting", body: "It says `Helo`." };

/** Each turn costs far more than the rest of the request, so that the second passes the mark whatever the prompt's length. */
const usage = { input: 100_000, output: 1_000 };
const turns: Script["conversations"][number]["turns"] = [
  { do: [{ do: "shell", command: "cat greet.sh" }], usage },
  { do: [{ do: "shell", command: "sed -i s/Helo/Hello/ greet.sh" }], usage },
  { do: [{ do: "call", tool: "report", input: { title: "Fix the greeting", summary: "It said `Helo`." } }], usage },
];

async function openWorld(env: Readonly<Record<string, string>>): Promise<World> {
  const script = { conversations: [{ name: "author", match: ["Solve issue"], turns }] };
  return await World.open({ wire: "anthropic", script, files: await readTree(join(STORY, "repo")), env });
}

/** What one run of the script costs, asked of a world of its own. */
async function priceOfRun(): Promise<number> {
  await using world = await openWorld({});
  await world.labelIssue(ISSUE);
  await world.ended(1);
  const [row] = await world.store.database.query<{ usd: number }>("SELECT sum(cost_usd) AS usd FROM pullwright.ledger");
  expect(world.github.comments(REPO).filter(isAlert)).toEqual([]);
  return row?.usd ?? 0;
}

const isAlert = ({ body }: { readonly body: string | null }) => body?.includes(" has spent ") ?? false;

test("the run that passes 80 % of its repository's day says so on its thread, once, and goes on", async () => {
  const usd = await priceOfRun();
  // Two of three turns are 67 % of a run: the third passes 80 % of this limit and stays below it.
  await using world = await openWorld({ PULLWRIGHT_USD_PER_REPO_DAY: String(usd * 1.1) });
  await world.labelIssue(ISSUE);
  const [task] = await world.ended(1);
  expect(task?.state).toBe("succeeded");
  const said = world.github.comments(REPO).filter(isAlert);
  expect(said.map(({ body }) => body?.split("\n")[0])).toEqual([
    expect.stringMatching(
      /^acme\/widget has spent \$[\d.]+ of the \$[\d.]+ it has for \d{4}-\d\d-\d\d \(UTC\), 9\d %\./,
    ),
  ]);
  if (task) await world.runAgain(task);
  await world.labelIssue({ ...ISSUE, title: "Another" });
  await world.ended(2);
  expect(world.github.comments(REPO).filter(isAlert)).toHaveLength(1);
});

test("with a webhook the worker posts it there, and the thread is left in peace", async () => {
  const posts: string[] = [];
  const receiver = createServer((request, response) => {
    request.setEncoding("utf8").on("data", (chunk: string) => posts.push(chunk));
    request.on("end", () => response.end("ok"));
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const address = receiver.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  try {
    const url = `http://127.0.0.1:${address.port}/`;
    const env = { PULLWRIGHT_USD_PER_REPO_DAY: "0.0001", PULLWRIGHT_ALERT_URL: url };
    // The worker's first look is at its start: the second one starts when the money is spent.
    await using world = await openWorld(env);
    await world.labelIssue(ISSUE);
    await world.ended(1);
    await startWorker(world.settings, world.store, openLog(world.settings));
    await world.until(10_000, async () => (posts.length > 0 ? true : null));
    expect(posts.map((post) => JSON.parse(post).key)).toEqual([expect.stringMatching(/^repository\/\d+\//)]);
    expect(world.github.comments(REPO).filter(isAlert)).toEqual([]);
  } finally {
    receiver.closeAllConnections();
    receiver.close();
  }
});
