/** What a test looks at: the state of a repository, in the API's own JSON. */
import type { Delivery } from "./webhooks.ts";
import { checkRunJson } from "./json/code.ts";
import { pullJson, reviewCommentJson, reviewJson } from "./json/pull.ts";
import { commentJson, issueJson } from "./json/thread.ts";
import type { Repo } from "./records.ts";
import { isPull, type Sim } from "./sim.ts";

/** Oldest first. */
export type Readers = {
  gitDir(repository: string): string;
  pulls(repository: string): ReturnType<typeof pullJson>[];
  /** Issues only, without the pull requests GitHub counts among them. */
  issues(repository: string): ReturnType<typeof issueJson>[];
  /** Of one issue or pull request, or of all. */
  comments(repository: string, number?: number): ReturnType<typeof commentJson>[];
  reviews(repository: string, number?: number): ReturnType<typeof reviewJson>[];
  reviewComments(repository: string, number?: number): ReturnType<typeof reviewCommentJson>[];
  checkRuns(repository: string): ReturnType<typeof checkRunJson>[];
  reactions(repository: string): ReactionState[];
  /** The first comment's id of each resolved review thread. */
  resolvedThreads(repository: string): number[];
  /** Everything, as GET /_sim/state shows it. */
  state(): unknown;
};

export type ReactionState = {
  readonly on: "thread" | "comment" | "review-comment";
  /** The thread's number or the comment's id. */
  readonly id: number;
  readonly login: string;
  readonly content: string;
};

export function createReaders(sim: Sim): Readers {
  const find = (repository: string): Repo => {
    const [owner = "", name = ""] = repository.split("/");
    const repo = sim.repo(owner, name);
    if (!repo) throw new Error(`no such repository: ${repository}`);
    return repo;
  };
  const of = <T extends { thread: { number: number } }>(items: readonly T[], number: number | undefined) =>
    items.filter((item) => number === undefined || item.thread.number === number);
  const readers: Omit<Readers, "state"> = {
    gitDir: (repository) => find(repository).gitDir,
    pulls: (repository) =>
      inRepo(find(repository), (repo) => repo.threads.filter(isPull).map((one) => pullJson(sim, repo, one))),
    issues: (repository) =>
      inRepo(find(repository), (repo) =>
        repo.threads.filter((one) => !one.pull).map((one) => issueJson(sim, repo, one)),
      ),
    comments: (repository, number) =>
      inRepo(find(repository), (repo) => of(repo.comments, number).map((one) => commentJson(sim, repo, one))),
    reviews: (repository, number) =>
      inRepo(find(repository), (repo) => of(repo.reviews, number).map((one) => reviewJson(sim, repo, one))),
    reviewComments: (repository, number) =>
      inRepo(find(repository), (repo) =>
        of(repo.reviewComments, number).map((one) => reviewCommentJson(sim, repo, one)),
      ),
    checkRuns: (repository) =>
      inRepo(find(repository), (repo) => repo.checkRuns.map((one) => checkRunJson(sim, repo, one))),
    reactions: (repository) => reactionsOf(find(repository)),
    resolvedThreads: (repository) =>
      find(repository)
        .reviewComments.filter((one) => !one.root && one.isResolved)
        .map((one) => one.id),
  };
  return { ...readers, state: () => wholeState(sim, readers) };
}

function inRepo<T>(repo: Repo, read: (repo: Repo) => T): T {
  return read(repo);
}

function reactionsOf(repo: Repo): ReactionState[] {
  const list = (on: ReactionState["on"], id: number, reactions: Repo["threads"][number]["reactions"]) =>
    reactions.map((one) => ({ on, id, login: one.user.login, content: one.content }));
  return [
    ...repo.threads.flatMap((one) => list("thread", one.number, one.reactions)),
    ...repo.comments.flatMap((one) => list("comment", one.id, one.reactions)),
    ...repo.reviewComments.flatMap((one) => list("review-comment", one.id, one.reactions)),
  ];
}

function wholeState(sim: Sim, readers: Omit<Readers, "state">) {
  return {
    url: sim.url,
    app: { id: sim.app.id, slug: sim.app.slug, webhookUrl: sim.hooks.url },
    users: sim.accounts.map(({ id, login, type }) => ({ id, login, type })),
    repositories: sim.repos.map((repo) => ({
      name: repo.fullName,
      gitDir: repo.gitDir,
      issues: readers.issues(repo.fullName),
      pulls: readers.pulls(repo.fullName),
      comments: readers.comments(repo.fullName),
      reviews: readers.reviews(repo.fullName),
      reviewComments: readers.reviewComments(repo.fullName),
      checkRuns: readers.checkRuns(repo.fullName),
      reactions: readers.reactions(repo.fullName),
    })),
    deliveries: sim.hooks.log.map(({ id, guid, event, action, status, statusCode }: Delivery) => {
      return { id, guid, event, action, status, statusCode };
    }),
  };
}
