/** The whole product on real parts: database, server, worker, git, sandbox. Only GitHub and the models are stand-ins. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WebhookServer } from "../src/webhook/server.ts";
import { openLog, openRunParts, openStore, runQueued, startServer, startWorker, type Store } from "../src/main.ts";
import { readSettings, type Settings } from "../src/settings.ts";
import { listTasks, type StoredTask } from "../src/store/tasks.ts";
import type { GitHub } from "../sim/github/github.ts";
import { startModels, type Models, type Script } from "../sim/models/models.ts";
import { openTestDatabase } from "./database.ts";
import { actAs, AT, openGitHub } from "./github.ts";

export type Wire = "anthropic" | "openai";

export type WorldOptions = {
  /** With both, Anthropic's model writes and OpenAI's reviews. */
  readonly wire: Wire | "both";
  readonly script: Script;
  readonly files: Readonly<Record<string, string>>;
  /** Settings other than the usual ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** False when a test starts workers of its own, as processes. */
  readonly withWorker?: boolean;
};

const ENDED: readonly StoredTask["state"][] = ["succeeded", "failed", "ignored", "superseded"];

/** The keys and secrets that exist in a world: none may turn up where it does not belong. */
export const SECRETS = { anthropic: "sk-ant-test-0123456789abcdef", openai: "sk-proj-test-0123456789abcdef" } as const;

export class World implements AsyncDisposable {
  readonly github: GitHub;
  readonly models: Models;
  readonly store: Store;
  readonly settings: Settings;
  /** What a worker process of this world is started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly #stack: AsyncDisposableStack;
  #server: WebhookServer | null;

  private constructor(
    parts: Pick<World, "github" | "models" | "store" | "settings" | "env"> & { readonly server: WebhookServer },
    stack: AsyncDisposableStack,
  ) {
    this.github = parts.github;
    this.models = parts.models;
    this.store = parts.store;
    this.settings = parts.settings;
    this.env = parts.env;
    this.#server = parts.server;
    this.#stack = stack;
  }

  static async open(options: WorldOptions): Promise<World> {
    await using stack = new AsyncDisposableStack();
    const dataDir = await mkdtemp(join(tmpdir(), "pw-world-"));
    stack.defer(() => rm(dataDir, { recursive: true, force: true }));
    await chmod(dataDir, 0o711); // The sandbox's own user must pass through.
    const database = stack.use(await openTestDatabase());
    const github = stack.use(await openGitHub(options.files));
    const models = await startModels({ script: options.script });
    stack.defer(() => models.close());
    const places = { dataDir, databaseUrl: database.url, github, models, wire: options.wire };
    const env = { ...environment(places), ...options.env };
    const settings = readSettings(env);
    const log = openLog(settings);
    const store = stack.use(await openStore(settings, log));
    const server = await startServer(settings, store, log);
    stack.defer(() => server.close());
    github.setWebhookUrl(`${server.url}${settings.webhookPath}`);
    if (options.withWorker !== false) await startWorker(settings, store, log);
    return new World({ github, models, store, settings, env, server }, stack.move());
  }

  /** The webhook server goes away: deliveries fail until `comeBack`. */
  async goAway(): Promise<void> {
    await this.#server?.close();
    this.#server = null;
  }

  async comeBack(): Promise<void> {
    const server = await startServer(this.settings, this.store, openLog(this.settings));
    this.#server = server;
    this.#stack.defer(() => server.close());
    this.github.setWebhookUrl(`${server.url}${this.settings.webhookPath}`);
  }

  /** GitHub's API as this person uses it. */
  as(login: string): ReturnType<typeof actAs> {
    return actAs(this.github, login);
  }

  /** Someone opens an issue and ada puts the label on. Resolves to its number. */
  async labelIssue(issue: { readonly title: string; readonly body: string }, login = "ada"): Promise<number> {
    const { number } = (await this.as(login).issues.create({ ...AT, ...issue })).data;
    await this.as("ada").issues.addLabels({ ...AT, issue_number: number, labels: ["agent"] });
    return number;
  }

  /** Resolves when `count` tasks have ended and no other is waiting or running. Rejects after `waitMs`. */
  async ended(count: number, waitMs = 50_000): Promise<readonly StoredTask[]> {
    return this.until(waitMs, async () => {
      const tasks = await listTasks(this.store.database, { limit: 100 });
      return tasks.length >= count && tasks.every(({ state }) => ENDED.includes(state)) ? tasks : null;
    });
  }

  /** Asks until there is an answer: for facts that no journal entry announces. */
  async until<T>(waitMs: number, ask: () => Promise<T | null>): Promise<T> {
    const giveUpAt = Date.now() + waitMs;
    for (;;) {
      const answer = await ask();
      if (answer !== null) return answer;
      if (Date.now() > giveUpAt) throw new Error(`nothing after ${waitMs} ms: ${await this.describe()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The same task once more, as after a worker that was lost when everything had been said and done. */
  async runAgain(task: StoredTask): Promise<void> {
    await this.store.database.query("UPDATE pullwright.tasks SET state = 'running' WHERE id = $1", [task.id]);
    const parts = await openRunParts(this.settings, this.store.database, openLog(this.settings));
    await runQueued(parts, this.store.database, task.id, new AbortController().signal);
  }

  async describe(): Promise<string> {
    const tasks = await this.store.database.query("SELECT key, state, attempt FROM pullwright.tasks");
    const journal = await this.store.database.query(
      "SELECT kind, left(entry::text, 300) AS entry FROM pullwright.journal ORDER BY at DESC LIMIT 5",
    );
    const deliveries = await this.store.database.query("SELECT event, decision, reason FROM pullwright.deliveries");
    return JSON.stringify({ tasks, journal, deliveries }, null, 1);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

type Places = {
  readonly dataDir: string;
  readonly databaseUrl: string;
  readonly github: GitHub;
  readonly models: Models;
  readonly wire: WorldOptions["wire"];
};

/** The environment a real installation would have. When only one vendor has a key, that one does everything. */
function environment({ dataDir, databaseUrl, github, models, wire }: Places): Record<string, string> {
  const anthropic = { ANTHROPIC_API_KEY: SECRETS.anthropic, ANTHROPIC_BASE_URL: models.anthropicBaseUrl };
  const openai = { OPENAI_API_KEY: SECRETS.openai, OPENAI_BASE_URL: models.openaiBaseUrl };
  return {
    ...(wire === "openai" ? {} : anthropic),
    ...(wire === "anthropic" ? {} : openai),
    APP_ID: String(github.appId),
    PRIVATE_KEY: github.privateKey,
    WEBHOOK_SECRET: github.webhookSecret,
    GITHUB_API_URL: github.apiUrl,
    DATABASE_URL: databaseUrl,
    PULLWRIGHT_DATA: dataDir,
    PORT: "0",
    // Most scripts have no part for a reviewer.
    PULLWRIGHT_SECOND_OPINION: "off",
    PULLWRIGHT_LOG: process.env["PULLWRIGHT_TEST_LOG"] ?? "silent",
  };
}
