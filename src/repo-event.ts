/** What a delivery means to us. Made only by webhook/read-event; nothing past that file sees GitHub's payload. */

/** A repository under one installation of the App. `id` is stable across renames; names are for URLs and people. */
export type RepoRef = {
  readonly installationId: number;
  readonly id: number;
  readonly owner: string;
  readonly name: string;
  readonly defaultBranch: string;
};

/** A mirror that will be wanted soon; no task. */
export type MirrorWish = {
  readonly repo: Omit<RepoRef, "defaultBranch">;
  /** Null when the event does not say. */
  readonly defaultBranch: string | null;
  /** A push concerns those who have a mirror. */
  readonly onlyWhereMirrored: boolean;
};

/** Who did it. Rights are always asked of the API for `id`; `login` is for people to read. */
export type Actor = { readonly id: number; readonly login: string; readonly isBot: boolean };

/** An issue or a pull request: both share one number space and one conversation. */
export type ThreadRef = { readonly kind: "issue" | "pull"; readonly number: number };

/** A thread's title and body as they stood when the event was sent, so that a later edit cannot change the task. */
export type ThreadText = { readonly title: string; readonly body: string; readonly author: Actor };

/** Where the asker wrote, and so where the answer belongs. `rootId` is the first comment of a review thread. */
export type CommentRef =
  | { readonly kind: "conversation"; readonly id: number }
  | { readonly kind: "review-thread"; readonly id: number; readonly rootId: number };

type Common = { readonly repo: RepoRef; readonly actor: Actor; readonly thread: ThreadRef; readonly text: ThreadText };

export type RepoEvent =
  | (Common & { readonly kind: "issue-labeled"; readonly label: string; readonly labeledAt: string })
  | (Common & { readonly kind: "comment-created"; readonly comment: CommentRef; readonly body: string })
  | (Common & {
      readonly kind: "pull-updated";
      readonly change: "opened" | "ready" | "synchronized";
      readonly isDraft: boolean;
      readonly headSha: string;
      /** When the pull request was last changed, ISO 8601 to the second: tells which of two heads is newer. */
      readonly updatedAt: string;
    });
