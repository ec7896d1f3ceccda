/**
 * GitHub's payload -> RepoEvent. The last file that sees a payload: it takes only what we use, and says why it took nothing.
 * It never throws over what a payload holds.
 */
import { z } from "zod";
import type { Actor, RepoEvent, RepoRef, ThreadText } from "../repo-event.ts";

export type ReadEvent =
  { readonly kind: "event"; readonly event: RepoEvent } | { readonly kind: "none"; readonly reason: string };

const id = z.number().int().positive();

const User = z
  .object({ id, login: z.string().min(1), type: z.string() })
  .transform(({ id, login, type }): Actor => ({ id, login, isBot: type === "Bot" }));

/** Whose account is gone is shown as this user. */
const GHOST: Actor = { id: 10137, login: "ghost", isBot: false };
const Author = User.nullable().transform((user) => user ?? GHOST);

const Delivery = z
  .object({
    installation: z.object({ id }),
    repository: z.object({ id, name: z.string(), owner: z.object({ login: z.string() }), default_branch: z.string() }),
    sender: User,
  })
  .transform(({ installation, repository, sender }): { repo: RepoRef; actor: Actor } => ({
    repo: {
      installationId: installation.id,
      id: repository.id,
      owner: repository.owner.login,
      name: repository.name,
      defaultBranch: repository.default_branch,
    },
    actor: sender,
  }));

const Thread = z.object({ number: id, title: z.string(), body: z.string().nullable(), user: Author });
const Issue = Thread.extend({ pull_request: z.unknown().optional(), updated_at: z.string() });
const Pull = Thread.extend({
  draft: z.boolean(),
  updated_at: z.iso.datetime(),
  head: z.object({ sha: z.string().regex(/^[0-9a-f]{40,64}$/) }),
});

const Labeled = z.object({ issue: Issue, label: z.object({ name: z.string() }) });
const Commented = z.object({ issue: Issue, comment: z.object({ id, body: z.string() }) });
const ReviewCommented = z.object({
  pull_request: Thread,
  comment: z.object({ id, in_reply_to_id: id.optional(), body: z.string() }),
});
const Acted = z.object({ action: z.string() });
const Placed = z.object({ repository: z.object({ full_name: z.string() }) });
const PullChanged = z.object({ pull_request: Pull });

/** The events that mean something to us, by name and action. */
const READERS: Readonly<Record<string, (payload: unknown) => RepoEvent>> = {
  "issues.labeled": readLabeled,
  "issue_comment.created": readComment,
  "pull_request_review_comment.created": readReviewComment,
  "pull_request.opened": (payload) => readPull(payload, "opened"),
  "pull_request.reopened": (payload) => readPull(payload, "opened"),
  "pull_request.ready_for_review": (payload) => readPull(payload, "ready"),
  "pull_request.synchronize": (payload) => readPull(payload, "synchronized"),
};

/** `name` is the event's with its action, such as "issues.labeled". */
export function readEvent(name: string, payload: unknown): ReadEvent {
  const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
  if (!reader) return { kind: "none", reason: `event ${name} has no meaning here` };
  try {
    return { kind: "event", event: reader(payload) };
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const first = error.issues[0];
    return { kind: "none", reason: `the payload is malformed at ${first?.path.join(".")}: ${first?.message}` };
  }
}

/** "issues.labeled" of event "issues" with action "labeled"; events without an action are their own name. */
export function readName(event: string, payload: unknown): string {
  const parsed = Acted.safeParse(payload);
  return parsed.success ? `${event}.${parsed.data.action}` : event;
}

/** "owner/name" for any event of a repository, null for the others. */
export function readRepoName(payload: unknown): string | null {
  const parsed = Placed.safeParse(payload);
  return parsed.success ? parsed.data.repository.full_name : null;
}

function readLabeled(payload: unknown): RepoEvent {
  const { issue, label } = Labeled.parse(payload);
  return {
    kind: "issue-labeled",
    ...Delivery.parse(payload),
    thread: { kind: issue.pull_request ? "pull" : "issue", number: issue.number },
    text: readText(issue),
    label: label.name,
    labeledAt: issue.updated_at,
  };
}

function readComment(payload: unknown): RepoEvent {
  const { issue, comment } = Commented.parse(payload);
  return {
    kind: "comment-created",
    ...Delivery.parse(payload),
    // A pull request's conversation is an issue's: only this field tells them apart.
    thread: { kind: issue.pull_request ? "pull" : "issue", number: issue.number },
    text: readText(issue),
    comment: { kind: "conversation", id: comment.id },
    body: comment.body,
  };
}

function readReviewComment(payload: unknown): RepoEvent {
  const { pull_request: pull, comment } = ReviewCommented.parse(payload);
  return {
    kind: "comment-created",
    ...Delivery.parse(payload),
    thread: { kind: "pull", number: pull.number },
    text: readText(pull),
    comment: { kind: "review-thread", id: comment.id, rootId: comment.in_reply_to_id ?? comment.id },
    body: comment.body,
  };
}

function readPull(payload: unknown, change: "opened" | "ready" | "synchronized"): RepoEvent {
  const { pull_request: pull } = PullChanged.parse(payload);
  return {
    kind: "pull-updated",
    ...Delivery.parse(payload),
    thread: { kind: "pull", number: pull.number },
    text: readText(pull),
    change,
    isDraft: pull.draft,
    headSha: pull.head.sha,
    updatedAt: pull.updated_at,
  };
}

function readText({ title, body, user }: z.infer<typeof Thread>): ThreadText {
  return { title, body: body ?? "", author: user };
}
