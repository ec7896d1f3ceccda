/** Resolving a review thread: the one thing that only GitHub's GraphQL can do. */
import { z } from "zod";
import { UserError } from "../failure.ts";
import type { Written } from "./forge.ts";
import { ask } from "./github-client.ts";
import type { Desk } from "./github-writer.ts";

/** 2,000 threads: a pull request with more is beyond review. */
const PAGES_MAX = 20;

// `databaseId` is a 32-bit number, and the ids of comments have outgrown it.
const THREADS = `query ($owner: String!, $repo: String!, $pull: Int!, $after: String) {
  repository(owner: $owner, name: $repo) {
    pullRequest(number: $pull) {
      reviewThreads(first: 100, after: $after) {
        nodes { id isResolved comments(first: 1) { nodes { fullDatabaseId } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}`;

const RESOLVE = `mutation ($threadId: ID!) {
  resolveReviewThread(input: { threadId: $threadId }) { thread { isResolved } }
}`;

const Thread = z.object({
  id: z.string(),
  isResolved: z.boolean(),
  comments: z.object({ nodes: z.array(z.object({ fullDatabaseId: z.coerce.string() })) }),
});

const Threads = z.object({
  repository: z.object({
    pullRequest: z.object({
      reviewThreads: z.object({
        nodes: z.array(Thread),
        pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
      }),
    }),
  }),
});

type Thread = z.infer<typeof Thread>;

/** A thread that is resolved already stays so. */
export async function resolveThread(desk: Desk, pull: number, rootCommentId: number): Promise<Written> {
  const about = { doing: "resolve the review thread", needs: "pull_requests: write" };
  await ask(about, async () => {
    const thread = await findThread(desk, pull, rootCommentId);
    if (!thread) throw new UserError("The review thread to resolve is gone.");
    if (!thread.isResolved) await desk.client.graphql(RESOLVE, { threadId: thread.id, request: desk.at.request });
  });
  return { ref: String(rootCommentId), url: `${desk.webUrl}/pull/${pull}#discussion_r${rootCommentId}` };
}

async function findThread({ client, at }: Desk, pull: number, rootCommentId: number): Promise<Thread | null> {
  let after: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer: unknown = await client.graphql(THREADS, { ...at, pull, after });
    const { nodes, pageInfo } = Threads.parse(answer).repository.pullRequest.reviewThreads;
    const found = nodes.find((thread) => thread.comments.nodes[0]?.fullDatabaseId === String(rootCommentId));
    if (found) return found;
    if (!pageInfo.hasNextPage) return null;
    after = pageInfo.endCursor;
  }
  return null;
}
