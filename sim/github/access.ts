/** Who may do what: an installation token by its permissions, a person by their level on the repository. */
import type { Actor } from "./auth.ts";
import type { Account, Level, Permissions, Repo, Thread } from "./records.ts";
import { GitHubError, notFound, type Call } from "./reply.ts";
import type { Sim } from "./sim.ts";

const RANK: Readonly<Record<Level, number>> = { none: 0, read: 1, write: 2, admin: 3 };

export type Need = {
  /** Any one of these is enough for an installation token. */
  readonly app: Permissions;
  readonly person: "read" | "write" | "admin";
  /** Whether something changes; then a public repository is not open to everyone. */
  readonly writes: boolean;
};

export const READ_METADATA: Need = { app: { metadata: "read" }, person: "read", writes: false };

export function levelOf(repo: Repo, account: Account): Level {
  if (account.id === repo.owner.id) return "admin";
  return repo.collaborators.get(account.login.toLowerCase()) ?? (repo.isPrivate ? "none" : "read");
}

/** The repository named by the call's :owner and :repo, when the caller may do what `need` says; else GitHub's refusal. */
export function openRepo(call: Call, need: Need): Repo {
  const repo = call.sim.repo(call.params["owner"] ?? "", call.params["repo"] ?? "");
  if (!repo) throw notFound();
  const refusal = refuse(call.sim, call.actor, { repo, need });
  if (refusal) throw refusal;
  return repo;
}

export function refuse(sim: Sim, actor: Actor, { repo, need }: { repo: Repo; need: Need }): GitHubError | null {
  return refuseActor(sim, actor, { repo, need }) ?? (need.writes && repo.isArchived ? archived() : null);
}

function archived(): GitHubError {
  return new GitHubError(403, "Repository was archived so is read-only.");
}

function refuseActor(sim: Sim, actor: Actor, { repo, need }: { repo: Repo; need: Need }): GitHubError | null {
  switch (actor.kind) {
    case "nobody":
      if (repo.isPrivate) return notFound();
      return need.writes ? new GitHubError(401, "Requires authentication") : null;
    case "app":
      return new GitHubError(401, "Bad credentials");
    case "person": {
      const level = levelOf(repo, actor.user);
      if (level === "none") return notFound();
      if (RANK[level] >= RANK[need.person]) return null;
      return new GitHubError(403, `Must have ${need.person} rights to Repository.`);
    }
    case "installation":
      if (actor.installation.suspendedAt) return new GitHubError(403, "This installation has been suspended");
      if (!actor.repos.includes(repo)) {
        if (repo.isPrivate) return notFound();
        return need.writes ? notAccessible() : null;
      }
      return sim.installationOf(repo) && grants(actor.permissions, need.app) ? null : notAccessible();
  }
}

export function notAccessible(): GitHubError {
  return new GitHubError(403, "Resource not accessible by integration");
}

function grants(held: Permissions, wanted: Permissions): boolean {
  return Object.entries(wanted).some(([name, level]) => {
    const grant = Object.entries(held).find(([key]) => key === name)?.[1];
    return grant !== undefined && (grant === "write" || grant === level);
  });
}

/** A conversation belongs to "issues", and on a pull request just as well to "pull_requests". */
export function conversation(thread: Thread | null, grant: "read" | "write"): Permissions {
  return thread?.pull ? { issues: grant, pull_requests: grant } : { issues: grant };
}

/** The repository and its issue or pull request :number, for one who may read or write the conversation. */
export function openThread(
  call: Call,
  grant: "read" | "write",
  person: Need["person"] = "read",
): { readonly repo: Repo; readonly thread: Thread } {
  const repo = openRepo(call, READ_METADATA);
  const thread = repo.threads.find((one) => one.number === Number(call.params["number"])) ?? null;
  openRepo(call, { app: conversation(thread, grant), person, writes: grant === "write" });
  if (!thread) throw notFound();
  return { repo, thread };
}
