/** Why our engine and OpenAI's applyDiff may differ. Each class is explained in docs/decisions/0005-patch-oracle.md. */
import type { Story } from "./stories.ts";

/** The new text of each engine, null where it refuses, with its message then. */
export type Answers = {
  readonly ours: string | null;
  readonly theirs: string | null;
  readonly messages: { readonly ours: string; readonly theirs: string };
};

/** "unexplained" is a defect of one of the two. */
export function explain(story: Story, { ours, theirs, messages }: Answers): string {
  if (ours === null) return explainRefusal(story, messages.ours);
  if (theirs === null) return explainLeniency(story, messages.theirs);
  return explainTexts(story, ours, theirs);
}

/** They write something, or refuse for another reason. */
function explainRefusal({ before, diff }: Story, message: string): string {
  if (message.includes("ambiguous")) return "ambiguous place refused";
  if (message.includes('no line matches "@@')) return "unknown scope refused";
  if (message.includes("another indentation")) return "indentation refused";
  if (message.includes("has no lines")) return "nothing to do refused";
  if (message.includes("at the end of the file")) return "end of file is the end";
  if (onlyAdds(diff) && message.includes("these lines are not below")) return "bare addition at the end";
  const isClosed = before.endsWith("\n");
  if (isClosed && hasBlankLine(diff) && message.includes("these lines are not")) return "line after the last newline";
  return "unexplained";
}

/** We write something where they refuse. */
function explainLeniency({ before, diff }: Story, message: string): string {
  if (message.includes("Nothing in this section")) return "empty chunk ignored";
  if (/Invalid (EOF )?Context/.test(message) && hasBlankLine(diff)) return "blank line between chunks ignored";
  if (message.includes("Invalid") && /["']/.test(diff) && /[\u201c\u201d\u2019]/.test(before))
    return "typed punctuation read";
  return "unexplained";
}

function explainTexts({ before, diff }: Story, ours: string, theirs: string): string {
  const [a, b] = [ours, theirs].map((text) => text.replaceAll("\r\n", "\n"));
  if (a === undefined || b === undefined) return "unexplained";
  if (a === `${b}\n` || b === `${a}\n`) return "newline at the end kept";
  const bare = (text: string) => text.replace(/^[ \t]+/gm, "");
  if (bare(a) === bare(b)) return "new lines indented alike";
  if (onlyAdds(diff)) return "bare addition at the end";
  if (hasBlankLine(diff) && before.endsWith("\n")) return "line after the last newline";
  return "unexplained";
}

function hasBlankLine(diff: string): boolean {
  return /^[- ]?[ \t]*$/m.test(diff);
}

/** Some chunk has new lines and no old ones. */
function onlyAdds(diff: string): boolean {
  return diff.split(/^@@.*\n?/m).some((chunk) => /^\+/m.test(chunk) && !/^[- ]/m.test(chunk));
}
