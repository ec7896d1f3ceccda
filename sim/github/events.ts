/** What happened, as deliveries: each function here makes one webhook event in GitHub's shape and sends it. */
import type { Account, Comment, Label, PullThread, Repo, Review, ReviewComment, Thread } from "./records.ts";
import { isPull, nodeId, type Sim } from "./sim.ts";
import { installationJson, userJson } from "./json/accounts.ts";
import { pullEventJson, pullSimpleJson, reviewCommentJson, reviewEventJson } from "./json/pull.ts";
import { repositoryJson } from "./json/repository.ts";
import { commentJson, issueJson, labelJson } from "./json/thread.ts";

type What = {
  readonly event: string;
  readonly action: string | null;
  readonly repo: Repo;
  readonly sender: Account;
  readonly payload: Readonly<Record<string, unknown>>;
};

/** Nothing is sent for a repository the App is not installed on. */
export function emit(sim: Sim, { event, action, repo, sender, payload }: What): void {
  const installation = sim.installationOf(repo);
  if (!installation) return;
  sim.hooks.send({
    event,
    action,
    installationId: installation.id,
    repositoryId: repo.id,
    payload: {
      ...(action === null ? {} : { action }),
      ...payload,
      ...("repository" in payload ? {} : { repository: repositoryJson(sim, repo) }),
      ...(repo.owner.type === "Organization" ? { organization: organizationJson(sim, repo.owner) } : {}),
      sender: userJson(sim, sender),
      installation: { id: installation.id, node_id: installationNodeId(installation.id) },
    },
  });
}

function organizationJson(sim: Sim, account: Account): Readonly<Record<string, unknown>> {
  const url = `${sim.apiUrl}/orgs/${account.login}`;
  return {
    login: account.login,
    id: account.id,
    node_id: nodeId("O", account.id),
    url,
    repos_url: `${url}/repos`,
    events_url: `${url}/events`,
    hooks_url: `${url}/hooks`,
    issues_url: `${url}/issues`,
    members_url: `${url}/members{/member}`,
    public_members_url: `${url}/public_members{/member}`,
    avatar_url: `${sim.url}/avatars/u/${account.id}?v=4`,
    description: "",
  };
}

export type ThreadAction =
  "opened" | "edited" | "closed" | "reopened" | "labeled" | "unlabeled" | "ready_for_review" | "converted_to_draft";

/** "issues" for an issue, "pull_request" for a pull request. */
export function emitThread(
  sim: Sim,
  what: { readonly repo: Repo; readonly thread: Thread; readonly sender: Account; readonly action: ThreadAction },
  extra: Readonly<Record<string, unknown>> = {},
): void {
  const { repo, thread, sender, action } = what;
  const payload = isPull(thread)
    ? { number: thread.number, pull_request: pullEventJson(sim, repo, thread), ...extra }
    : { issue: issueJson(sim, repo, thread), ...extra };
  emit(sim, { event: thread.pull ? "pull_request" : "issues", action, repo, sender, payload });
}

export function emitLabel(
  sim: Sim,
  what: {
    readonly repo: Repo;
    readonly thread: Thread;
    readonly sender: Account;
    readonly action: "labeled" | "unlabeled";
  },
  label: Label,
): void {
  emitThread(sim, what, { label: labelJson(sim, what.repo, label) });
}

export function emitSynchronize(
  sim: Sim,
  what: { readonly repo: Repo; readonly thread: PullThread; readonly sender: Account; readonly before: string },
): void {
  const { repo, thread, sender, before } = what;
  const after = thread.pull.headSha;
  const payload = { number: thread.number, pull_request: pullEventJson(sim, repo, thread), before, after };
  emit(sim, { event: "pull_request", action: "synchronize", repo, sender, payload });
}

export function emitComment(
  sim: Sim,
  what: {
    readonly repo: Repo;
    readonly comment: Comment;
    readonly sender: Account;
    readonly action: "created" | "edited" | "deleted";
  },
  extra: Readonly<Record<string, unknown>> = {},
): void {
  const { repo, comment, sender, action } = what;
  const payload = {
    issue: issueJson(sim, repo, comment.thread),
    comment: commentJson(sim, repo, comment),
    ...extra,
  };
  emit(sim, { event: "issue_comment", action, repo, sender, payload });
}

export function emitReview(sim: Sim, repo: Repo, review: Review): void {
  const payload = {
    review: reviewEventJson(sim, repo, review),
    pull_request: pullSimpleJson(sim, repo, review.thread),
  };
  emit(sim, { event: "pull_request_review", action: "submitted", repo, sender: review.author, payload });
}

export function emitReviewComment(
  sim: Sim,
  what: {
    readonly repo: Repo;
    readonly comment: ReviewComment;
    readonly sender: Account;
    readonly action: "created" | "edited";
  },
  extra: Readonly<Record<string, unknown>> = {},
): void {
  const { repo, comment, sender, action } = what;
  const payload = {
    comment: reviewCommentJson(sim, repo, comment),
    pull_request: pullSimpleJson(sim, repo, comment.thread),
    ...extra,
  };
  emit(sim, { event: "pull_request_review_comment", action, repo, sender, payload });
}

/** One per installation, as when someone installs the App; sent only when asked, so that tests need not count it. */
export function emitInstallations(sim: Sim): void {
  for (const installation of sim.installations) {
    sim.hooks.send({
      event: "installation",
      action: "created",
      installationId: installation.id,
      repositoryId: null,
      payload: {
        action: "created",
        installation: installationJson(sim, installation),
        repositories: installation.repos.map((repo) => ({
          id: repo.id,
          node_id: nodeId("R", repo.id),
          name: repo.name,
          full_name: repo.fullName,
          private: repo.isPrivate,
        })),
        requester: null,
        sender: userJson(sim, installation.account),
      },
    });
  }
}

/** Webhooks still carry the old form of this one. */
function installationNodeId(id: number): string {
  return Buffer.from(`023:IntegrationInstallation${id}`).toString("base64");
}
