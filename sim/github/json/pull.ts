/** Pull requests, their reviews and review comments as the API and the webhooks show them. */
import type { components } from "@octokit/openapi-types";
import type { PullThread, Repo, Review, ReviewComment } from "../records.ts";
import { nodeId, type Sim } from "../sim.ts";
import { userJson } from "./accounts.ts";
import { pullRepositoryJson, repoApiUrl } from "./repository.ts";
import { associationOf, labelJson, rollupJson, threadHtmlUrl } from "./thread.ts";

type Schemas = components["schemas"];

function pullUrls(sim: Sim, repo: Repo, thread: PullThread) {
  const api = repoApiUrl(sim, repo);
  const html = threadHtmlUrl(sim, repo, thread);
  const url = `${api}/pulls/${thread.number}`;
  const issue = `${api}/issues/${thread.number}`;
  return {
    url,
    html_url: html,
    diff_url: `${html}.diff`,
    patch_url: `${html}.patch`,
    issue_url: issue,
    commits_url: `${url}/commits`,
    review_comments_url: `${url}/comments`,
    review_comment_url: `${api}/pulls/comments{/number}`,
    comments_url: `${issue}/comments`,
    statuses_url: `${api}/statuses/${thread.pull.headSha}`,
  };
}

/** A label's description may be null, which this schema alone does not admit and GitHub sends. */
type PullSimpleJson = Omit<Schemas["pull-request-simple"], "labels"> & Pick<Schemas["pull-request"], "labels">;

/** As in lists and in the events about reviews. */
export function pullSimpleJson(sim: Sim, repo: Repo, thread: PullThread) {
  const { pull } = thread;
  const urls = pullUrls(sim, repo, thread);
  return {
    ...urls,
    id: pull.id,
    node_id: nodeId("PR", pull.id),
    number: thread.number,
    state: thread.state,
    locked: false,
    title: thread.title,
    user: userJson(sim, thread.author),
    body: thread.body,
    created_at: thread.createdAt,
    updated_at: thread.updatedAt,
    closed_at: thread.closedAt,
    merged_at: pull.merged?.at ?? null,
    merge_commit_sha: pull.merged?.sha ?? null,
    assignee: thread.assignees[0] ? userJson(sim, thread.assignees[0]) : null,
    assignees: thread.assignees.map((account) => userJson(sim, account)),
    requested_reviewers: [],
    requested_teams: [],
    labels: thread.labels.map((label) => labelJson(sim, repo, label)),
    milestone: null,
    draft: pull.draft,
    head: endJson(sim, pull.headRepo, { ref: pull.headRef, sha: pull.headSha }),
    base: endJson(sim, repo, { ref: pull.baseRef, sha: pull.baseSha }),
    _links: {
      self: { href: urls.url },
      html: { href: urls.html_url },
      issue: { href: urls.issue_url },
      comments: { href: urls.comments_url },
      review_comments: { href: urls.review_comments_url },
      review_comment: { href: urls.review_comment_url },
      commits: { href: urls.commits_url },
      statuses: { href: urls.statuses_url },
    },
    author_association: associationOf(repo, thread.author),
    auto_merge: null,
    active_lock_reason: null,
  } satisfies PullSimpleJson;
}

export function pullJson(sim: Sim, repo: Repo, thread: PullThread) {
  const { pull } = thread;
  const mergeable = thread.state === "open" ? pull.stats.mergeable : null;
  return {
    ...pullSimpleJson(sim, repo, thread),
    merged: pull.merged !== null,
    mergeable,
    rebaseable: mergeable,
    mergeable_state: mergeable === null ? "unknown" : !mergeable ? "dirty" : pull.draft ? "draft" : "clean",
    merged_by: pull.merged ? userJson(sim, pull.merged.by) : null,
    comments: repo.comments.filter((comment) => comment.thread === thread).length,
    review_comments: repo.reviewComments.filter((comment) => comment.thread === thread).length,
    maintainer_can_modify: pull.maintainerCanModify,
    commits: pull.stats.commits,
    additions: pull.stats.additions,
    deletions: pull.stats.deletions,
    changed_files: pull.stats.files,
  } satisfies Schemas["pull-request"];
}

/** In deliveries GitHub has not yet found out whether it can merge. */
export function pullEventJson(sim: Sim, repo: Repo, thread: PullThread) {
  return { ...pullJson(sim, repo, thread), mergeable: null, rebaseable: null, mergeable_state: "unknown" };
}

function endJson(sim: Sim, repo: Repo, { ref, sha }: { ref: string; sha: string }) {
  return {
    label: `${repo.owner.login}:${ref}`,
    ref,
    sha,
    user: userJson(sim, repo.owner),
    repo: pullRepositoryJson(sim, repo),
  };
}

export function reviewJson(sim: Sim, repo: Repo, review: Review) {
  const html = `${threadHtmlUrl(sim, repo, review.thread)}#pullrequestreview-${review.id}`;
  const pullUrl = `${repoApiUrl(sim, repo)}/pulls/${review.thread.number}`;
  return {
    id: review.id,
    node_id: nodeId("PRR", review.id),
    user: userJson(sim, review.author),
    body: review.body,
    state: review.state,
    html_url: html,
    pull_request_url: pullUrl,
    author_association: associationOf(repo, review.author),
    _links: { html: { href: html }, pull_request: { href: pullUrl } },
    ...(review.submittedAt ? { submitted_at: review.submittedAt } : {}),
    commit_id: review.commit,
  } satisfies Schemas["pull-request-review"];
}

/** Deliveries write the state in lower case and an empty body as null. */
export function reviewEventJson(sim: Sim, repo: Repo, review: Review) {
  return { ...reviewJson(sim, repo, review), body: review.body || null, state: review.state.toLowerCase() };
}

/** Outdated comments have null for line and position, which the schema does not admit and GitHub sends. */
type ReviewCommentJson = Omit<Schemas["pull-request-review-comment"], "line" | "position"> & {
  readonly line: number | null;
  readonly position: number | null;
};

export function reviewCommentJson(sim: Sim, repo: Repo, comment: ReviewComment) {
  const api = repoApiUrl(sim, repo);
  const url = `${api}/pulls/comments/${comment.id}`;
  const html = `${threadHtmlUrl(sim, repo, comment.thread)}#discussion_r${comment.id}`;
  const pullUrl = `${api}/pulls/${comment.thread.number}`;
  return {
    url,
    pull_request_review_id: comment.review.id,
    id: comment.id,
    node_id: nodeId("PRRC", comment.id),
    diff_hunk: comment.diffHunk,
    path: comment.path,
    commit_id: comment.commit,
    original_commit_id: comment.originalCommit,
    user: userJson(sim, comment.author),
    body: comment.body,
    created_at: comment.createdAt,
    updated_at: comment.updatedAt,
    html_url: html,
    pull_request_url: pullUrl,
    author_association: associationOf(repo, comment.author),
    _links: { self: { href: url }, html: { href: html }, pull_request: { href: pullUrl } },
    reactions: rollupJson(url, comment.reactions),
    start_line: comment.place?.startLine ?? null,
    original_start_line: comment.original.startLine,
    start_side: comment.startSide,
    line: comment.place?.line ?? null,
    original_line: comment.original.line,
    side: comment.side,
    ...(comment.root ? { in_reply_to_id: comment.root.id } : {}),
    original_position: comment.original.position,
    position: comment.place?.position ?? null,
    subject_type: "line",
  } satisfies ReviewCommentJson;
}
