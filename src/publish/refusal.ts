/**
 * Why a push failed, and what to do about it. Pure. It is told from git's exit, from what the forge's API answers and from our own
 * commit; never from the words of a remote or its hooks, which repeat names that anyone may choose.
 */
import { UserError, unreachable } from "../failure.ts";
import type { PushFacts, Written } from "../forge/forge.ts";
import { code } from "./render.ts";

export type Refusal =
  /** The branch moved, and our change does not fit onto its new head. Rewritten: what it had before is not below it any more. */
  | {
      readonly kind: "moved";
      readonly branch: string;
      readonly conflicts: readonly string[];
      readonly isRewritten: boolean;
    }
  | { readonly kind: "moving"; readonly branch: string }
  | { readonly kind: "branch-gone"; readonly branch: string }
  /** Someone else's branch has the name of ours. */
  | { readonly kind: "taken"; readonly branch: string }
  | { readonly kind: "gone" }
  | { readonly kind: "suspended" }
  | { readonly kind: "permission" }
  | { readonly kind: "read-only" }
  | { readonly kind: "workflows"; readonly paths: readonly string[] }
  | { readonly kind: "too-large"; readonly path: string; readonly bytes: number }
  /** It did not take a file that Git LFS keeps, and answered with this status. */
  | { readonly kind: "lfs"; readonly status: number }
  | {
      readonly kind: "protected";
      readonly branch: string;
      readonly isProtected: boolean;
      readonly rules: readonly string[];
    }
  | { readonly kind: "unknown"; readonly branch: string };

/** The commit that was refused, as far as GitHub minds. */
export type Pushed = {
  readonly branch: string;
  /** The branch was yet to be made. */
  readonly isNew: boolean;
  readonly workflows: readonly string[];
  readonly largest: { readonly path: string; readonly bytes: number } | null;
};

/** `message` is Markdown for the asker. `rescued` is the branch that the work was put on instead. */
export class PushRefused extends UserError {
  readonly refusal: Refusal;
  constructor(refusal: Refusal, rescued: Written | null = null) {
    super(renderRefusal(refusal, rescued));
    this.refusal = refusal;
  }
}

/** GitHub refuses larger files, docs.github.com "About large files on GitHub". */
const FILE_BYTES_MAX = 100 * 1024 * 1024;

/** Why nobody, or not we, can push anything to the repository; null when the door is open. */
export function readClosedDoor(facts: PushFacts): Refusal | null {
  if (facts.kind !== "there") return facts;
  if (facts.isReadOnly) return { kind: "read-only" };
  return facts.mayWrite ? null : { kind: "permission" };
}

/** For a push that reached the forge and was refused there. What our own commit proves comes before what may only be so. */
export function classifyRefusal(facts: PushFacts, pushed: Pushed): Refusal {
  const closed = readClosedDoor(facts);
  if (closed !== null || facts.kind !== "there") return closed ?? { kind: "gone" };
  const { branch, workflows, largest } = pushed;
  // The token of a push is for contents alone, whatever else the App was given.
  if (workflows.length > 0) return { kind: "workflows", paths: workflows };
  if (largest !== null && largest.bytes > FILE_BYTES_MAX) return { kind: "too-large", ...largest };
  const rules = facts.rules.filter((rule) => mayRefuse(rule, pushed.isNew));
  if (facts.isProtected || rules.length > 0) {
    return { kind: "protected", branch, isProtected: facts.isProtected, rules };
  }
  return { kind: "unknown", branch };
}

/** Of a new commit on top of a branch. We neither delete nor rewrite. */
function mayRefuse(rule: string, isNew: boolean): boolean {
  if (rule === "deletion" || rule === "non_fast_forward") return false;
  return rule !== (isNew ? "update" : "creation");
}

/** Whether the same work may well be let onto a branch of our own, and brings nothing back there that was taken out. */
export function canRescue(refusal: Refusal): boolean {
  if (refusal.kind === "moved") return !refusal.isRewritten;
  return ["moving", "branch-gone", "protected", "unknown"].includes(refusal.kind);
}

const PATHS_SHOWN = 5;

function renderRefusal(refusal: Refusal, rescued: Written | null): string {
  const where = rescued === null ? "" : ` The work is on the branch [${code(rescued.ref)}](${rescued.url}) instead.`;
  return `${renderClass(refusal)}${where} ${renderAdvice(refusal, rescued !== null)}`;
}

function renderClass(refusal: Refusal): string {
  switch (refusal.kind) {
    case "moved":
      return (
        `Moved branch: ${code(refusal.branch)} ${refusal.isRewritten ? "was rewritten" : "got other commits"} while I was ` +
        `working, and my change conflicts with what it holds now in ${list(refusal.conflicts)}, so I left it as it is.`
      );
    case "moving":
      return `Moved branch: ${code(refusal.branch)} moved again each time I tried to push to it, so I left it as it is.`;
    case "branch-gone":
      return `Deleted branch: ${code(refusal.branch)} was deleted while I was working.`;
    case "taken":
      return `Taken branch: ${code(refusal.branch)} exists and is not mine, so nothing was pushed.`;
    case "gone":
      return "Repository gone: it does not exist any more, or I am no longer installed on it.";
    case "suspended":
      return "Permission: my installation is suspended, so nothing was pushed.";
    case "permission":
      return "Permission: I may not write to this repository (`contents: write`), so nothing was pushed.";
    case "read-only":
      return "Read-only repository: it is archived or disabled, so nothing can be pushed.";
    case "workflows":
      return (
        `Workflow files: the change touches ${list(refusal.paths)}, and GitHub lets an App push those only with a permission ` +
        "that I do not have, on purpose."
      );
    case "too-large":
      return `Large file: GitHub takes no file above 100 MB, and ${code(refusal.path)} has ${megabytes(refusal.bytes)}.`;
    case "lfs":
      return `Git LFS: GitHub did not take the files of the change that Git LFS keeps (status ${refusal.status}), so nothing was pushed.`;
    case "protected":
      return `Protected branch: GitHub refused the push to ${code(refusal.branch)}, which ${renderProtection(refusal)}.`;
    case "unknown":
      return (
        `Refused push: GitHub refused the push to ${code(refusal.branch)}, and nothing that it tells me says why ` +
        "(a secret that it found in the change, or a hook of its own, would look like this)."
      );
    default:
      return unreachable(refusal);
  }
}

function renderProtection({ isProtected, rules }: Extract<Refusal, { kind: "protected" }>): string {
  const named = rules.length === 0 ? "" : `is under rules (${list(rules)})`;
  return [isProtected ? "is protected" : "", named].filter(Boolean).join(" and ");
}

function renderAdvice(refusal: Refusal, isRescued: boolean): string {
  switch (refusal.kind) {
    case "moved":
    case "moving":
      return isRescued ? "Merge it by hand, or ask again: I begin with the new head then." : "Ask again: I begin anew.";
    case "branch-gone":
      return isRescued ? "Open a pull request from there if you still want it." : "Restore it and ask again.";
    case "taken":
      return "Delete or rename it and ask again.";
    case "gone":
      return "Install me on it and ask again.";
    case "suspended":
      return "An owner can unsuspend me; then ask again.";
    case "permission":
      return "Grant it under the App's *Permissions & events*, accept it for this installation, and ask again.";
    case "read-only":
      return "Unarchive it and ask again.";
    case "workflows":
      return "Apply the work yourself, or ask for it without those files.";
    case "too-large":
      return "Ask for it without that file, or with Git LFS.";
    case "lfs":
      return "Most often the account's budget for Git LFS is used up, or Git LFS is turned off: mend that and ask again, or ask for the work without those files.";
    case "protected":
      return isRescued
        ? "Open a pull request from there, or let me bypass the protection and ask again."
        : "Let me bypass it, or let me use other branch names than these, and ask again.";
    case "unknown":
      return "Someone who may push will see GitHub's reason when they push the work themselves.";
    default:
      return unreachable(refusal);
  }
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, PATHS_SHOWN).map(code);
  const more = names.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / (1024 * 1024))} MB`;
}
