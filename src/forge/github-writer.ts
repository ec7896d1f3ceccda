/** ForgeWriter over octokit: the verbs of publish/perform. Each says which permission it takes; none can approve, merge or delete. */
import type { RepoRef } from "../repo-event.ts";
import { unreachable } from "../failure.ts";
import type { CommentPlace, PublicText, ReactionTarget } from "../publication.ts";
import type { Fence, ForgeWriter, NewPull, NewReview, Written } from "./forge.ts";
import type { Self } from "./github-app.ts";
import { createCheckWriter } from "./github-checks.ts";
import { ask, isNotFound, openFetch, readRefusal, type Client, type Clients } from "./github-client.ts";
import { readPushFacts } from "./github-push-facts.ts";
import { listReviewComments, listReviews, mintAccess, readPages } from "./github-reader.ts";
import { resolveThread } from "./github-threads.ts";

/** A repository with a client that may write to it. */
export type Desk = {
  readonly client: Client;
  readonly repo: RepoRef;
  /** Goes with every request: where, and by which way. */
  readonly at: { readonly owner: string; readonly repo: string; readonly request: { readonly fetch: OpenFetch } };
  readonly webUrl: string;
};

type OpenFetch = ReturnType<typeof openFetch>;

export function createWriter(clients: Clients, self: Self, fence: Fence | null = null): ForgeWriter {
  const request = { fetch: openFetch(fence) };
  const open = async (repo: RepoRef): Promise<Desk> => ({
    client: await clients.installation(repo.installationId),
    repo,
    at: { owner: repo.owner, repo: repo.name, request },
    webUrl: `${clients.webUrl}/${repo.owner}/${repo.name}`,
  });
  return {
    ...createCheckWriter(open, clients.appId),
    fenced: (next) => createWriter(clients, self, next),
    react: async (repo, target, content) => react(await open(repo), target, content),
    findComment: async (repo, place, marker) => findComment(await open(repo), self, { place, marker }),
    createComment: async (repo, place, body) => createComment(await open(repo), place, body),
    updateComment: async (repo, place, ref, body) => updateComment(await open(repo), { place, ref, body }),
    findPull: async (repo, head) => findPull(await open(repo), self, head),
    createPull: async (repo, pull) => createPull(await open(repo), pull),
    updatePull: async (repo, ref, { title, body }) => {
      const { client, at } = await open(repo);
      const about = { doing: "update the pull request", needs: "pull_requests: write" };
      const { data } = await ask(about, () =>
        client.rest.pulls.update({ ...at, pull_number: Number(ref), title, body }),
      );
      return { ref, url: data.html_url };
    },
    findReview: async (repo, pull, marker) => {
      const { client } = await open(repo);
      for (const review of await listReviews(client, repo, pull)) {
        if (review.body.includes(marker) && (await self.wrote(review))) return written(review);
      }
      return null;
    },
    createReview: async (repo, review) => createReview(await open(repo), review),
    resolveThread: async (repo, pull, rootCommentId) => resolveThread(await open(repo), pull, rootCommentId),
    pushAccess: (repo) => mintAccess(clients, repo, "write"),
    pushFacts: (repo, branch) => readPushFacts(clients, repo, branch),
    identity: async (repo) => self.identity(await clients.installation(repo.installationId)),
  };
}

function written({ id, html_url: url }: { readonly id: number; readonly html_url: string }): Written {
  return { ref: String(id), url };
}

/** GitHub answers a reaction that is there already with the first one. */
async function react(
  { client, at, webUrl }: Desk,
  target: ReactionTarget,
  content: "eyes" | "+1" | "confused",
): Promise<Written> {
  const { reactions } = client.rest;
  const about = { doing: "react", needs: "issues: write, pull_requests: write" };
  const { data } = await ask(about, () => {
    if (target.kind === "thread") return reactions.createForIssue({ ...at, issue_number: target.number, content });
    const comment_id = target.comment.id;
    return target.comment.kind === "conversation"
      ? reactions.createForIssueComment({ ...at, comment_id, content })
      : reactions.createForPullRequestReviewComment({ ...at, comment_id, content });
  });
  // A reaction has no page of its own.
  return { ref: String(data.id), url: target.kind === "thread" ? `${webUrl}/issues/${target.number}` : webUrl };
}

async function findComment(
  { client, repo, at }: Desk,
  self: Self,
  { place, marker }: { readonly place: CommentPlace; readonly marker: string },
): Promise<Written | null> {
  const all =
    place.kind === "conversation"
      ? await ask({ doing: "read the comments", needs: "issues: read" }, () =>
          readPages(
            client.paginate.iterator(client.rest.issues.listComments, {
              ...at,
              issue_number: place.thread.number,
              per_page: 100,
            }),
          ),
        )
      : (await listReviewComments(client, repo, place.pull)).filter(
          (one) => one.in_reply_to_id === place.rootCommentId,
        );
  for (const comment of all) {
    if (comment.body?.includes(marker) && (await self.wrote(comment))) return written(comment);
  }
  return null;
}

async function createComment({ client, at }: Desk, place: CommentPlace, body: PublicText): Promise<Written> {
  switch (place.kind) {
    case "conversation": {
      const about = {
        doing: "comment",
        needs: place.thread.kind === "pull" ? "pull_requests: write" : "issues: write",
      };
      const issue_number = place.thread.number;
      return written((await ask(about, () => client.rest.issues.createComment({ ...at, issue_number, body }))).data);
    }
    case "review-thread": {
      const about = { doing: "answer in the review thread", needs: "pull_requests: write" };
      const [pull_number, comment_id] = [place.pull, place.rootCommentId];
      return written(
        (
          await ask(about, () =>
            client.rest.pulls.createReplyForReviewComment({ ...at, pull_number, comment_id, body }),
          )
        ).data,
      );
    }
    default:
      return unreachable(place);
  }
}

type Update = { readonly place: CommentPlace; readonly ref: string; readonly body: PublicText };

/** A comment that someone deleted is written anew: what it says still has to be said. */
async function updateComment(desk: Desk, { place, ref, body }: Update): Promise<Written> {
  const { client, at } = desk;
  const comment_id = Number(ref);
  const about = { doing: "update the comment", needs: "issues: write, pull_requests: write" };
  const updated = await ask(about, async () => {
    try {
      return place.kind === "conversation"
        ? written((await client.rest.issues.updateComment({ ...at, comment_id, body })).data)
        : written((await client.rest.pulls.updateReviewComment({ ...at, comment_id, body })).data);
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  });
  return updated ?? createComment(desk, place, body);
}

/** The open one, else the newest. */
async function findPull({ client, at }: Desk, self: Self, head: string): Promise<Written | null> {
  const { data } = await ask({ doing: "look for the pull request", needs: "pull_requests: read" }, () =>
    client.rest.pulls.list({ ...at, head: `${at.owner}:${head}`, state: "all", per_page: 100 }),
  );
  const own = [];
  for (const pull of data) {
    // Asked for a head that is not there, GitHub has been seen to answer with all of them.
    if (pull.head.ref === head && (await self.wrote(pull))) own.push(pull);
  }
  const found = own.find((pull) => pull.state === "open") ?? own[0];
  return found ? { ref: String(found.number), url: found.html_url } : null;
}

async function createPull({ client, at }: Desk, { head, base, title, body, draft }: NewPull): Promise<Written> {
  const create = (draft: boolean) => client.rest.pulls.create({ ...at, head, base, title, body, draft });
  const { data } = await ask({ doing: "open the pull request", needs: "pull_requests: write" }, async () => {
    try {
      return await create(draft);
    } catch (error) {
      // A private repository on the free plan has no drafts.
      if (draft && readRefusal(error)?.includes("Draft pull requests are not supported")) return create(false);
      throw error;
    }
  });
  return { ref: String(data.number), url: data.html_url };
}

async function createReview({ client, at }: Desk, review: NewReview): Promise<Written> {
  const { data } = await ask({ doing: "post the review", needs: "pull_requests: write" }, () =>
    client.rest.pulls.createReview({
      ...at,
      pull_number: review.pull,
      commit_id: review.headSha,
      event: "COMMENT",
      body: review.body,
      comments: review.comments.map(({ path, startLine, line, body }) => ({
        path,
        line,
        side: "RIGHT",
        body,
        // GitHub refuses a range of one line.
        ...(startLine === line ? {} : { start_line: startLine, start_side: "RIGHT" }),
      })),
    }),
  );
  return written(data);
}
