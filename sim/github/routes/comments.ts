/** Comments in a conversation, and reactions on everything that can be reacted to. */
import { z } from "zod";
import { conversation, levelOf, notAccessible, openRepo, openThread, READ_METADATA } from "../access.ts";
import { authorOf } from "../auth.ts";
import { emitComment } from "../events.ts";
import { commentJson, reactionJson } from "../json/thread.ts";
import { REACTIONS, type Account, type Comment, type Permissions, type Reaction, type Repo } from "../records.ts";
import { created, GitHubError, noContent, notFound, ok, page, readBody, type Call, type Reply } from "../reply.ts";
import type { Route } from "../router.ts";

const AT = "/repos/:owner/:repo/issues";
const PULL_COMMENT = "/repos/:owner/:repo/pulls/comments/:id";

/** GitHub's limit on a body, in characters. */
export const BODY_CHARS_MAX = 65_536;

export const commentRoutes: readonly Route[] = [
  { method: "GET", pattern: `${AT}/comments`, answer: listRepoComments },
  { method: "GET", pattern: `${AT}/:number/comments`, answer: listComments },
  { method: "POST", pattern: `${AT}/:number/comments`, answer: postComment },
  { method: "GET", pattern: `${AT}/comments/:id`, answer: getComment },
  { method: "PATCH", pattern: `${AT}/comments/:id`, answer: patchComment },
  { method: "DELETE", pattern: `${AT}/comments/:id`, answer: deleteComment },
  { method: "GET", pattern: `${AT}/:number/reactions`, answer: listThreadReactions },
  { method: "POST", pattern: `${AT}/:number/reactions`, answer: postThreadReaction },
  { method: "DELETE", pattern: `${AT}/:number/reactions/:reaction`, answer: deleteThreadReaction },
  { method: "GET", pattern: `${AT}/comments/:id/reactions`, answer: listCommentReactions },
  { method: "POST", pattern: `${AT}/comments/:id/reactions`, answer: postCommentReaction },
  { method: "DELETE", pattern: `${AT}/comments/:id/reactions/:reaction`, answer: deleteCommentReaction },
  { method: "GET", pattern: `${PULL_COMMENT}/reactions`, answer: listReviewCommentReactions },
  { method: "POST", pattern: `${PULL_COMMENT}/reactions`, answer: postReviewCommentReaction },
  { method: "DELETE", pattern: `${PULL_COMMENT}/reactions/:reaction`, answer: deleteReviewCommentReaction },
];

function listRepoComments(call: Call): Reply {
  const repo = openRepo(call, { app: { issues: "read", pull_requests: "read" }, person: "read", writes: false });
  return listed(call, repo, repo.comments);
}

function listComments(call: Call): Reply {
  const { repo, thread } = openThread(call, "read");
  return listed(
    call,
    repo,
    repo.comments.filter((comment) => comment.thread === thread),
  );
}

function listed(call: Call, repo: Repo, comments: readonly Comment[]): Reply {
  const since = Date.parse(call.query.get("since") ?? "");
  const found = comments.filter((comment) => Number.isNaN(since) || Date.parse(comment.updatedAt) >= since);
  return page(call, found, (slice) => slice.map((comment) => commentJson(call.sim, repo, comment)));
}

export function readCommentBody(call: Call): string {
  const { body } = readBody(call, z.object({ body: z.string().min(1) }));
  if (body.length <= BODY_CHARS_MAX) return body;
  throw new GitHubError(422, "Validation Failed", [
    {
      resource: "IssueComment",
      code: "unprocessable",
      field: "data",
      message: `Body is too long (maximum is ${BODY_CHARS_MAX} characters)`,
    },
  ]);
}

function postComment(call: Call): Reply {
  const { sim, actor } = call;
  const { repo, thread } = openThread(call, "write");
  const author = authorOf(sim, actor);
  const now = sim.time();
  const comment: Comment = {
    id: sim.nextId(),
    thread,
    author,
    viaApp: actor.kind === "installation",
    createdAt: now,
    updatedAt: now,
    body: readCommentBody(call),
    reactions: [],
  };
  repo.comments.push(comment);
  thread.updatedAt = now;
  emitComment(sim, { repo, comment, sender: author, action: "created" });
  return created(commentJson(sim, repo, comment));
}

function openComment(call: Call, grant: "read" | "write"): { readonly repo: Repo; readonly comment: Comment } {
  const repo = openRepo(call, READ_METADATA);
  const comment = repo.comments.find((one) => one.id === Number(call.params["id"])) ?? null;
  openRepo(call, { app: conversation(comment?.thread ?? null, grant), person: "read", writes: grant === "write" });
  if (!comment) throw notFound();
  return { repo, comment };
}

function getComment(call: Call): Reply {
  const { repo, comment } = openComment(call, "read");
  return ok(commentJson(call.sim, repo, comment));
}

/** One's own, or anyone's for those who may write. An App may edit its own only through its own token, which this is. */
export function requireOwn(call: Call, repo: Repo, author: Account): void {
  const { sim, actor } = call;
  if (author === authorOf(sim, actor)) return;
  if (actor.kind === "installation") return;
  if (actor.kind === "person" && ["admin", "write"].includes(levelOf(repo, actor.user))) return;
  throw new GitHubError(403, "Must have write rights to Repository.");
}

function patchComment(call: Call): Reply {
  const { repo, comment } = openComment(call, "write");
  requireOwn(call, repo, comment.author);
  const from = comment.body;
  comment.body = readCommentBody(call);
  comment.updatedAt = call.sim.time();
  const sender = authorOf(call.sim, call.actor);
  emitComment(call.sim, { repo, comment, sender, action: "edited" }, { changes: { body: { from } } });
  return ok(commentJson(call.sim, repo, comment));
}

function deleteComment(call: Call): Reply {
  const { repo, comment } = openComment(call, "write");
  requireOwn(call, repo, comment.author);
  repo.comments.splice(repo.comments.indexOf(comment), 1);
  emitComment(call.sim, { repo, comment, sender: authorOf(call.sim, call.actor), action: "deleted" });
  return noContent();
}

function listThreadReactions(call: Call): Reply {
  return reactions(call, openThread(call, "read").thread.reactions);
}

function postThreadReaction(call: Call): Reply {
  return react(call, openThread(call, "write").thread.reactions);
}

function deleteThreadReaction(call: Call): Reply {
  return unreact(call, openThread(call, "write").thread.reactions);
}

function listCommentReactions(call: Call): Reply {
  return reactions(call, openComment(call, "read").comment.reactions);
}

function postCommentReaction(call: Call): Reply {
  return react(call, openComment(call, "write").comment.reactions);
}

function deleteCommentReaction(call: Call): Reply {
  return unreact(call, openComment(call, "write").comment.reactions);
}

function reviewCommentReactions(call: Call, app: Permissions): Reaction[] {
  const repo = openRepo(call, { app, person: "read", writes: app.pull_requests === "write" });
  const comment = repo.reviewComments.find((one) => one.id === Number(call.params["id"]));
  if (!comment) throw notFound();
  return comment.reactions;
}

function listReviewCommentReactions(call: Call): Reply {
  return reactions(call, reviewCommentReactions(call, { pull_requests: "read" }));
}

function postReviewCommentReaction(call: Call): Reply {
  return react(call, reviewCommentReactions(call, { pull_requests: "write" }));
}

function deleteReviewCommentReaction(call: Call): Reply {
  return unreact(call, reviewCommentReactions(call, { pull_requests: "write" }));
}

function reactions(call: Call, all: readonly Reaction[]): Reply {
  const content = call.query.get("content");
  const found = all.filter((reaction) => content === null || reaction.content === content);
  return page(call, found, (slice) => slice.map((reaction) => reactionJson(call.sim, reaction)));
}

/** 200 when this person already reacted so, 201 when it is new. */
function react(call: Call, all: Reaction[]): Reply {
  const { content } = readBody(call, z.object({ content: z.enum(REACTIONS) }));
  const user = authorOf(call.sim, call.actor);
  const known = all.find((reaction) => reaction.user === user && reaction.content === content);
  if (known) return ok(reactionJson(call.sim, known));
  const reaction = { id: call.sim.nextId(), user, content, createdAt: call.sim.time() };
  all.push(reaction);
  return created(reactionJson(call.sim, reaction));
}

function unreact(call: Call, all: Reaction[]): Reply {
  const reaction = all.find((one) => one.id === Number(call.params["reaction"]));
  if (!reaction) throw notFound();
  if (reaction.user !== authorOf(call.sim, call.actor)) throw notAccessible();
  all.splice(all.indexOf(reaction), 1);
  return noContent();
}
