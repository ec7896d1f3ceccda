/**
 * `node bench/set-up.ts [--packages 300] [--rounds 5]`: how long an npm project's agent waits for its packages, from the moment a worker
 * takes the task to the agent's brief: first with `npm ci` through the egress proxy, then from what that run kept. Everything is real but
 * GitHub, the model and the registry. Beside it, in the same minute, what other ways to put the same files there would take.
 */
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { openLog, openRunParts, openStore, runQueued, startServer } from "../src/main.ts";
import type { RunParts } from "../src/run/run-task.ts";
import { readSettings } from "../src/settings.ts";
import { readTaskJournal } from "../src/store/journal.ts";
import { listTasks } from "../src/store/tasks.ts";
import { startModels, type Script } from "../sim/models/models.ts";
import { openRegistry } from "../test/run/npm-registry.ts";
import { openInternet } from "../test/sandbox/internet.ts";
import { actAs, AT, openGitHub } from "../test/github.ts";

const { values } = parseArgs({
  options: { packages: { type: "string", default: "300" }, rounds: { type: "string", default: "5" } },
});
const run = promisify(execFile);
const DELIVERY_MS_MAX = 20_000;

const script: Script = {
  conversations: [
    {
      name: "work",
      turns: [{ do: [{ do: "call", tool: "report", input: { title: "Nothing", summary: "Nothing to do." } }] }],
    },
  ],
};

// Not below a closed home folder: as root, the sandbox's user must pass through.
const dataDir = await mkdtemp("/var/tmp/pullwright-set-up-");
await chmod(dataDir, 0o711);
await using stack = new AsyncDisposableStack();
stack.defer(() => rm(dataDir, { recursive: true, force: true }));
const registry = openRegistry({ count: Number(values.packages) });
const internet = stack.use(await openInternet({ "registry.npmjs.org": [["104.16.1.34"]] }, registry.answer));
const npmrc = { ".npmrc": "cafile=ca.pem\nupdate-notifier=false\n", "ca.pem": internet.certificate };
const github = stack.use(await openGitHub({ ...registry.files, ...npmrc }));
const models = await startModels({ script });
stack.defer(() => models.close());
const settings = readSettings({
  ...{
    ANTHROPIC_API_KEY: "sk-ant-bench",
    ANTHROPIC_BASE_URL: models.anthropicBaseUrl,
    PULLWRIGHT_SECOND_OPINION: "off",
  },
  ...{ APP_ID: String(github.appId), PRIVATE_KEY: github.privateKey, WEBHOOK_SECRET: github.webhookSecret },
  ...{ GITHUB_API_URL: github.apiUrl, PULLWRIGHT_DATA: dataDir, PORT: "0", PULLWRIGHT_LOG: "warn" },
});
const log = openLog(settings);
const store = stack.use(await openStore(settings, log));
const server = await startServer(settings, store, log);
stack.defer(() => server.close());
github.setWebhookUrl(`${server.url}${settings.webhookPath}`);
const opened = await openRunParts(settings, store.database, log);
const parts: RunParts = { ...opened, setUp: { ...opened.setUp, network: internet.network } };

const rows: string[] = [];
for (let round = 0; round <= Number(values.rounds); round++) {
  const { briefedMs, setUpMs, isCached } = await runOnce(round);
  rows.push(`| ${round + 1} | ${isCached ? "kept" : "npm ci"} | ${setUpMs.toFixed(0)} | ${briefedMs.toFixed(0)} |`);
}
console.log(`${values.packages} packages, ${registry.asked.length} requests of the registry, all by the first run\n`);
console.log(
  `| run | packages by | set-up ms | task taken to brief ms |\n| ---: | --- | ---: | ---: |\n${rows.join("\n")}\n`,
);
console.log(await compare());

async function runOnce(round: number) {
  const ada = actAs(github, "ada").issues;
  const { number } = (await ada.create({ ...AT, title: `Issue ${round}`, body: "Something." })).data;
  await ada.addLabels({ ...AT, issue_number: number, labels: ["agent"] });
  const task = await waiting();
  const takenAt = Date.now();
  await runQueued(parts, store.database, task.id, new AbortController().signal);
  const entries = await readTaskJournal(store.database, task.id);
  const briefedAt = entries.find(({ entry }) => entry.kind === "briefed")?.at ?? Number.NaN;
  const done = entries.find(({ entry }) => entry.kind === "set-up-finished")?.entry;
  if (done?.kind !== "set-up-finished" || done.command.exitCode !== 0)
    throw new Error(JSON.stringify(entries.slice(0, 9)));
  return { briefedMs: briefedAt - takenAt, setUpMs: done.command.wallMs, isCached: done.isCached };
}

async function waiting() {
  for (const giveUpAt = Date.now() + DELIVERY_MS_MAX; Date.now() < giveUpAt;) {
    const task = (await listTasks(store.database, { limit: 1 })).find(({ state }) => state === "queued");
    if (task) return task;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("no task came of the label");
}

/** The same files by tar, as it is done, and by cp with reflinks, where the disk has them. */
async function compare(): Promise<string> {
  const cacheDir = join(dataDir, "set-ups");
  const name = (await readdir(cacheDir)).find((entry) => entry.endsWith(".tar")) ?? "";
  const { size } = await stat(join(cacheDir, name));
  const times: string[] = [];
  for (const round of [1, 2, 3]) {
    const [packed, copied] = [join(dataDir, `tar-${round}`), join(dataDir, `cp-${round}`)];
    await mkdir(packed);
    const tarMs = await timed(() => run("tar", ["-xf", join(cacheDir, name), "-C", packed]));
    const cpMs = await timed(() => run("cp", ["-a", "--reflink=auto", packed, copied]));
    times.push(`tar ${tarMs.toFixed(0)} ms, cp -a --reflink=auto ${cpMs.toFixed(0)} ms`);
  }
  return `${(size / 1e6).toFixed(1)} MB kept; alone: ${times.join("; ")}`;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return performance.now() - startedAt;
}
