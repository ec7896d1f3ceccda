/** The composition root of the server and the worker: settings become parts, parts meet here and nowhere else. */
import { join } from "node:path";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pino, type Logger } from "pino";
import { TransientError } from "./failure.ts";
import { openForge } from "./forge/github.ts";
import { webUrlOf } from "./forge/github-client.ts";
import { modelKeys } from "./model-settings.ts";
import { throughBatches } from "./model/batch-open.ts";
import type { Model } from "./model/model.ts";
import { cacheReplies } from "./model/response-cache.ts";
import { chooseModels, sharedModels } from "./model/roles.ts";
import { watchSpending } from "./ops/alerts.ts";
import { keepDoing } from "./ops/keep-doing.ts";
import { Queue } from "./queue/queue.ts";
import { keepHouse } from "./run/keep-house.ts";
import { openRecords } from "./run/records.ts";
import { PROGRESS_GAP_MS } from "./run/progress.ts";
import { failTask, runTask, type RunParts, type TaskRun } from "./run/run-task.ts";
import { warmMirrors } from "./run/warm-mirrors.ts";
import { openSetUp } from "./run/open-set-up.ts";
import { takeDelivery } from "./run/take-delivery.ts";
import { openSandbox } from "./sandbox/open-sandbox.ts";
import { requireIsolation } from "./sandbox/require-isolation.ts";
import { requireGitHub, type Settings } from "./settings.ts";
import { postgresBatches } from "./store/batches.ts";
import { hearMirrorWishes } from "./store/mirror-wishes.ts";
import { postgresReplies } from "./store/replies.ts";
import { openDatabase, type Database, type Sql } from "./store/database.ts";
import { knownDeliveries } from "./store/deliveries.ts";
import { beginSweep, endSweep } from "./store/sweeps.ts";
import { countSteps, finishTask, markRunning, readTask } from "./store/tasks.ts";
import type { Rules } from "./trigger/decide.ts";
import { pullwrightApp, type Accept } from "./webhook/app.ts";
import { sweepDeliveries } from "./webhook/sweep.ts";
import { startWebhookServer, type WebhookServer } from "./webhook/server.ts";
import type { TaskId } from "./task.ts";
import { Mirrors } from "./workspace/mirror.ts";
import { Workspace } from "./workspace/workspace.ts";
import { findBrowserOnce } from "./tools/find-browser.ts";

/** What the server and the worker of one machine share. */
export type Store = AsyncDisposable & {
  readonly database: Database;
  readonly queue: Queue<Sql>;
  /** Ends with the store, before the queue and the database do. */
  readonly use: (part: AsyncDisposable) => void;
};

/** GitHub keeps what it could not deliver for three days, and what we keep we keep for days: an hour more or less is nothing. */
const HOUR_MS = 3_600_000;

export function openLog(settings: Settings): Logger {
  return pino({ level: settings.logLevel, base: null });
}

export async function openStore(settings: Settings, log: Logger): Promise<Store> {
  const database = await openDatabase(settings);
  log.info({ engine: database.engine }, "database open");
  try {
    const queue = await Queue.open<Sql>({
      url: database.url,
      transaction: (fn) => database.transaction(fn),
      listen: (channel, hear) => database.listen(channel, hear),
      onError: (error, taskId) => log.warn({ err: error, taskId }, "queue trouble"),
    });
    const stack = new AsyncDisposableStack();
    stack.use(database);
    stack.defer(() => queue.stop({ graceMs: settings.graceMs }));
    const use = (part: AsyncDisposable) => void stack.use(part);
    return { database, queue, use, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Takes deliveries until it is closed. Does no work itself. */
export async function startServer(settings: Settings, store: Store, log: Logger): Promise<WebhookServer> {
  const github = requireGitHub(settings);
  const rules = await readRules(settings, log);
  const { queue, database } = store;
  const accept: Accept = async (delivery) => {
    await takeDelivery(queue, delivery, Date.now);
  };
  const server = await startWebhookServer({
    ...{ appId: github.appId, privateKey: github.privateKey, secret: github.webhookSecret, apiUrl: github.apiUrl },
    ...{ host: settings.host, port: settings.port, webhookPath: settings.webhookPath },
    webhookProxyUrl: settings.webhookProxyUrl,
    app: pullwrightApp({ rules, accept, log }),
    routes: [healthRoute(database)],
    log,
  });
  log.info({ url: server.url, path: settings.webhookPath }, "listening for deliveries");
  const sweeping = keepDoing({
    chore: (stopping) =>
      sweepDeliveries({
        ...{ ...openForge(github).deliveryLog, accept, rules, log, stopping, now: Date.now },
        known: (guids) => knownDeliveries(database, guids),
        begin: () => beginSweep(database, Date.now()),
        end: (sweptTo) => endSweep(database, sweptTo),
      }),
    everyMs: HOUR_MS,
    onError: (error) => log.warn({ err: error }, "the delivery log could not be swept"),
  });
  const close = async () => {
    await server.close();
    await sweeping[Symbol.asyncDispose]();
  };
  return { ...server, close };
}

/** Works on tasks until the store is closed. Refuses to start without isolation, naming the remedy. */
export async function startWorker(settings: Settings, store: Store, log: Logger): Promise<void> {
  const parts = await openRunParts(settings, store.database, log);
  await Workspace.sweep(parts.runsDir);
  await parts.mirrors.sweep();
  const { database, queue } = store;
  const { alertUrl } = settings;
  const webUrl = webUrlOf(requireGitHub(settings).apiUrl);
  store.use(watchSpending({ database, alertUrl, webUrl, now: Date.now, log }));
  store.use(
    keepDoing({
      chore: () => keepHouse({ ...parts, queue, database, keep: settings.keep }),
      everyMs: HOUR_MS,
      onError: (error) => log.warn({ err: error }, "what a worker does every hour could not be done"),
    }),
  );
  const { mirrors, reader } = parts;
  store.use(await warmMirrors({ mirrors, reader, log, hear: (hear) => hearMirrorWishes(database, hear) }));
  await queue.work({
    concurrency: settings.concurrency,
    run: (taskId, { leaving }, signal) => runQueued({ ...parts, leaving }, database, taskId, signal),
    progress: (taskId) => countSteps(database, taskId),
    fail: async (taskId, message, cause) => {
      log.error({ taskId, err: cause }, "run failed");
      const task = await readTask(database, taskId);
      // A task may be given up before any attempt at it could be written down.
      const attempt = task?.attempt || (await markRunning(database, taskId));
      if (task === null || attempt === null) return;
      await failTask(parts, withRecords(parts, database, task, attempt), message);
      await finishTask(database, { taskId, attempt, state: "failed" });
    },
  });
  log.info({ concurrency: settings.concurrency, sandbox: parts.sandbox.driver }, "working on tasks");
}

/** The next attempt at a task, to its end. Nothing is done for a task that has ended. */
export async function runQueued(
  parts: RunParts,
  database: Database,
  taskId: TaskId,
  signal: AbortSignal,
): Promise<void> {
  const attempt = await markRunning(database, taskId);
  const task = await readTask(database, taskId);
  if (attempt === null || task === null) return; // Ended by another worker, or gone with its repository.
  const { log } = parts;
  log.info({ taskId, attempt, goal: task.goal, repo: task.repo.id, thread: task.thread.number }, "run starts");
  const state = await runTask(parts, withRecords(parts, database, task, attempt), signal);
  await finishTask(database, { taskId, attempt, state });
  log.info({ taskId, attempt, state }, "run ended");
}

/** Everything a run needs, checked: models with keys, a sandbox that isolates. */
export async function openRunParts(settings: Settings, database: Database, log: Logger): Promise<RunParts> {
  const github = requireGitHub(settings);
  chooseModels(settings); // Missing keys are told at the start, not by the first task.
  const sandbox = openSandbox(settings);
  await requireIsolation(sandbox, (message) => log.warn({}, message));
  const { reader, writer } = openForge(github);
  const secrets = [
    github.privateKey,
    github.webhookSecret,
    ...modelKeys(settings),
    settings.alertUrl,
    ...Object.values(settings.setUpSecrets),
  ].filter((s) => typeof s === "string");
  return {
    ...{ reader, writer, sandbox, log, now: Date.now },
    progressGapMs: PROGRESS_GAP_MS,
    mirrors: new Mirrors(join(settings.dataDir, "mirrors"), { bytesMax: settings.mirrorBytesMax }),
    openModels: reviewingModels(settings, database, secrets),
    findBrowser: findBrowserOnce(sandbox, settings.sandboxTools),
    wantsOpinion: settings.secondOpinion,
    commentsAlerts: settings.alertUrl === null,
    dayLimits: settings.dayLimits,
    setUp: openSetUp(settings),
    runsDir: join(settings.dataDir, "runs"),
    resultsDir: join(settings.dataDir, "results"),
    limits: settings.limits,
    secrets,
  };
}

/** The models of a run; in a review those that may wait for a batch, and those whose replies are kept, as the repository says. */
function reviewingModels(settings: Settings, database: Database, secrets: readonly string[]): RunParts["openModels"] {
  const models = sharedModels(settings, Date.now);
  const inBatches = throughBatches({ accounts: settings, store: postgresBatches(database), now: Date.now });
  return async (role, { models: wanted, review: rules }, review) => {
    const [first, ...others] = models(role, wanted);
    if (review === null) return [first, ...others];
    const keptMsMax = settings.keep.replyMs;
    const replies = postgresReplies(database, { repoId: review.repoId, secrets, keptMsMax, now: Date.now });
    const answered = (direct: Model): Model => {
      // Not for a sub-agent: nothing may wait for a day in the middle of a tool call.
      const model = rules.batch && review.mayWait && role === "reviewer" ? inBatches(direct) : direct;
      return rules.cache ? cacheReplies(model, replies, secrets.join(" ")) : model;
    };
    return [answered(first), ...others.map(answered)];
  };
}

function withRecords(parts: RunParts, database: Database, task: TaskRun["task"], attempt: number): TaskRun {
  const { secrets, now, dayLimits, resultsDir } = parts;
  return { task, attempt, records: openRecords(database, task, { attempt, now, secrets, dayLimits, resultsDir }) };
}

/** The App's own name is asked of GitHub. While GitHub is away deliveries are taken all the same, under the usual name. */
async function readRules(settings: Settings, log: Logger): Promise<Rules> {
  const slug = await openForge(requireGitHub(settings))
    .appSlug()
    .catch((error: unknown) => {
      if (!(error instanceof TransientError)) throw error;
      log.warn({ err: error }, "GitHub could not be asked for the App's name");
      return "pullwright";
    });
  return { label: settings.label, slug, automaticReview: true, reviewDrafts: false };
}

/** 200 while deliveries can be made durable, 503 while they cannot. */
function healthRoute(database: Database): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    if (request.method !== "GET" || request.url !== "/healthz") return false;
    const answer = (status: number, text: string) => {
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
    };
    database.query("SELECT 1").then(
      () => answer(200, `ok, ${database.engine}`),
      () => answer(503, "the database does not answer"),
    );
    return true;
  };
}
