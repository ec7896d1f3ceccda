/** One play from its plan to its judgement: real PostgreSQL, processes, git and sandbox; GitHub and the models are stand-ins. */
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startGitHub, type GitHub } from "../../sim/github/github.ts";
import { startModels, type Models } from "../../sim/models/models.ts";
import { roomyFolder } from "../database-setup.ts";
import { Member } from "./crew.ts";
import { Dice } from "./dice.ts";
import { openMail, type Mail } from "./mail.ts";
import { actAll, OWNER, repoName, type Asked } from "./people.ts";
import { makePlan, type Plan, type Size } from "./plan.ts";
import { FILES, writeScript } from "./script.ts";
import { ShakyDatabase } from "./shaky-database.ts";
import { openWeather, type Weather } from "./weather.ts";
import { freePort } from "./free-port.ts";

/** A play that has ended, or was given up; everything is still there to be looked at, but for the processes. */
export type Stage = AsyncDisposable & {
  readonly plan: Plan;
  readonly dir: string;
  readonly github: GitHub;
  readonly models: Models;
  readonly database: ShakyDatabase;
  readonly mail: Mail;
  readonly weather: Weather;
  readonly members: readonly Member[];
  readonly asked: readonly Asked[];
  /** When workers were killed, epoch milliseconds. */
  readonly killedAt: readonly number[];
  /** What went wrong with the play as a whole, such as a time limit. */
  readonly troubles: readonly string[];
  readonly tookMs: number;
};

const START_MS_MAX = 60_000;
const LOOK_MS = 500;
const REPLIES_LOOK_MS = 25;

type Playing = { readonly seed: number; readonly size: Size; readonly say: (line: string) => void };

export async function play({ seed, size, say }: Playing, signal: AbortSignal): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const plan = makePlan(seed, size);
  const set = await openSet(plan, stack);
  const { database, models, github, mail, weather, members } = set;
  const startedAt = Date.now();
  const over = new AbortController();
  const killedAt: number[] = [];
  const watching = { plan, models, startedAt, say, killedAt, members };
  const destroyed = [killAll(watching, members.slice(1), over.signal), restartAll(watching, database, over.signal)];
  let asked: readonly Asked[] | null = null;
  const asking = actAll({ github, startedAt, signal: over.signal }, plan).then(async (all) => {
    await github.settled();
    await mail.settled();
    asked = all;
  });
  asking.catch(() => {}); // Told below.
  const troubles = await untilEnded(database, { ...watching, isAsked: () => asked !== null }, signal);
  over.abort();
  const ends = await Promise.allSettled([...destroyed, asking]);
  for (const end of ends)
    if (end.status === "rejected" && end.reason?.name !== "AbortError") troubles.push(String(end.reason));
  weather.clear();
  for (const member of members) {
    const wrong = await member.stop();
    if (wrong !== "") troubles.push(`${member.incarnations.at(-1)?.name} ${wrong}`);
  }
  const kept = stack.move();
  return {
    ...{ ...set, plan, asked: asked ?? [], killedAt, troubles, tookMs: Date.now() - startedAt },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

type Set = Pick<Stage, "dir" | "github" | "models" | "database" | "mail" | "weather" | "members">;

/** Everything in place, the server and the workers at work. */
async function openSet(plan: Plan, stack: AsyncDisposableStack): Promise<Set> {
  const dice = new Dice(String(plan.seed));
  const { dir, databaseDir } = await makeFolders(stack);
  const database = stack.use(await ShakyDatabase.open(databaseDir));
  const github = stack.use(await startGitHub({ seed: { users: USERS, repositories: plannedRepositories(plan) } }));
  const models = stack.use(await startModels({ script: writeScript(plan, dice.named("models")) }));
  const weather = stack.use(await openWeather(github.url, plan.size.faults, dice.named("weather")));
  const port = await freePort();
  const mail = stack.use(await openMail(dice.named("mail"), () => `http://127.0.0.1:${port}/api/github/webhooks`));
  github.setWebhookUrl(mail.url);

  const env = environment({ dir, github, models, weather, databaseUrl: database.url, wire: plan.wire });
  const places = (name: string) => ({
    env: { ...env, PORT: String(port), PULLWRIGHT_DATA: join(dir, "data", name) },
    logDir: join(dir, "logs"),
  });
  const server = new Member("serve", "serve", places("serve"));
  // Two share a machine, the others have their own: what is resumed must come from the database.
  const workers = Array.from({ length: plan.size.workers }, (_, i) => {
    return new Member("worker", `worker${i}`, places(i < 2 ? "shared" : `own${i}`));
  });
  const members = [server, ...workers];
  stack.defer(async () => void (await Promise.all(members.map((member) => member.stop()))));
  server.start();
  await untilReady(server);
  for (const worker of workers) worker.start();
  await Promise.all(workers.map(untilReady));
  return { dir, github, models, database, mail, weather, members };
}

async function makeFolders(stack: AsyncDisposableStack) {
  const dir = await mkdtemp(join(tmpdir(), "pw-chaos-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const databaseDir = await mkdtemp(join(await roomyFolder(), "pw-chaos-database-"));
  stack.defer(() => rm(databaseDir, { recursive: true, force: true }));
  for (const folder of [dir, databaseDir]) await chmod(folder, 0o711); // The database and sandboxes have users of their own.
  for (const [name, mode] of FOLDERS) {
    await mkdir(join(dir, name));
    await chmod(join(dir, name), mode);
  }
  return { dir, databaseDir };
}

/** The temp folder is everybody's, as /tmp is. */
const FOLDERS = [
  ["tmp", 0o1777],
  ["logs", 0o700],
  ["home", 0o711],
] as const;

const USERS = [{ login: "ada" }, { login: OWNER, type: "Organization" as const }];

function plannedRepositories({ size }: Plan) {
  return Array.from({ length: size.repos }, (_, repo) => ({
    ...{ owner: OWNER, name: repoName(repo), private: true, content: { ...FILES } },
    collaborators: { ada: "write" as const },
  }));
}

type Places = {
  readonly dir: string;
  readonly github: GitHub;
  readonly models: Models;
  readonly weather: Weather;
  readonly databaseUrl: string;
  readonly wire: Plan["wire"];
};

function environment({ dir, github, models, weather, databaseUrl, wire }: Places): Record<string, string> {
  const keys =
    wire === "anthropic"
      ? { ANTHROPIC_API_KEY: "sk-ant-chaos-0123456789", ANTHROPIC_BASE_URL: models.anthropicBaseUrl }
      : { OPENAI_API_KEY: "sk-proj-chaos-0123456789", OPENAI_BASE_URL: models.openaiBaseUrl };
  return {
    ...keys,
    PATH: process.env["PATH"] ?? "",
    HOME: join(dir, "home"),
    TMPDIR: join(dir, "tmp"),
    APP_ID: String(github.appId),
    PRIVATE_KEY: github.privateKey,
    WEBHOOK_SECRET: github.webhookSecret,
    GITHUB_API_URL: github.apiUrl.replace(github.url, weather.url),
    DATABASE_URL: databaseUrl,
    PULLWRIGHT_SECOND_OPINION: "off",
    PULLWRIGHT_LOG: "info",
  };
}

async function untilReady(member: Member): Promise<void> {
  const giveUpAt = Date.now() + START_MS_MAX;
  while (!(await member.isReady())) {
    if (Date.now() > giveUpAt) throw new Error(`${member.incarnations.at(-1)?.name} does not start`);
    await delay(100);
  }
}

type Watching = {
  readonly plan: Plan;
  readonly models: Models;
  readonly startedAt: number;
  readonly say: (line: string) => void;
  readonly killedAt: number[];
  readonly members: readonly Member[];
};

async function killAll(
  { plan, killedAt, models }: Watching,
  workers: readonly Member[],
  signal: AbortSignal,
): Promise<void> {
  for (const { afterMs, afterReplies, worker, sparesStarting } of plan.kills) {
    const replies = models.replies.length;
    await delay(afterMs, undefined, { signal });
    await untilReplies(models, replies + afterReplies, signal);
    const member = workers[worker];
    if (member === undefined || (sparesStarting && !(await member.isReady()))) continue;
    if (member.kill()) killedAt.push(Date.now());
  }
}

async function restartAll(
  { plan, models, say }: Watching,
  database: ShakyDatabase,
  signal: AbortSignal,
): Promise<void> {
  for (const restart of plan.restarts) {
    await untilReplies(models, restart.afterReplies, signal);
    say(`the database goes (${restart.how})`);
    await database.restart(restart);
    say("the database is back");
  }
}

async function untilReplies(models: Models, count: number, signal: AbortSignal): Promise<void> {
  while (models.replies.length < count) await delay(REPLIES_LOOK_MS, undefined, { signal });
}

/** Resolves when everything was asked for and every task has ended, to why it was given up. */
async function untilEnded(
  database: ShakyDatabase,
  { plan, startedAt, say, killedAt, members, isAsked }: Watching & { readonly isAsked: () => boolean },
  signal: AbortSignal,
): Promise<string[]> {
  let said = 0;
  for (;;) {
    const rows = await database.query<{ state: string; count: number }>(TASKS_BY_STATE);
    const count = (...states: string[]) =>
      rows.filter(({ state }) => states.includes(state)).reduce((sum, row) => sum + Number(row.count), 0);
    const open = count("queued", "running");
    const ended = count("succeeded", "failed", "ignored", "superseded");
    const tookS = Math.round((Date.now() - startedAt) / 1000);
    if (tookS >= said + 10) {
      said = tookS;
      const falls = members.reduce((sum, member) => sum + member.falls.length, 0);
      say(
        `${tookS} s: ${ended} of ${plan.cases.length} tasks ended, ${count("failed")} failed, ${killedAt.length} kills, ${falls} falls`,
      );
    }
    if (signal.aborted) return ["it was stopped"];
    if (isAsked() && open === 0 && ended >= plan.cases.length) return [];
    if (Date.now() - startedAt > plan.size.limitMs)
      return [`only ${ended} of ${plan.cases.length} tasks ended within the limit`];
    await delay(LOOK_MS);
  }
}

const TASKS_BY_STATE = "SELECT state, count(*)::int AS count FROM pullwright.tasks GROUP BY state";
