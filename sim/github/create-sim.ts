/** From a seed to a Sim: keys, accounts, bare repositories with their first commits, installations. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { git, initBare, writeCommit } from "./git.ts";
import { noreplyEmail } from "./json/accounts.ts";
import type { Account, App, Repo } from "./records.ts";
import type { ParsedSeed, RepositorySeed } from "./seed.ts";
import { Sim } from "./sim.ts";
import { writeHook } from "./update-hook.ts";

const FIRST_USER_ID = 1001;
const FIRST_ID = 500_000;

type Options = { readonly dir: string; readonly seedDir: string; readonly now: () => number };

export async function createSim(seed: ParsedSeed, options: Options): Promise<Sim> {
  const createdAt = new Date(options.now()).toISOString().replace(/\.\d+Z$/, "Z");
  const accounts = seed.users.map((user, index): Account => {
    return { id: user.id ?? FIRST_USER_ID + index, login: user.login, type: user.type, createdAt };
  });
  const bot: Account = { id: 900_000 + seed.app.id, login: `${seed.app.slug}[bot]`, type: "Bot", createdAt };
  const app = createApp(seed.app, { bot, owner: accounts[0] ?? bot, createdAt });
  const sim = new Sim({ dir: options.dir, now: options.now, app, firstId: FIRST_ID });
  sim.accounts.push(...accounts, bot);
  // Parents before forks.
  const ordered = seed.repositories.toSorted((one, other) => Number(!!one.fork_of) - Number(!!other.fork_of));
  for (const repository of ordered) sim.repos.push(await createRepo(sim, repository, options.seedDir));
  addInstallations(sim);
  return sim;
}

function createApp(seed: ParsedSeed["app"], rest: Pick<App, "bot" | "owner" | "createdAt">): App {
  const privateKey = seed.privateKey ?? generateKey();
  const publicKey = createPublicKey(createPrivateKey(privateKey)).export({ type: "spki", format: "pem" }).toString();
  return { id: seed.id, slug: seed.slug, privateKey, publicKey, permissions: seed.permissions, ...rest };
}

/** PKCS#1, the form in which GitHub hands out App keys. */
function generateKey(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs1", format: "pem" }).toString();
}

async function createRepo(sim: Sim, seed: RepositorySeed, seedDir: string): Promise<Repo> {
  const owner = sim.account(seed.owner);
  if (!owner) throw new Error(`the seed's repository ${seed.owner}/${seed.name} has an owner who is no user`);
  const gitDir = join(sim.dir, seed.owner, `${seed.name}.git`);
  const parent = seed.fork_of ? findParent(sim, seed.fork_of) : null;
  await mkdir(join(sim.dir, seed.owner), { recursive: true });
  await initBare(gitDir, seed.defaultBranch);
  if (parent) await git(gitDir, ["fetch", "--quiet", parent.gitDir, "+refs/heads/*:refs/heads/*"]);
  await writeFirstCommit(gitDir, { seed, seedDir, owner });
  await writeHook(gitDir);
  return {
    id: seed.id ?? sim.nextId(),
    owner,
    name: seed.name,
    fullName: `${owner.login}/${seed.name}`,
    formerNames: [],
    isPrivate: seed.private,
    defaultBranch: seed.defaultBranch,
    gitDir,
    collaborators: new Map(Object.entries(seed.collaborators).map(([login, level]) => [login.toLowerCase(), level])),
    isInstalled: seed.installed,
    forkOf: parent,
    createdAt: sim.time(),
    pushedAt: sim.time(),
    labels: [],
    threads: [],
    comments: [],
    reviews: [],
    reviewComments: [],
    checkRuns: [],
    rules: [],
    isArchived: false,
  };
}

function findParent(sim: Sim, fullName: string): Repo {
  const [owner = "", name = ""] = fullName.split("/");
  const parent = sim.repo(owner, name);
  if (!parent) throw new Error(`the seed has a fork of ${fullName}, which is no repository of it`);
  return parent;
}

type FirstCommit = { readonly seed: RepositorySeed; readonly seedDir: string; readonly owner: Account };

/** A fork without files of its own stays as its parent; any other repository gets a commit, if only a README. */
async function writeFirstCommit(gitDir: string, { seed, seedDir, owner }: FirstCommit): Promise<void> {
  if (seed.fork_of) return;
  const isEmpty = seed.files === undefined && seed.content === undefined;
  const sha = await writeCommit(gitDir, {
    parent: null,
    ...(seed.files === undefined ? {} : { folder: resolve(seedDir, seed.files) }),
    files: isEmpty ? { "README.md": `# ${seed.name}\n` } : (seed.content ?? {}),
    message: "First commit",
    name: owner.login,
    email: noreplyEmail(owner),
  });
  await git(gitDir, ["update-ref", `refs/heads/${seed.defaultBranch}`, sha]);
}

/** One installation per owner, on those of the owner's repositories that the seed says. */
function addInstallations(sim: Sim): void {
  for (const account of sim.accounts) {
    const owned = sim.repos.filter((repo) => repo.owner === account);
    const repos = owned.filter((repo) => repo.isInstalled);
    if (repos.length === 0) continue;
    const selection = repos.length === owned.length ? "all" : "selected";
    sim.installations.push({ id: sim.nextId(), account, repos, selection, createdAt: sim.time(), suspendedAt: null });
  }
}
