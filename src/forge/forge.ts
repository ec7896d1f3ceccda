/**
 * GitHub through two narrow ports split by trust: a run reads through ForgeReader before the agent starts and publish/ writes
 * through ForgeWriter after it ended. The agent and its tools see neither, nor any credential.
 */
import type { Actor, RepoRef, ThreadRef } from "../repo-event.ts";
import type { CommentPlace, PublicText, Reaction, ReactionTarget, ReviewComment } from "../publication.ts";

export type Permission = "admin" | "write" | "read" | "none";

/** A comment of a thread, with what its author may do, so that the brief can label it. */
export type ThreadComment = {
  readonly id: number;
  readonly author: Actor;
  /** The author may write to the repository. */
  readonly isInsider: boolean;
  /** We wrote it: a finding that someone now asks us to fix, say. */
  readonly isOurs: boolean;
  readonly body: string;
  readonly createdAt: string;
};

export type PullFacts = {
  readonly number: number;
  readonly title: string;
  readonly body: string;
  readonly author: Actor;
  readonly state: "open" | "closed" | "merged";
  readonly isDraft: boolean;
  readonly baseBranch: string;
  readonly baseSha: string;
  readonly headBranch: string;
  readonly headSha: string;
  /** The head lives in another repository: it can be read through refs/pull/N/head and never pushed to. */
  readonly isFork: boolean;
};

/** The comments of one review thread, first to last, with the place they are anchored to. */
export type ReviewThread = {
  readonly path: string;
  readonly line: number | null;
  readonly diffHunk: string;
  readonly comments: readonly ThreadComment[];
};

/** How git reaches the repository. `token` is short-lived, for this repository only, and goes into git's environment only. */
export type GitAccess = {
  readonly url: string;
  readonly token: string;
  /** What the forge says the repository takes, where it says so. */
  readonly kilobytes?: number;
};

export interface ForgeReader {
  /** The permission of a person, asked by numeric id. Anything unknown, missing or unclear is "none". */
  permission(repo: RepoRef, actorId: number): Promise<Permission>;
  comments(repo: RepoRef, thread: ThreadRef): Promise<readonly ThreadComment[]>;
  reviewThread(repo: RepoRef, pull: number, rootCommentId: number): Promise<ReviewThread>;
  pull(repo: RepoRef, number: number): Promise<PullFacts>;
  /** A token with contents:read, for the mirror. */
  readAccess(repo: RepoRef): Promise<GitAccess>;
}

/** What a write left behind: `ref` finds it again. */
export type Written = { readonly ref: string; readonly url: string };

/** Asked right before each request that changes something. What it throws is thrown instead, and the request is not sent. */
export type Fence = () => Promise<void>;

/** What the forge says of a repository and a branch whose push it refused: facts of its API, none of them text that came with the push. */
export type PushFacts =
  /** No such repository, or none that the App is installed on. */
  | { readonly kind: "gone" }
  | { readonly kind: "suspended" }
  | {
      readonly kind: "there";
      readonly mayWrite: boolean;
      /** Archived or disabled: nobody can push. */
      readonly isReadOnly: boolean;
      readonly isProtected: boolean;
      /** Types of the rulesets' rules in force for the branch, such as "update"; a branch that is yet to be made has some, too. */
      readonly rules: readonly string[];
    };

export interface ForgeWriter {
  /** The same writer, and `fence` before each of its writes: also before one that is made again after a wait. */
  fenced(fence: Fence): ForgeWriter;
  react(repo: RepoRef, target: ReactionTarget, content: Reaction): Promise<Written>;
  /** Finds a comment of our own that holds `marker` (an HTML comment), so that a lost worker's comment is adopted, not doubled. */
  findComment(repo: RepoRef, place: CommentPlace, marker: string): Promise<Written | null>;
  createComment(repo: RepoRef, place: CommentPlace, body: PublicText): Promise<Written>;
  updateComment(repo: RepoRef, place: CommentPlace, ref: string, body: PublicText): Promise<Written>;
  /** An open or closed pull request of our own from `head` (a branch of this repository). */
  findPull(repo: RepoRef, head: string): Promise<Written | null>;
  createPull(repo: RepoRef, pull: NewPull): Promise<Written>;
  updatePull(repo: RepoRef, ref: string, pull: Pick<NewPull, "title" | "body">): Promise<Written>;
  findReview(repo: RepoRef, pull: number, marker: string): Promise<Written | null>;
  /** Posts one review of kind COMMENT, never an approval. `ref` is the review id. */
  createReview(repo: RepoRef, review: NewReview): Promise<Written>;
  findCheck(repo: RepoRef, headSha: string, externalId: string): Promise<Written | null>;
  createCheck(repo: RepoRef, check: NewCheck): Promise<Written>;
  updateCheck(repo: RepoRef, ref: string, check: NewCheck): Promise<Written>;
  resolveThread(repo: RepoRef, pull: number, rootCommentId: number): Promise<Written>;
  /** A token with contents:write, minted for one push. */
  pushAccess(repo: RepoRef): Promise<GitAccess>;
  /** Asked after a push failed. Throws TransientError when the forge does not answer. */
  pushFacts(repo: RepoRef, branch: string): Promise<PushFacts>;
  /** The name and e-mail under which our commits are made, such as "pullwright[bot]". */
  identity(repo: RepoRef): Promise<{ readonly name: string; readonly email: string }>;
}

export type NewPull = {
  readonly head: string;
  readonly base: string;
  readonly title: PublicText;
  readonly body: PublicText;
  readonly draft: boolean;
};

export type NewReview = {
  readonly pull: number;
  readonly headSha: string;
  readonly body: PublicText;
  readonly comments: readonly ReviewComment[];
};

export type NewCheck = {
  readonly name: string;
  readonly headSha: string;
  readonly externalId: string;
  readonly state: "in_progress" | "neutral" | "success" | "failure";
  readonly title: PublicText;
  readonly summary: PublicText;
};
