/** Where work is that no pull request shows: as a patch in the comment, and as what was kept of it. */
import type { TaskId } from "../task.ts";
import { details, fence, joinSections } from "./render.ts";

export type Work = {
  /** What `pullwright show` knows it by. */
  readonly name: string;
  /** A unified diff for people to read. */
  readonly patch: string;
};

/** Characters of a patch in a comment; GitHub cuts a comment at 65,536. */
const PATCH_CHARS_MAX = 40_000;

/** The beginning of a task's id: what stands in lists, and the same for each attempt, so that a comment written twice is one comment. */
export function workName(taskId: TaskId): string {
  return taskId.replaceAll("-", "").slice(0, 12);
}

export function renderWork({ name, patch }: Work): string {
  const isCut = patch.length > PATCH_CHARS_MAX;
  const shown = isCut ? patch.slice(0, PATCH_CHARS_MAX) : patch;
  const title = isCut ? "The beginning of the patch" : "The work as a patch";
  return joinSections([
    details(`${title} (\`git apply\`)`, fence(shown, "diff")),
    `Nothing is lost: the commit is kept. Whoever runs this App gets it with \`pullwright show ${name} --patch\` (for \`git am\`) or ` +
      `\`pullwright show ${name} --bundle FILE\` (a git bundle).`,
  ]);
}
