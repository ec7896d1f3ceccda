/**
 * A stand-in for GitHub over real bare repositories: the REST and GraphQL API, git over HTTP and signed deliveries, with GitHub's
 * shapes and refusals. For tests, the demo and the benches; it never speaks to the network beyond the webhook URL it is given.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createControls, type Controls } from "./controls.ts";
import { createSim } from "./create-sim.ts";
import { emitInstallations } from "./events.ts";
import { Failures, type Interlude, type PlannedFailure } from "./failures.ts";
import { branchTip, git, resolveCommit, writeCommit, ZERO_SHA, type FileChanges } from "./git.ts";
import { createGraphql } from "./graphql.ts";
import { noreplyEmail } from "./json/accounts.ts";
import { applyPush } from "./pushes.ts";
import { GitHubSeed, type ParsedSeed } from "./seed.ts";
import { createListener, type RequestLog } from "./server.ts";
import type { Sim } from "./sim.ts";
import { createReaders, type Readers } from "./state.ts";
import { Webhooks, type Delivery } from "./webhooks.ts";

export type { GitHubSeed } from "./seed.ts";
export type { PlannedFailure } from "./failures.ts";
export type { Delivery } from "./webhooks.ts";
export type { RequestLog } from "./server.ts";

export type GitHubOptions = {
  readonly seed: GitHubSeed;
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly host?: string;
  /** Where the bare repositories are made; a folder of its own, removed on close, when missing. */
  readonly dir?: string;
  /** What the seed's `files` are relative to; the working directory when missing. */
  readonly seedDir?: string;
  readonly now?: () => number;
};

export type Commit = {
  readonly login: string;
  readonly message: string;
  /** Branch, tag or SHA a new branch starts at. */ readonly from?: string;
};

/** Repositories are named "owner/name" throughout. */
export type GitHub = Readers &
  Controls & {
    readonly url: string;
    readonly apiUrl: string;
    readonly appId: number;
    readonly slug: string;
    readonly privateKey: string;
    readonly webhookSecret: string;
    readonly requests: readonly RequestLog[];
    readonly deliveries: readonly Delivery[];
    /** A personal token: with it, people act through the same API and the same git. */
    tokenFor(login: string): string;
    setWebhookUrl(url: string | null): void;
    /** Sends installation.created for each installation. */
    announceInstallations(): void;
    gitDir(repository: string): string;
    /** As if `login` had pushed one commit with these files (null deletes); returns its SHA. */
    commitFiles(repository: string, branch: string, change: Commit & { readonly files: FileChanges }): Promise<string>;
    failNext(failure: PlannedFailure): void;
    /** Lets `act` happen before the next request that fits, once. */
    before(interlude: Interlude): void;
    redeliver(deliveryId: number): Delivery;
    settled(): Promise<void>;
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
  };

export async function startGitHub(options: GitHubOptions): Promise<GitHub> {
  const seed = GitHubSeed.parse(options.seed);
  const now = options.now ?? Date.now;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "sim-github-")));
  const sim = await createSim(seed, { dir, seedDir: options.seedDir ?? process.cwd(), now });
  const failures = new Failures();
  const log: RequestLog[] = [];
  const readers = createReaders(sim);
  const server = createServer(
    createListener({ sim, failures, log, graphql: createGraphql(), state: () => readers.state() }),
  );
  const url = await listen(server, { port: options.port ?? 0, host: options.host ?? "127.0.0.1" });
  const hooks = openHooks(sim, seed.app, url);
  const close = async () => {
    await hooks.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  };
  return {
    ...readers,
    ...createControls(sim),
    url,
    apiUrl: sim.apiUrl,
    appId: sim.app.id,
    slug: sim.app.slug,
    privateKey: sim.app.privateKey,
    webhookSecret: seed.app.webhookSecret,
    requests: log,
    deliveries: hooks.log,
    tokenFor: (login) => sim.personalToken(login),
    setWebhookUrl: (target) => hooks.setUrl(target),
    announceInstallations: () => emitInstallations(sim),
    commitFiles: (repository, branch, change) => commitFiles(sim, { repository, branch, ...change }),
    failNext: (failure) => failures.add(failure),
    before: (interlude) => failures.addInterlude(interlude),
    redeliver: (id) => {
      const delivery = hooks.redeliver(id);
      if (!delivery) throw new Error(`no delivery ${id}`);
      return delivery;
    },
    settled: () => hooks.settled(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function openHooks(sim: Sim, app: ParsedSeed["app"], url: string): Webhooks {
  const hooks = new Webhooks({
    secret: app.webhookSecret,
    url: app.webhookUrl ?? null,
    appId: app.id,
    enterpriseHost: () => new URL(url).host,
    nextId: () => sim.nextId(),
    now: sim.now,
    time: () => sim.time(),
  });
  sim.open(url, hooks);
  return hooks;
}

async function listen(server: Server, { port, host }: { port: number; host: string }): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return `http://${host === "0.0.0.0" ? "127.0.0.1" : host}:${address.port}`;
}

type CommitFiles = Commit & { readonly repository: string; readonly branch: string; readonly files: FileChanges };

async function commitFiles(sim: Sim, request: CommitFiles): Promise<string> {
  const [owner = "", name = ""] = request.repository.split("/");
  const repo = sim.repo(owner, name);
  const sender = sim.account(request.login);
  if (!repo || !sender) throw new Error(`no such repository or user: ${request.repository}, ${request.login}`);
  return sim.inTurn(repo, async () => {
    const tip = await branchTip(repo.gitDir, request.branch);
    const parent = tip ?? (await resolveCommit(repo.gitDir, request.from ?? repo.defaultBranch));
    const sha = await writeCommit(repo.gitDir, {
      parent,
      files: request.files,
      message: request.message,
      name: sender.login,
      email: noreplyEmail(sender),
    });
    const ref = `refs/heads/${request.branch}`;
    await git(repo.gitDir, ["update-ref", ref, sha]);
    await applyPush(sim, { repo, sender }, [{ ref, before: tip ?? ZERO_SHA, after: sha }]);
    return sha;
  });
}
