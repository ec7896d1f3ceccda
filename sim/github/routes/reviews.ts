/** Reviews. One with a single comment off the diff is refused whole. */
import { z } from "zod";
import { authorOf } from "../auth.ts";
import { findAnchor, readDiff, type FileDiff } from "../diff.ts";
import { emitReview, emitReviewComment } from "../events.ts";
import { reviewJson } from "../json/pull.ts";
import type { Repo, Review } from "../records.ts";
import { notFound, ok, page, readBody, unprocessable, type Call, type Reply } from "../reply.ts";
import type { Route } from "../router.ts";
import { readCommentBody, requireOwn } from "./comments.ts";
import { openPull } from "./pulls.ts";
import { listed } from "./review-comments.ts";
import { addComment, addReview, Draft, findCommit, type Anchored } from "./review-parts.ts";

const AT = "/repos/:owner/:repo/pulls";

export const reviewRoutes: readonly Route[] = [
  { method: "GET", pattern: `${AT}/:number/reviews`, answer: listReviews },
  { method: "POST", pattern: `${AT}/:number/reviews`, answer: postReview },
  { method: "GET", pattern: `${AT}/:number/reviews/:id`, answer: getReview },
  { method: "PUT", pattern: `${AT}/:number/reviews/:id`, answer: putReview },
  { method: "GET", pattern: `${AT}/:number/reviews/:id/comments`, answer: listReviewComments },
];

const ReviewRequest = z.object({
  commit_id: z.string().optional(),
  body: z.string().default(""),
  event: z.enum(["APPROVE", "REQUEST_CHANGES", "COMMENT"]).optional(),
  comments: z.array(Draft).default([]),
});

const STATES = { APPROVE: "APPROVED", REQUEST_CHANGES: "CHANGES_REQUESTED", COMMENT: "COMMENTED" } as const;

async function postReview(call: Call): Promise<Reply> {
  const { sim } = call;
  const { repo, thread } = openPull(call, "write");
  const request = readBody(call, ReviewRequest);
  const author = authorOf(sim, call.actor);
  const isOwn = thread.author === author;
  if (isOwn && request.event === "APPROVE") throw unprocessable("Can not approve your own pull request");
  if (isOwn && request.event === "REQUEST_CHANGES") {
    throw unprocessable("Can not request changes on your own pull request");
  }
  const needsBody =
    request.event === "REQUEST_CHANGES" || (request.event === "COMMENT" && request.comments.length === 0);
  if (needsBody && request.body === "") throw unprocessable("Could not comment pull request review.");
  const state = request.event ? STATES[request.event] : "PENDING";
  if (
    state === "PENDING" &&
    repo.reviews.some((one) => one.thread === thread && one.author === author && one.state === state)
  ) {
    throw unprocessable("User can only have one pending review per pull request");
  }
  const commit = await findCommit(repo, thread, request.commit_id ?? thread.pull.headSha);
  const files = await readDiff(repo.gitDir, thread.pull.baseSha, commit);
  const anchored = request.comments.map((draft) => ({ draft, anchor: anchorOf(files, draft) }));
  const review = addReview(call, { repo, thread }, { body: request.body, state, commit });
  const comments = anchored.map(({ draft, anchor }) => addComment(call, { repo, review }, { draft, anchor }));
  if (state !== "PENDING") {
    emitReview(sim, repo, review);
    for (const comment of comments) emitReviewComment(sim, { repo, comment, sender: author, action: "created" });
  }
  return ok(reviewJson(sim, repo, review));
}

function anchorOf(files: readonly FileDiff[], draft: Draft): Anchored {
  const anchor = findAnchor(files, {
    path: draft.path,
    line: draft.line,
    side: draft.side,
    startLine: draft.start_line,
    startSide: draft.start_line === null ? null : (draft.start_side ?? draft.side),
  });
  if (anchor.kind === "refused") throw unprocessable(...anchor.errors);
  return anchor;
}

function listReviews(call: Call): Reply {
  const { repo, thread } = openPull(call, "read");
  const reviews = repo.reviews.filter((review) => review.thread === thread && isVisible(call, review));
  return page(call, reviews, (slice) => slice.map((review) => reviewJson(call.sim, repo, review)));
}

/** A pending review is seen by its author only. */
function isVisible(call: Call, review: Review): boolean {
  if (review.state !== "PENDING") return true;
  return call.actor.kind !== "nobody" && review.author === authorOf(call.sim, call.actor);
}

function openReview(call: Call, grant: "read" | "write"): { readonly repo: Repo; readonly review: Review } {
  const { repo, thread } = openPull(call, grant);
  const review = repo.reviews.find((one) => one.id === Number(call.params["id"]) && one.thread === thread);
  if (!review || !isVisible(call, review)) throw notFound();
  return { repo, review };
}

function getReview(call: Call): Reply {
  const { repo, review } = openReview(call, "read");
  return ok(reviewJson(call.sim, repo, review));
}

function putReview(call: Call): Reply {
  const { repo, review } = openReview(call, "write");
  requireOwn(call, repo, review.author);
  review.body = readCommentBody(call);
  return ok(reviewJson(call.sim, repo, review));
}

function listReviewComments(call: Call): Reply {
  const { repo, review } = openReview(call, "read");
  return listed(
    call,
    repo,
    repo.reviewComments.filter((comment) => comment.review === review),
  );
}
