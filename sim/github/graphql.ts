/** GraphQL executed for real against GitHub's own schema, loaded on the first query; what is not resolved here is null or an error. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { GraphQLError } from "graphql";
import { levelOf, notAccessible, refuse } from "./access.ts";
import { authorOf, type Actor } from "./auth.ts";
import { emitThread } from "./events.ts";
import type { PullThread, Repo, ReviewComment, Side } from "./records.ts";
import { GitHubError, type Reply } from "./reply.ts";
import type { GraphqlAnswer } from "./server.ts";
import { isPull, nodeId, type Sim } from "./sim.ts";

const GraphqlRequest = z.object({
  query: z.string(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
});

type Engine = {
  readonly run: (root: unknown, request: z.output<typeof GraphqlRequest>) => Promise<unknown>;
};

export function createGraphql(): GraphqlAnswer {
  let loading: Promise<Engine> | null = null;
  return async (sim: Sim, actor: Actor, body: unknown): Promise<Reply> => {
    if (actor.kind === "nobody" || actor.kind === "app")
      throw new GitHubError(401, "This endpoint requires you to be authenticated.");
    loading ??= loadEngine();
    const engine = await loading;
    const request = GraphqlRequest.safeParse(body);
    if (!request.success) throw new GitHubError(400, "A query attribute must be specified and must be a string.");
    // Errors are in the body: GitHub answers 200.
    return { status: 200, body: await engine.run(createRoot(sim, actor), request.data) };
  };
}

/** A megabyte of schema: half a second, paid only by those who ask. */
async function loadEngine(): Promise<Engine> {
  const { buildSchema, graphql } = await import("graphql");
  // The package's index also parses five megabytes of JSON; the file beside it is all this needs.
  const idl = new URL("schema.graphql", import.meta.resolve("@octokit/graphql-schema"));
  const schema = buildSchema(await readFile(idl, "utf8"), { assumeValidSDL: true });
  return {
    run: async (root, request) => {
      const { data, errors } = await graphql({
        schema,
        rootValue: root,
        source: request.query,
        variableValues: request.variables ?? null,
        operationName: request.operationName ?? null,
      });
      if (!errors) return { data };
      return { ...(data === undefined ? {} : { data }), errors: errors.map(errorJson) };
    },
  };
}

function errorJson(error: GraphQLError) {
  const cause = error.originalError;
  const type = cause && "type" in cause ? { type: cause.type } : {};
  return { ...type, path: error.path, locations: error.locations, message: error.message };
}

/** GraphQL's errors carry a type beside the message. */
function failure(type: "NOT_FOUND" | "FORBIDDEN" | "UNPROCESSABLE", message: string): Error {
  return Object.assign(new Error(message), { type });
}

function createRoot(sim: Sim, actor: Actor) {
  return {
    viewer: () => actorJson(sim, authorOf(sim, actor)),
    repository: ({ owner, name }: { owner: string; name: string }) => {
      const repo = sim.repo(owner, name);
      if (!repo || refuse(sim, actor, { repo, need: { app: { metadata: "read" }, person: "read", writes: false } })) {
        throw failure("NOT_FOUND", `Could not resolve to a Repository with the name '${owner}/${name}'.`);
      }
      return repositoryNode(sim, actor, repo);
    },
    resolveReviewThread: ({ input }: { input: { threadId: string; clientMutationId?: string } }) =>
      setResolved({ sim, actor }, input, true),
    unresolveReviewThread: ({ input }: { input: { threadId: string; clientMutationId?: string } }) =>
      setResolved({ sim, actor }, input, false),
    markPullRequestReadyForReview: ({ input }: { input: { pullRequestId: string } }) =>
      setDraft({ sim, actor }, input, false),
    convertPullRequestToDraft: ({ input }: { input: { pullRequestId: string } }) =>
      setDraft({ sim, actor }, input, true),
  };
}

type Asker = { readonly sim: Sim; readonly actor: Actor };

function repositoryNode(sim: Sim, actor: Actor, repo: Repo) {
  return {
    id: nodeId("R", repo.id),
    databaseId: repo.id,
    name: repo.name,
    nameWithOwner: repo.fullName,
    isPrivate: repo.isPrivate,
    pullRequest: ({ number }: { number: number }) => {
      const refusal = refuse(sim, actor, {
        repo,
        need: { app: { pull_requests: "read" }, person: "read", writes: false },
      });
      if (refusal) throw failure("FORBIDDEN", refusal.message);
      const thread = repo.threads.filter(isPull).find((one) => one.number === number);
      if (!thread) throw failure("NOT_FOUND", `Could not resolve to a PullRequest with the number of ${number}.`);
      return pullNode(sim, repo, thread);
    },
  };
}

function pullNode(sim: Sim, repo: Repo, thread: PullThread) {
  const roots = repo.reviewComments.filter(
    (one) => one.thread === thread && !one.root && one.review.state !== "PENDING",
  );
  return {
    __typename: "PullRequest",
    id: nodeId("PR", thread.pull.id),
    databaseId: thread.pull.id,
    fullDatabaseId: String(thread.pull.id),
    number: thread.number,
    title: thread.title,
    body: thread.body ?? "",
    isDraft: thread.pull.draft,
    headRefName: thread.pull.headRef,
    headRefOid: thread.pull.headSha,
    baseRefName: thread.pull.baseRef,
    state: thread.pull.merged ? "MERGED" : thread.state.toUpperCase(),
    author: actorJson(sim, thread.author),
    reviewThreads: connection(roots.map((root) => threadNode(sim, repo, root))),
  };
}

function threadNode(sim: Sim, repo: Repo, root: ReviewComment) {
  const comments = repo.reviewComments.filter((one) => one === root || one.root === root);
  return {
    id: nodeId("PRRT", root.id),
    path: root.path,
    line: root.place?.line ?? null,
    originalLine: root.original.line,
    startLine: root.place?.startLine ?? null,
    originalStartLine: root.original.startLine,
    diffSide: root.side satisfies Side,
    startDiffSide: root.startSide,
    subjectType: "LINE",
    isResolved: root.isResolved,
    isOutdated: root.place === null,
    isCollapsed: root.isResolved || root.place === null,
    resolvedBy: root.resolvedBy ? actorJson(sim, root.resolvedBy) : null,
    comments: connection(
      comments.map((one) => ({
        id: nodeId("PRRC", one.id),
        databaseId: one.id,
        fullDatabaseId: String(one.id),
        body: one.body,
        path: one.path,
        diffHunk: one.diffHunk,
        createdAt: one.createdAt,
        author: actorJson(sim, one.author),
      })),
    ),
  };
}

/** Of a bot GraphQL's login has no "[bot]". */
function actorJson(sim: Sim, account: { login: string; id: number; type: string }) {
  return {
    __typename: account.type,
    login: account.login.replace(/\[bot\]$/, ""),
    databaseId: account.id,
    url: `${sim.url}/${account.login}`,
  };
}

type Page = { readonly first?: number | null; readonly after?: string | null };

/** Forward paging only; GitHub refuses a connection without `first` or `last`, and more than 100. */
function connection<T>(all: readonly T[]) {
  return ({ first, after }: Page) => {
    if (!first || first > 100)
      throw failure("UNPROCESSABLE", "You must provide a `first` between 1 and 100 to properly paginate.");
    const from = after ? Number(Buffer.from(after, "base64").toString().replace("cursor:", "")) : 0;
    const nodes = all.slice(from, from + first);
    const cursor = (at: number) => Buffer.from(`cursor:${at}`).toString("base64");
    return {
      totalCount: all.length,
      nodes,
      edges: nodes.map((node, index) => ({ node, cursor: cursor(from + index + 1) })),
      pageInfo: {
        hasNextPage: from + nodes.length < all.length,
        hasPreviousPage: from > 0,
        startCursor: nodes.length > 0 ? cursor(from + 1) : null,
        endCursor: nodes.length > 0 ? cursor(from + nodes.length) : null,
      },
    };
  };
}

/** Needs pull_requests:write; of people, those who may write and the pull request's author. */
function requireWrite({ sim, actor }: Asker, repo: Repo, thread: PullThread): void {
  const refusal = refuse(sim, actor, { repo, need: { app: { pull_requests: "write" }, person: "read", writes: true } });
  const isPerson = actor.kind === "person";
  const mayWrite = !isPerson || thread.author === actor.user || ["admin", "write"].includes(levelOf(repo, actor.user));
  if (refusal || !mayWrite) throw failure("FORBIDDEN", (refusal ?? notAccessible()).message);
}

function setResolved(asker: Asker, input: { threadId: string; clientMutationId?: string }, isResolved: boolean) {
  const { sim } = asker;
  for (const repo of sim.repos) {
    const root = repo.reviewComments.find((one) => !one.root && nodeId("PRRT", one.id) === input.threadId);
    if (!root) continue;
    requireWrite(asker, repo, root.thread);
    root.isResolved = isResolved;
    root.resolvedBy = isResolved ? authorOf(sim, asker.actor) : null;
    return { clientMutationId: input.clientMutationId ?? null, thread: threadNode(sim, repo, root) };
  }
  throw failure("NOT_FOUND", `Could not resolve to a node with the global id of '${input.threadId}'`);
}

/** The REST API cannot do this; GitHub sends ready_for_review and converted_to_draft for it. */
function setDraft(asker: Asker, { pullRequestId }: { pullRequestId: string }, draft: boolean) {
  const { sim, actor } = asker;
  for (const repo of sim.repos) {
    const thread = repo.threads.filter(isPull).find((one) => nodeId("PR", one.pull.id) === pullRequestId);
    if (!thread) continue;
    requireWrite(asker, repo, thread);
    if (thread.pull.draft !== draft) {
      thread.pull.draft = draft;
      thread.updatedAt = sim.time();
      const action = draft ? "converted_to_draft" : "ready_for_review";
      emitThread(sim, { repo, thread, sender: authorOf(sim, actor), action });
    }
    return { clientMutationId: null, pullRequest: pullNode(sim, repo, thread) };
  }
  throw failure("NOT_FOUND", `Could not resolve to a node with the global id of '${pullRequestId}'`);
}
