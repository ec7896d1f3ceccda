/**
 * `npm run bench:webhook [-- --rate 200 --seconds 10]`: how long GitHub waits for its 2xx, side by side in one run: Pullwright, which
 * commits delivery, task and job to the embedded PostgreSQL first, and a bare Probot server with an empty handler. Latency is counted
 * from when a delivery was due (open loop), so a slow answer cannot hide the next one's wait.
 */
import { createHmac, generateKeyPairSync, randomUUID } from "node:crypto";
import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startGitHub } from "../sim/github/github.ts";

const SECRET = "bench-secret";
const PATH = "/api/github/webhooks";
/** Rounds of each server, in turn, so that a noisy minute hits both. */
const ROUNDS = 2;
/** /proc/PID/stat counts in these; sysconf(_SC_CLK_TCK) is 100 on every Linux Node runs on. */
const TICKS_PER_SECOND = 100;

const { values } = parseArgs({
  options: { rate: { type: "string", default: "200" }, seconds: { type: "string", default: "10" } },
});
const rate = Number(values.rate);
const seconds = Number(values.seconds);

type Server = { readonly name: string; readonly url: string; readonly process: ChildProcess };
type Round = { readonly latencies: readonly number[]; readonly failed: number; readonly cpuMs: number };

const dataDir = await mkdtemp(join(tmpdir(), "pw-bench-"));
await chmod(dataDir, 0o711); // As root, PostgreSQL runs as a user of its own and must pass through.
await using github = await startGitHub({
  seed: { users: [{ login: "ada" }], repositories: [{ owner: "ada", name: "a" }] },
});
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const common = { PATH: process.env["PATH"] ?? "", WEBHOOK_SECRET: SECRET };
const servers: readonly Server[] = [
  await startServer(
    "pullwright, durable",
    ["src/cli.ts", "serve"],
    {
      ...common,
      APP_ID: String(github.appId),
      PRIVATE_KEY: github.privateKey,
      GITHUB_API_URL: github.apiUrl,
      PULLWRIGHT_DATA: dataDir,
      PORT: "18451",
      PULLWRIGHT_LOG: "warn",
    },
    "http://127.0.0.1:18451",
  ),
  await startServer(
    "probot, empty handler",
    ["bench/bare-probot.ts"],
    {
      ...common,
      PRIVATE_KEY: privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
      PORT: "18452",
    },
    "http://127.0.0.1:18452",
  ),
];
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const template = JSON.parse(await readFile(new URL("./issue-labeled.json", import.meta.url), "utf8"));

try {
  for (const server of servers) await fire(server, 50, 1); // Warm-up: pools, caches, compiled code.
  const rounds = new Map<Server, Round[]>(servers.map((server) => [server, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const server of servers) rounds.get(server)?.push(await fire(server, rate, seconds));
  }
  console.log(`${rate} deliveries/s for ${seconds} s, ${ROUNDS} rounds each, in turn; issues.labeled, 12 KB; ms`);
  for (const [server, results] of rounds) print(server.name, results);
} finally {
  for (const server of servers) {
    server.process.kill("SIGTERM");
    await new Promise((resolve) => server.process.once("exit", resolve));
  }
  agent.destroy();
  await rm(dataDir, { recursive: true, force: true });
}

async function startServer(
  name: string,
  args: readonly string[],
  env: Record<string, string>,
  url: string,
): Promise<Server> {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "inherit", "inherit"] });
  const giveUpAt = Date.now() + 30_000;
  for (;;) {
    const isUp = await fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return { name, url, process: child };
    if (child.exitCode !== null || Date.now() > giveUpAt) throw new Error(`${name} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Open loop: each delivery goes out when it is due, whatever became of the ones before. */
async function fire(server: Server, perSecond: number, forSeconds: number): Promise<Round> {
  const cpuBefore = await readCpuMs(server);
  const startedAt = performance.now();
  const answers = Array.from({ length: perSecond * forSeconds }, async (_, i) => {
    const dueAt = startedAt + (i * 1000) / perSecond;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueAt - performance.now())));
    const status = await deliver(server.url, i).catch(() => 0);
    return { status, ms: performance.now() - dueAt };
  });
  const settled = await Promise.all(answers);
  const failed = settled.filter(({ status }) => status < 200 || status > 299).length;
  return { latencies: settled.map(({ ms }) => ms), failed, cpuMs: (await readCpuMs(server)) - cpuBefore };
}

/** One new issue labelled, in the shape GitHub sends, signed as GitHub signs. */
async function deliver(url: string, i: number): Promise<number> {
  const stamp = new Date(Date.now() + i).toISOString();
  const body = JSON.stringify({ ...template, issue: { ...template.issue, number: i + 1, updated_at: stamp } });
  const headers = {
    "content-type": "application/json",
    "x-github-event": "issues",
    "x-github-delivery": randomUUID(),
    "x-hub-signature-256": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`,
  };
  return new Promise((resolve, reject) => {
    const call = request(`${url}${PATH}`, { method: "POST", headers, agent }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
    call.once("error", reject);
    call.end(body);
  });
}

async function readCpuMs(server: Server): Promise<number> {
  const stat = await readFile(`/proc/${server.process.pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

function print(name: string, rounds: readonly Round[]): void {
  const all = rounds.flatMap(({ latencies }) => latencies).toSorted((a, b) => a - b);
  const at = (share: number) => (all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0).toFixed(1);
  const failed = rounds.reduce((sum, round) => sum + round.failed, 0);
  const cpu = rounds.reduce((sum, round) => sum + round.cpuMs, 0) / all.length;
  console.log(
    `${name.padEnd(22)} p50 ${at(0.5)}  p99 ${at(0.99)}  max ${at(1)}  cpu/delivery ${cpu.toFixed(2)}  failed ${failed} of ${all.length}`,
  );
}
