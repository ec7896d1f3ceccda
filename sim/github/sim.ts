/** One stand-in GitHub's whole memory: accounts, repositories, tokens. No module state, so several can live in one process. */
import { randomBytes } from "node:crypto";
import type { Account, App, Installation, Permissions, Pull, PullThread, Repo, Thread } from "./records.ts";
import type { Webhooks } from "./webhooks.ts";

/** An hour, as GitHub grants. */
export const TOKEN_LIFE_MS = 3_600_000;

export type Token =
  | { readonly kind: "person"; readonly user: Account }
  | {
      readonly kind: "installation";
      readonly installation: Installation;
      readonly repos: readonly Repo[];
      readonly permissions: Permissions;
      readonly expiresAt: number;
    };

type Parts = { readonly dir: string; readonly now: () => number; readonly app: App; readonly firstId: number };

export class Sim {
  readonly dir: string;
  readonly now: () => number;
  readonly app: App;
  readonly accounts: Account[] = [];
  readonly repos: Repo[] = [];
  readonly installations: Installation[] = [];
  readonly tokens = new Map<string, Token>();
  readonly #personalTokens = new Map<string, string>();
  #lastId: number;
  readonly #turns = new WeakMap<Repo, Promise<unknown>>();
  #hooks: Webhooks | null = null;
  #url = "";

  constructor(parts: Parts) {
    this.dir = parts.dir;
    this.now = parts.now;
    this.app = parts.app;
    this.#lastId = parts.firstId;
  }

  /** Where browsers and git go. Set once, when the port is known. */
  get url(): string {
    return this.#url;
  }

  get apiUrl(): string {
    return `${this.#url}/api/v3`;
  }

  get hooks(): Webhooks {
    if (!this.#hooks) throw new Error("the stand-in has not started");
    return this.#hooks;
  }

  open(url: string, hooks: Webhooks): void {
    this.#url = url;
    this.#hooks = hooks;
  }

  /** Unique over all kinds, so that an id of the wrong kind finds nothing. */
  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** GitHub's timestamps have no fractions. */
  time(at: number = this.now()): string {
    return new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
  }

  account(login: string): Account | null {
    const wanted = login.toLowerCase();
    return this.accounts.find((account) => account.login.toLowerCase() === wanted) ?? null;
  }

  repo(owner: string, name: string): Repo | null {
    const wanted = `${owner}/${name}`.toLowerCase();
    const named = this.repos.find((repo) => repo.fullName.toLowerCase() === wanted);
    return named ?? this.repos.find((repo) => repo.formerNames.some((name) => name.toLowerCase() === wanted)) ?? null;
  }

  installationOf(repo: Repo): Installation | null {
    return this.installations.find((installation) => installation.repos.includes(repo)) ?? null;
  }

  /** One at a time per repository: what moves refs must see what the one before it did. */
  inTurn<T>(repo: Repo, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(repo) ?? Promise.resolve()).then(work, work);
    this.#turns.set(repo, turn);
    return turn;
  }

  personalToken(login: string): string {
    const user = this.account(login);
    if (!user) throw new Error(`no such user: ${login}`);
    const known = this.#personalTokens.get(user.login);
    if (known) return known;
    const token = randomToken("ghp_");
    this.#personalTokens.set(user.login, token);
    this.tokens.set(token, { kind: "person", user });
    return token;
  }
}

export function randomToken(prefix: string): string {
  return prefix + randomBytes(27).toString("base64url").replaceAll(/[-_]/g, "x");
}

/** The opaque ids of GraphQL and webhooks: "I_" for issues, "PRRT_" for review threads. */
export function nodeId(prefix: string, id: number): string {
  return `${prefix}_${Buffer.from(`${prefix}:${id}`).toString("base64url")}`;
}

export function isPull(thread: Thread): thread is PullThread {
  return thread.pull !== null;
}

/** Every open pull request whose head is this branch, in whichever repository it was opened. */
export function pullsFrom(sim: Sim, headRepo: Repo, headRef: string): readonly { repo: Repo; thread: PullThread }[] {
  return openPulls(sim, (pull) => pull.headRepo === headRepo && pull.headRef === headRef);
}

export function openPulls(
  sim: Sim,
  accepts: (pull: Pull) => boolean,
): readonly { readonly repo: Repo; readonly thread: PullThread }[] {
  return sim.repos.flatMap((repo) =>
    repo.threads
      .filter(isPull)
      .filter((thread) => thread.state === "open" && accepts(thread.pull))
      .map((thread) => ({ repo, thread })),
  );
}
