/** Where review comments are made, shared by whole reviews and single comments. */
import { z } from "zod";
import { authorOf } from "../auth.ts";
import type { findAnchor } from "../diff.ts";
import { askGit, resolveCommit } from "../git.ts";
import type { PullThread, Repo, Review, ReviewComment, ReviewState } from "../records.ts";
import { unprocessable, type Call } from "../reply.ts";

const side = z.enum(["LEFT", "RIGHT"]);

export const Draft = z.object({
  path: z.string().min(1),
  body: z.string().min(1),
  line: z.number().int(),
  side: side.default("RIGHT"),
  start_line: z.number().int().nullable().default(null),
  start_side: side.nullable().default(null),
});

export type Draft = z.output<typeof Draft>;

/** Only commits of this pull request can be reviewed. */
export async function findCommit(repo: Repo, thread: PullThread, sha: string): Promise<string> {
  const commit = /^[0-9a-f]{40}$/.test(sha) ? await resolveCommit(repo.gitDir, sha) : null;
  const isPart =
    commit && (await askGit(repo.gitDir, ["merge-base", "--is-ancestor", commit, thread.pull.headSha])) !== null;
  if (!commit || !isPart) throw unprocessable("Commit is not part of the pull request");
  return commit;
}

export type Anchored = Extract<ReturnType<typeof findAnchor>, { kind: "anchored" }>;

type NewReview = { readonly body: string; readonly state: ReviewState; readonly commit: string };

export function addReview(
  call: Call,
  { repo, thread }: { repo: Repo; thread: PullThread },
  request: NewReview,
): Review {
  const review: Review = {
    id: call.sim.nextId(),
    thread,
    author: authorOf(call.sim, call.actor),
    submittedAt: request.state === "PENDING" ? null : call.sim.time(),
    ...request,
  };
  repo.reviews.push(review);
  return review;
}

export function addComment(
  call: Call,
  { repo, review }: { readonly repo: Repo; readonly review: Review },
  { draft, anchor }: { readonly draft: Draft; readonly anchor: Anchored },
): ReviewComment {
  const now = call.sim.time();
  const comment: ReviewComment = {
    id: call.sim.nextId(),
    thread: review.thread,
    review,
    root: null,
    author: review.author,
    createdAt: now,
    updatedAt: now,
    path: draft.path,
    diffHunk: anchor.diffHunk,
    side: draft.side,
    startSide: draft.start_line === null ? null : (draft.start_side ?? draft.side),
    original: anchor.place,
    originalCommit: review.commit,
    commit: review.commit,
    place: anchor.place,
    body: draft.body,
    isResolved: false,
    resolvedBy: null,
    reactions: [],
  };
  repo.reviewComments.push(comment);
  return comment;
}
