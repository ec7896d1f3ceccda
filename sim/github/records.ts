/** What the stand-in remembers. Records are changed in place by the routes; json/ turns them into GitHub's answers on demand. */
import type { z } from "zod";
import type { PermissionMap } from "./seed.ts";
import type { Rule } from "./update-hook.ts";

export type Account = {
  readonly id: number;
  readonly login: string;
  readonly type: "User" | "Bot" | "Organization";
  readonly createdAt: string;
};

export type Level = "admin" | "write" | "read" | "none";
export type Permissions = z.output<typeof PermissionMap>;

export type App = {
  readonly id: number;
  readonly slug: string;
  readonly owner: Account;
  readonly bot: Account;
  readonly privateKey: string;
  readonly publicKey: string;
  permissions: Permissions;
  readonly createdAt: string;
};

export type Installation = {
  readonly id: number;
  readonly account: Account;
  readonly repos: Repo[];
  readonly selection: "all" | "selected";
  readonly createdAt: string;
  suspendedAt: string | null;
};

export type Reaction = {
  readonly id: number;
  readonly user: Account;
  readonly content: ReactionContent;
  readonly createdAt: string;
};

export const REACTIONS = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"] as const;
export type ReactionContent = (typeof REACTIONS)[number];

export type Label = {
  readonly id: number;
  readonly name: string;
  readonly color: string;
  readonly description: string | null;
};

/** An issue, or a pull request when `pull` is set: both share one number space and one conversation. */
export type Thread = {
  readonly id: number;
  readonly number: number;
  readonly author: Account;
  readonly viaApp: boolean;
  readonly createdAt: string;
  title: string;
  body: string | null;
  updatedAt: string;
  state: "open" | "closed";
  stateReason: "completed" | "not_planned" | "reopened" | "duplicate" | null;
  closedAt: string | null;
  closedBy: Account | null;
  labels: Label[];
  assignees: Account[];
  readonly reactions: Reaction[];
  readonly pull: Pull | null;
};

export type PullThread = Thread & { readonly pull: Pull };

export type Pull = {
  readonly id: number;
  readonly headRepo: Repo;
  readonly headRef: string;
  headSha: string;
  baseRef: string;
  /** The tip of the base branch when the head last moved, as on GitHub: it does not follow the base branch. */
  baseSha: string;
  draft: boolean;
  merged: { readonly at: string; readonly by: Account; readonly sha: string } | null;
  stats: PullStats;
  readonly maintainerCanModify: boolean;
};

export type PullStats = {
  readonly commits: number;
  readonly additions: number;
  readonly deletions: number;
  readonly files: number;
  readonly mergeable: boolean;
};

export type Comment = {
  readonly id: number;
  readonly thread: Thread;
  readonly author: Account;
  readonly viaApp: boolean;
  readonly createdAt: string;
  body: string;
  updatedAt: string;
  readonly reactions: Reaction[];
};

export type ReviewState = "APPROVED" | "CHANGES_REQUESTED" | "COMMENTED" | "PENDING" | "DISMISSED";

export type Review = {
  readonly id: number;
  readonly thread: PullThread;
  readonly author: Account;
  readonly commit: string;
  body: string;
  state: ReviewState;
  submittedAt: string | null;
};

export type Side = "LEFT" | "RIGHT";

export type ReviewComment = {
  readonly id: number;
  readonly thread: PullThread;
  readonly review: Review;
  /** The first comment of the review thread; null when this is the first. */
  readonly root: ReviewComment | null;
  readonly author: Account;
  readonly createdAt: string;
  readonly path: string;
  readonly diffHunk: string;
  readonly side: Side;
  readonly startSide: Side | null;
  readonly original: Place;
  readonly originalCommit: string;
  commit: string;
  /** Null when outdated: the line changed after the comment was made. */
  place: Place | null;
  body: string;
  updatedAt: string;
  isResolved: boolean;
  resolvedBy: Account | null;
  readonly reactions: Reaction[];
};

export type Place = { readonly line: number; readonly startLine: number | null; readonly position: number };

export type CheckRun = {
  readonly id: number;
  readonly suiteId: number;
  readonly name: string;
  readonly headSha: string;
  externalId: string;
  detailsUrl: string | null;
  status: "queued" | "in_progress" | "completed";
  conclusion: "success" | "failure" | "neutral" | "cancelled" | "skipped" | "timed_out" | "action_required" | null;
  startedAt: string;
  completedAt: string | null;
  output: { title: string | null; summary: string | null; text: string | null };
};

export type Repo = {
  readonly id: number;
  readonly owner: Account;
  name: string;
  fullName: string;
  /** "owner/name" of before: the API answers to them, as one who follows its redirects sees it; git is told where to go. */
  readonly formerNames: string[];
  readonly isPrivate: boolean;
  readonly defaultBranch: string;
  readonly gitDir: string;
  readonly collaborators: ReadonlyMap<string, Level>;
  readonly isInstalled: boolean;
  readonly forkOf: Repo | null;
  readonly createdAt: string;
  pushedAt: string;
  readonly labels: Label[];
  readonly threads: Thread[];
  readonly comments: Comment[];
  readonly reviews: Review[];
  readonly reviewComments: ReviewComment[];
  readonly checkRuns: CheckRun[];
  /** Protected branches and the rules of rulesets. */
  readonly rules: Rule[];
  isArchived: boolean;
};
