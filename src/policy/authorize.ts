/** Whether a task may run, by what the forge says of its asker. Unknown is no. */
import type { Goal } from "../task.ts";

/** What a person may do in a repository, as the forge reports it. */
export type Right = "admin" | "write" | "read" | "none";

export type Verdict =
  | { readonly kind: "allow" }
  /** `answer` says whether the asker is told: silence for outsiders, or a stranger could make the bot talk. */
  | { readonly kind: "deny"; readonly why: string; readonly answer: "explain" | "silence" };

/**
 * A command or a label needs write access. A review that the repository wants for every pull request needs no right of its author:
 * it writes nothing but the review, and whatever the author wrote stays data.
 */
export function authorize(goal: Goal, right: Right, { isAutomatic }: { readonly isAutomatic: boolean }): Verdict {
  if (right === "admin" || right === "write") return { kind: "allow" };
  if (isAutomatic && goal === "review") return { kind: "allow" };
  const why = `\`${goal}\` needs write access to this repository.`;
  return { kind: "deny", why, answer: right === "read" && !isAutomatic ? "explain" : "silence" };
}
