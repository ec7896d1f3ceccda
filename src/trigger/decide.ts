/** RepoEvent -> Decision. Pure: the same event and rules give the same decision. Rights are asked later, by the run. */
import { unreachable } from "../failure.ts";
import type { Actor, CommentRef, RepoEvent, RepoRef, ThreadRef } from "../repo-event.ts";
import type { Goal, TaskOrigin, TaskRequest } from "../task.ts";
import { readCommand } from "./read-command.ts";

export type Rules = {
  /** The label that asks for a pull request. */
  readonly label: string;
  /** The App's slug: people may write `@slug` for `/agent`. */
  readonly slug: string;
  readonly automaticReview: boolean;
  readonly reviewDrafts: boolean;
};

export type Decision =
  /** `headAt`: since when a pull request's head is what an automatic review is asked of, ISO 8601; else null. */
  | { readonly kind: "start"; readonly request: TaskRequest; readonly headAt: string | null }
  /** Words for, or the end of, whatever is at work on this thread. */
  | { readonly kind: "steer" | "stop"; readonly note: ThreadNote }
  | { readonly kind: "ignore"; readonly reason: string };

export type ThreadNote = {
  readonly repo: RepoRef;
  readonly thread: ThreadRef;
  readonly author: Actor;
  readonly comment: CommentRef;
  readonly body: string;
};

/** What everything we write carries in an HTML comment, so that our own words are never taken for a command. */
export const OWN_MARKER = "<!-- pullwright:";

/** Commands that are promised and not built: saying so is kinder than "unknown". */
const NOT_YET = new Set("ask plan approve test fix-ci status retry undo apply help best-of".split(" "));

export function decide(event: RepoEvent, rules: Rules): Decision {
  if (event.actor.isBot) return ignore("a bot never starts a task");

  switch (event.kind) {
    case "issue-labeled":
      if (!isSameLabel(event.label, rules.label)) return ignore(`the label is not "${rules.label}"`);
      if (event.thread.kind === "pull")
        return ignore("the label on a pull request asks for nothing; comment `/agent fix`");
      return start(event, {
        goal: "implement",
        origin: { kind: "label" },
        asked: event.labeledAt,
      });
    case "comment-created":
      return decideComment(event, rules);
    case "pull-updated":
      if (!rules.automaticReview) return ignore("automatic reviews are off");
      if (event.isDraft && !rules.reviewDrafts) return ignore("the pull request is a draft");
      return start(event, {
        goal: "review",
        origin: { kind: "automatic" },
        asked: event.headSha,
        headSha: event.headSha,
        headAt: event.updatedAt,
      });
    default:
      return unreachable(event);
  }
}

function decideComment(event: Extract<RepoEvent, { kind: "comment-created" }>, rules: Rules): Decision {
  if (event.body.includes(OWN_MARKER)) return ignore("the comment is one of our own");
  const command = readCommand(event.body, rules.slug);
  if (!command) return ignore("no command in the comment");
  const { repo, thread, actor: author, comment } = event;
  const note = { repo, thread, author, comment };
  if (command.verb === "stop") return { kind: "stop", note: { ...note, body: command.text } };
  if (command.verb === "steer") return { kind: "steer", note: { ...note, body: command.text } };
  // Free text is for whoever is at work here; it is ignored, and the record says so, when nobody is.
  if (!isVerb(command.verb)) return { kind: "steer", note: { ...note, body: command.said } };
  const goal = readGoal(command.verb, event.thread.kind);
  if (goal.kind === "ignore") return goal;
  return start(event, {
    goal: goal.goal,
    origin: { kind: "command", comment: event.comment },
    asked: `${event.comment.kind}:${event.comment.id}`,
    instruction: command.text,
  });
}

/** What the verb asks for on this kind of thread. */
function readGoal(
  verb: string,
  thread: "issue" | "pull",
): { kind: "goal"; goal: Goal } | Extract<Decision, { kind: "ignore" }> {
  switch (verb) {
    case "":
      return thread === "issue"
        ? { kind: "goal", goal: "implement" }
        : ignore("`/agent` alone says nothing on a pull request");
    case "implement":
      return thread === "issue" ? { kind: "goal", goal: verb } : ignore("`implement` is for issues");
    case "fix":
    case "review":
      return thread === "pull" ? { kind: "goal", goal: verb } : ignore(`\`${verb}\` is for pull requests`);
    default:
      return ignore(`\`${verb}\` is not a command yet`);
  }
}

function isVerb(verb: string): boolean {
  return ["", "implement", "fix", "review"].includes(verb) || NOT_YET.has(verb);
}

type Start = {
  readonly goal: Goal;
  readonly origin: TaskOrigin;
  /** What tells this request from the next of its kind: when, in which comment, of which head. */
  readonly asked: string;
  readonly instruction?: string;
  readonly headSha?: string;
  readonly headAt?: string;
};

/**
 * The key is the meaning of the request: event, repository, thread, asker, command, and which one. So the same one heard twice (a
 * redelivery with a new id, a sweep) is one task. Nobody asks for an automatic review: whoever opened, pushed or reopened, it is one.
 */
function start(event: RepoEvent, { goal, origin, asked, instruction = "", headSha, headAt }: Start): Decision {
  const { repo, thread, text, actor } = event;
  const kind = { label: "label", command: "comment", automatic: "review" }[origin.kind];
  const asker = origin.kind === "automatic" ? "-" : actor.id;
  return {
    kind: "start",
    request: {
      key: [kind, repo.id, thread.number, asker, goal, asked].join(":"),
      goal,
      repo,
      thread,
      text,
      asker: actor,
      origin,
      instruction,
      headSha: headSha ?? null,
    },
    headAt: headAt ?? null,
  };
}

function ignore(reason: string): Extract<Decision, { kind: "ignore" }> {
  return { kind: "ignore", reason };
}

/** GitHub keeps label names apart without regard to case. */
function isSameLabel(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
