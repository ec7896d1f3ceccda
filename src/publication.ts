/** What we will say or do on the forge, as data. publish/plan proposes, publish/perform is the only one that acts on it. */
import type { CommentRef, ThreadRef } from "./repo-event.ts";

/** Text that may leave the house: invisible characters gone, secrets and mentions neutralised. Made only by policy/redact. */
export type PublicText = string & { readonly brand: "PublicText" };

export type ReviewComment = {
  readonly path: string;
  readonly startLine: number;
  readonly line: number;
  readonly body: PublicText;
};

/** `role` is the stable key within a task: the same task and role published twice is one thing, updated. */
export type Publication =
  | { readonly kind: "react"; readonly role: string; readonly target: ReactionTarget; readonly content: Reaction }
  | { readonly kind: "comment"; readonly role: string; readonly place: CommentPlace; readonly body: PublicText }
  | { readonly kind: "push"; readonly role: string; readonly commit: string; readonly to: PushTarget }
  | {
      readonly kind: "pull";
      readonly role: string;
      /** The role of the push whose branch becomes the head. */
      readonly headRole: string;
      readonly base: string;
      readonly title: PublicText;
      readonly body: PublicText;
      readonly draft: boolean;
    }
  | {
      readonly kind: "review";
      readonly role: string;
      readonly pull: number;
      readonly headSha: string;
      readonly body: PublicText;
      readonly comments: readonly ReviewComment[];
    }
  | {
      readonly kind: "check";
      readonly role: string;
      readonly name: string;
      readonly headSha: string;
      readonly state: "in_progress" | "neutral" | "success" | "failure";
      readonly title: PublicText;
      readonly summary: PublicText;
    }
  | { readonly kind: "resolve-thread"; readonly role: string; readonly pull: number; readonly rootCommentId: number };

export type Reaction = "eyes" | "+1" | "confused";

export type ReactionTarget =
  { readonly kind: "thread"; readonly number: number } | { readonly kind: "comment"; readonly comment: CommentRef };

/** Where a comment is written: in the conversation, or as a reply in a review thread. */
export type CommentPlace =
  | { readonly kind: "conversation"; readonly thread: ThreadRef }
  | { readonly kind: "review-thread"; readonly pull: number; readonly rootCommentId: number };

/** A branch of our own (made when missing, never taken from another), or the head branch of a pull request, moved from `expected` only. */
export type PushTarget =
  | { readonly kind: "own-branch"; readonly branch: string }
  | { readonly kind: "pull-head"; readonly branch: string; readonly expected: string };

/** What a publication became: `ref` finds it again (comment id, pull number, commit). */
export type Published = {
  readonly role: string;
  readonly ref: string;
  readonly url: string;
  /** What a reader must know of how it came to be; Markdown of ours. */
  readonly note?: string;
};
