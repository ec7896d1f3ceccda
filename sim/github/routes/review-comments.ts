/** Single review comments and replies; each makes a review of its own, as on GitHub. */
import { z } from "zod";
import { openRepo } from "../access.ts";
import { findAnchor, readDiff } from "../diff.ts";
import { authorOf } from "../auth.ts";
import { emitReview, emitReviewComment } from "../events.ts";
import { reviewCommentJson } from "../json/pull.ts";
import type { Repo, ReviewComment } from "../records.ts";
import { created, notFound, ok, page, readBody, validationFailed, type Call, type Reply } from "../reply.ts";
import type { Route } from "../router.ts";
import { readCommentBody, requireOwn } from "./comments.ts";
import { openPull } from "./pulls.ts";
import { addComment, addReview, Draft, findCommit } from "./review-parts.ts";

const AT = "/repos/:owner/:repo/pulls";

export const reviewCommentRoutes: readonly Route[] = [
  { method: "GET", pattern: `${AT}/comments/:id`, answer: getComment },
  { method: "PATCH", pattern: `${AT}/comments/:id`, answer: patchComment },
  { method: "GET", pattern: `${AT}/:number/comments`, answer: listComments },
  { method: "POST", pattern: `${AT}/:number/comments`, answer: postComment },
  { method: "POST", pattern: `${AT}/:number/comments/:id/replies`, answer: postReply },
];

export function listed(call: Call, repo: Repo, comments: readonly ReviewComment[]): Reply {
  return page(call, comments, (slice) => slice.map((comment) => reviewCommentJson(call.sim, repo, comment)));
}

function listComments(call: Call): Reply {
  const { repo, thread } = openPull(call, "read");
  const isListed = (comment: ReviewComment) => comment.thread === thread && comment.review.state !== "PENDING";
  return listed(call, repo, repo.reviewComments.filter(isListed));
}

const CommentRequest = Draft.extend({ commit_id: z.string() });

/** A single comment is a review of its own, of kind COMMENTED. */
async function postComment(call: Call): Promise<Reply> {
  const { repo, thread } = openPull(call, "write");
  const request = readBody(call, CommentRequest);
  const commit = await findCommit(repo, thread, request.commit_id);
  const anchor = findAnchor(await readDiff(repo.gitDir, thread.pull.baseSha, commit), {
    path: request.path,
    line: request.line,
    side: request.side,
    startLine: request.start_line,
    startSide: request.start_side,
  });
  if (anchor.kind === "refused") throw offDiff();
  const review = addReview(call, { repo, thread }, { body: "", state: "COMMENTED", commit });
  const comment = addComment(call, { repo, review }, { draft: request, anchor });
  return announce(call, repo, comment);
}

/** This door words it differently from the one for whole reviews. */
function offDiff() {
  const error = (field: string, message: string) => ({
    resource: "PullRequestReviewComment",
    code: "custom",
    field: `pull_request_review_thread.${field}`,
    message: `pull_request_review_thread.${field} ${message}`,
  });
  return validationFailed(error("line", "must be part of the diff"), error("diff_hunk", "can't be blank"));
}

/** `in_reply_to_id` always names the first comment of the thread, whichever was answered. */
function postReply(call: Call): Reply {
  const { repo, thread } = openPull(call, "write");
  const parent = repo.reviewComments.find((one) => one.id === Number(call.params["id"]) && one.thread === thread);
  if (!parent) throw notFound();
  const root = parent.root ?? parent;
  const body = readCommentBody(call);
  const now = call.sim.time();
  const review = addReview(call, { repo, thread }, { body: "", state: "COMMENTED", commit: thread.pull.headSha });
  const comment: ReviewComment = {
    ...root,
    id: call.sim.nextId(),
    review,
    root,
    author: review.author,
    createdAt: now,
    updatedAt: now,
    body,
    reactions: [],
  };
  repo.reviewComments.push(comment);
  return announce(call, repo, comment);
}

function announce(call: Call, repo: Repo, comment: ReviewComment): Reply {
  emitReview(call.sim, repo, comment.review);
  emitReviewComment(call.sim, { repo, comment, sender: comment.author, action: "created" });
  return created(reviewCommentJson(call.sim, repo, comment));
}

function openComment(call: Call, grant: "read" | "write"): { readonly repo: Repo; readonly comment: ReviewComment } {
  const repo = openRepo(call, { app: { pull_requests: grant }, person: "read", writes: grant === "write" });
  const comment = repo.reviewComments.find((one) => one.id === Number(call.params["id"]));
  if (!comment) throw notFound();
  return { repo, comment };
}

function getComment(call: Call): Reply {
  const { repo, comment } = openComment(call, "read");
  return ok(reviewCommentJson(call.sim, repo, comment));
}

function patchComment(call: Call): Reply {
  const { repo, comment } = openComment(call, "write");
  requireOwn(call, repo, comment.author);
  const from = comment.body;
  comment.body = readCommentBody(call);
  comment.updatedAt = call.sim.time();
  const sender = authorOf(call.sim, call.actor);
  emitReviewComment(call.sim, { repo, comment, sender, action: "edited" }, { changes: { body: { from } } });
  return ok(reviewCommentJson(call.sim, repo, comment));
}
