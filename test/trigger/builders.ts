import type { Rules } from "../../src/trigger/decide.ts";
import type { RepoEvent } from "../../src/repo-event.ts";

export const RULES: Rules = { label: "agent", slug: "pullwright", automaticReview: true, reviewDrafts: false };

const repo = { installationId: 7, id: 70, owner: "acme", name: "shop", defaultBranch: "main" };
const actor = { id: 1, login: "ada", isBot: false };
const text = { title: "Title", body: "Body", author: actor };
const thread = { kind: "issue", number: 3 } as const;
const pull = { kind: "pull", number: 4 } as const;

type Of<K extends RepoEvent["kind"]> = Extract<RepoEvent, { kind: K }>;

export function issueLabeled(change: Partial<Of<"issue-labeled">> = {}): Of<"issue-labeled"> {
  const labeledAt = "2026-11-21T00:00:00Z";
  return { kind: "issue-labeled", repo, actor, thread, text, label: "agent", labeledAt, ...change };
}

/** A comment on issue 3, or on pull request 4. */
export function comment(body: string, on: "issue" | "pull" = "issue"): Of<"comment-created"> {
  const place = on === "issue" ? thread : pull;
  return { kind: "comment-created", repo, actor, thread: place, text, body, comment: { kind: "conversation", id: 9 } };
}

export function pullUpdated(change: Partial<Of<"pull-updated">> = {}): Of<"pull-updated"> {
  const headSha = "a".repeat(40);
  return {
    kind: "pull-updated",
    repo,
    actor,
    thread: pull,
    text,
    change: "opened",
    isDraft: false,
    headSha,
    updatedAt: "2026-11-21T00:00:00Z",
    ...change,
  };
}

export const BOT = { id: 2, login: "other[bot]", isBot: true };
