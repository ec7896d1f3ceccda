/** Outcome -> what to say and do about it, as data. Pure: a run published twice plans the same publications under the same roles. */
import type { Outcome } from "../outcome.ts";
import type { Publication, PublicText } from "../publication.ts";
import type { Task } from "../task.ts";
import type { PullFacts } from "../forge/forge.ts";
import { unreachable } from "../failure.ts";
import { branchName } from "../policy/paths.ts";
import { renderFinding, renderPullBody, renderReviewBody } from "./render.ts";

export type PlanFacts = {
  /** The pull request the task is about, null for an issue. */
  readonly pull: PullFacts | null;
  readonly voice: Voice;
};

/** Makes text fit to leave the house; `policy/redact` speaks through it. `closes` is the one issue a keyword may close. */
export type Voice = {
  readonly say: (markdown: string, closes?: number) => PublicText;
  readonly sayTitle: (title: string) => PublicText;
};

type Changed = Extract<Outcome, { kind: "changed" }>;
type Reviewed = Extract<Outcome, { kind: "reviewed" }>;

/** Everything but the progress comment, in the order it must happen. */
export function planPublications(task: Task, outcome: Outcome, facts: PlanFacts): readonly Publication[] {
  switch (outcome.kind) {
    case "changed":
      return facts.pull === null ? planPull(task, outcome, facts) : planFix(task, outcome, facts.pull);
    case "reviewed":
      return planReview(task, outcome, facts);
    case "nothing-changed":
    case "superseded":
      return [];
    case "refused":
    case "failed":
      return [react(task, "confused")];
    default:
      return unreachable(outcome);
  }
}

/** The first sign of life: on the comment that asked, else on the issue or pull request. */
export function planAcknowledgement(task: Task): Publication {
  return react(task, "eyes");
}

function planPull(task: Task, outcome: Changed, facts: PlanFacts): readonly Publication[] {
  const { number } = task.thread;
  const checksFail = outcome.checks.some(({ after }) => after.exitCode !== 0);
  return [
    {
      kind: "push",
      role: "push",
      commit: outcome.commit,
      to: { kind: "own-branch", branch: branchName(number, task.text.title) },
    },
    {
      kind: "pull",
      role: "pull",
      headRole: "push",
      base: task.repo.defaultBranch,
      title: facts.voice.sayTitle(outcome.title),
      body: facts.voice.say(renderPullBody(outcome, number), number),
      draft: checksFail || outcome.ending.kind !== "reported" || outcome.opinion?.verdict === "blocks",
    },
  ];
}

/** A fork's branch is never pushed to: its work goes into the progress comment as a patch. */
function planFix(task: Task, outcome: Changed, pull: PullFacts): readonly Publication[] {
  if (pull.isFork) return [];
  const to = { kind: "pull-head", branch: pull.headBranch, expected: pull.headSha } as const;
  const push: Publication = { kind: "push", role: "push", commit: outcome.commit, to };
  const comment = task.origin.kind === "command" ? task.origin.comment : null;
  if (comment?.kind !== "review-thread" || outcome.notDone !== "") return [push];
  return [push, { kind: "resolve-thread", role: "resolve", pull: pull.number, rootCommentId: comment.rootId }];
}

function planReview(task: Task, outcome: Reviewed, facts: PlanFacts): readonly Publication[] {
  const isClean = outcome.inline.length + outcome.elsewhere.length === 0;
  if (isClean && task.origin.kind === "automatic") return [react(task, "+1")];
  return [
    {
      kind: "review",
      role: "review",
      pull: task.thread.number,
      headSha: outcome.headSha,
      body: facts.voice.say(renderReviewBody(outcome)),
      comments: outcome.inline.map((finding) => ({
        path: finding.path,
        startLine: finding.startLine,
        line: finding.endLine,
        body: facts.voice.say(renderFinding(finding)),
      })),
    },
  ];
}

function react(task: Task, content: "eyes" | "+1" | "confused"): Publication {
  const target =
    task.origin.kind === "command"
      ? ({ kind: "comment", comment: task.origin.comment } as const)
      : ({ kind: "thread", number: task.thread.number } as const);
  return { kind: "react", role: `react-${content}`, target, content };
}
