/** ForgeReader over octokit: what a run wants to know before the agent starts. It writes nothing. */
import type { RepoRef } from "../repo-event.ts";
import type { ForgeReader, GitAccess, Permission, PullFacts, ReviewThread, ThreadComment } from "./forge.ts";
import { readActor, type Self, type Signed } from "./github-app.ts";
import { ask, isNotFound, type Client, type Clients } from "./github-client.ts";

/** 5,000 comments: no thread that people still read has more. */
export const PAGES_MAX = 50;
const PER_PAGE = 100;
/** Of more people the right is not asked, and unknown is outsider. */
const AUTHORS_MAX = 50;

export function createReader(clients: Clients, self: Self): ForgeReader {
  const open = (repo: RepoRef) => clients.installation(repo.installationId);
  return {
    permission: async (repo, actorId) => readPermission(await open(repo), repo, { id: actorId }),
    comments: async (repo, { kind, number }) => {
      const client = await open(repo);
      const talk = await listConversation(client, repo, number);
      const reviews = kind === "pull" ? await listReviewBodies(client, repo, number) : [];
      const all = [...talk, ...reviews].sort((a, b) => a.created_at.localeCompare(b.created_at));
      return toComments({ client, self, repo }, all);
    },
    reviewThread: async (repo, pull, rootCommentId) =>
      readThread({ client: await open(repo), self, repo }, { pull, rootCommentId }),
    pull: async (repo, number) => readPull(await open(repo), repo, number),
    readAccess: (repo) => mintAccess(clients, repo, "read"),
  };
}

/** A token for this repository's contents and nothing else, good for an hour. */
export async function mintAccess(clients: Clients, repo: RepoRef, contents: "read" | "write"): Promise<GitAccess> {
  const { data } = await ask({ doing: "give the App a token for the repository", needs: `contents: ${contents}` }, () =>
    clients.app.rest.apps.createInstallationAccessToken({
      installation_id: repo.installationId,
      repository_ids: [repo.id],
      permissions: { contents },
    }),
  );
  const known = data.repositories?.find(({ id }) => id === repo.id);
  // The name of now: from an earlier one the API is led on, and git is not let on.
  const name = known?.full_name ?? `${repo.owner}/${repo.name}`;
  const access = { url: `${clients.webUrl}/${name}.git`, token: data.token };
  return known?.size === undefined ? access : { ...access, kilobytes: known.size };
}

/** By id alone the login is looked up first: it may have changed hands since the event. */
async function readPermission(
  client: Client,
  repo: RepoRef,
  person: { id: number; login?: string },
): Promise<Permission> {
  const about = { doing: "tell the asker's permission", needs: "metadata: read" };
  return ask(about, async () => {
    try {
      const username = person.login ?? (await client.rest.users.getById({ account_id: person.id })).data.login;
      const { data } = await client.rest.repos.getCollaboratorPermissionLevel({
        owner: repo.owner,
        repo: repo.name,
        username,
      });
      if (data.user?.id !== person.id) return "none";
      if (data.permission === "admin" || data.permission === "write") return data.permission;
      return data.permission === "read" && (await isGranted(client, repo, data.role_name)) ? "read" : "none";
    } catch (error) {
      if (isNotFound(error)) return "none";
      throw error;
    }
  });
}

/** Everyone may read a public repository: that is no right of theirs. A role above, or a private repository, is. */
async function isGranted(client: Client, repo: RepoRef, role: string): Promise<boolean> {
  if (role !== "read") return true;
  const { data } = await client.rest.repos.get({ owner: repo.owner, repo: repo.name });
  return data.private;
}

type Said = Signed & {
  readonly id: number;
  readonly user?: { readonly id: number; readonly login: string; readonly type: string } | null;
  readonly body?: string | null | undefined;
  readonly created_at: string;
};

type Desk = { readonly client: Client; readonly self: Self; readonly repo: RepoRef };

/** The right of each author is asked once: what GitHub says of their association is no permission. */
async function toComments({ client, self, repo }: Desk, all: readonly Said[]): Promise<readonly ThreadComment[]> {
  const people = new Map(
    all
      .map(({ user }) => readActor(user))
      .filter((one) => !one.isBot)
      .map((one) => [one.id, one]),
  );
  const insiders = new Set<number>();
  for (const person of [...people.values()].slice(-AUTHORS_MAX)) {
    const permission = await readPermission(client, repo, person);
    if (permission === "admin" || permission === "write") insiders.add(person.id);
  }
  return Promise.all(
    all.map(async (said) => {
      const author = readActor(said.user);
      const { id, body, created_at: createdAt } = said;
      const isOurs = await self.wrote(said);
      return { id, author, isInsider: insiders.has(author.id), isOurs, body: body ?? "", createdAt };
    }),
  );
}

async function listConversation(client: Client, repo: RepoRef, number: number): Promise<readonly Said[]> {
  return ask({ doing: "read the comments", needs: "issues: read" }, () =>
    readPages(
      client.paginate.iterator(client.rest.issues.listComments, {
        owner: repo.owner,
        repo: repo.name,
        issue_number: number,
        per_page: PER_PAGE,
      }),
    ),
  );
}

/** What reviewers wrote above their remarks. A review that was not submitted is its author's own. */
async function listReviewBodies(client: Client, repo: RepoRef, number: number): Promise<readonly Said[]> {
  const reviews = await listReviews(client, repo, number);
  return reviews.flatMap((review) =>
    review.body !== "" && review.submitted_at !== undefined ? [{ ...review, created_at: review.submitted_at }] : [],
  );
}

export async function listReviews(client: Client, repo: RepoRef, number: number) {
  return ask({ doing: "read the reviews", needs: "pull_requests: read" }, () =>
    readPages(
      client.paginate.iterator(client.rest.pulls.listReviews, {
        owner: repo.owner,
        repo: repo.name,
        pull_number: number,
        per_page: PER_PAGE,
      }),
    ),
  );
}

/** Every remark of the pull request, first to last; replies name the first one of their thread. */
export async function listReviewComments(client: Client, repo: RepoRef, number: number) {
  return ask({ doing: "read the review comments", needs: "pull_requests: read" }, () =>
    readPages(
      client.paginate.iterator(client.rest.pulls.listReviewComments, {
        owner: repo.owner,
        repo: repo.name,
        pull_number: number,
        per_page: PER_PAGE,
      }),
    ),
  );
}

async function readThread(desk: Desk, at: { pull: number; rootCommentId: number }): Promise<ReviewThread> {
  const { client, repo } = desk;
  const all = await listReviewComments(client, repo, at.pull);
  const own = all.filter((one) => one.id === at.rootCommentId || one.in_reply_to_id === at.rootCommentId);
  const root = own.find((one) => one.id === at.rootCommentId) ?? own[0];
  return {
    path: root?.path ?? "",
    // An outdated thread has no line in the head any more, only the one it was written at.
    line: root?.line ?? root?.original_line ?? null,
    diffHunk: root?.diff_hunk ?? "",
    comments: await toComments(desk, own),
  };
}

async function readPull(client: Client, repo: RepoRef, number: number): Promise<PullFacts> {
  const { data: pull } = await ask({ doing: "read the pull request", needs: "pull_requests: read" }, () =>
    client.rest.pulls.get({ owner: repo.owner, repo: repo.name, pull_number: number }),
  );
  return {
    number,
    title: pull.title,
    body: pull.body ?? "",
    author: readActor(pull.user),
    state: pull.merged ? "merged" : pull.state,
    isDraft: pull.draft ?? false,
    baseBranch: pull.base.ref,
    baseSha: pull.base.sha,
    headBranch: pull.head.ref,
    headSha: pull.head.sha,
    // The repository of a deleted fork is null.
    isFork: pull.head.repo?.id !== repo.id,
  };
}

/** At most PAGES_MAX pages. */
export async function readPages<T>(pages: AsyncIterable<{ readonly data: readonly T[] }>): Promise<readonly T[]> {
  const all: T[] = [];
  let count = 0;
  for await (const { data } of pages) {
    all.push(...data);
    if (++count >= PAGES_MAX) break;
  }
  return all;
}
