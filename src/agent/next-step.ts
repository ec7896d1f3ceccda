/** What the loop does after a reply. Pure: the same reply and counts give the same step. */
import type { ReplyPart, StopReason, ToolCall } from "../journal.ts";
import { unreachable } from "../failure.ts";

export type Step =
  | { readonly kind: "dispatch"; readonly calls: readonly ToolCall[] }
  /** Say this to the model and ask it again. */
  | { readonly kind: "ask-again"; readonly text: string | null }
  | { readonly kind: "end"; readonly how: "silent" | "refused" };

/** A model that ends without a report is asked for it this often; some never learn, and their last words must do. */
export const NUDGES_MAX = 2;

const NUDGE = "You stopped without calling the report tool. If the work is done, call report now; otherwise go on.";
const CUT_OFF =
  "Your last reply was cut off at the output limit and nothing of it was run. Do it again in smaller steps: " +
  "write large files in parts and keep explanations short.";

/** Whether we said this to a model that was silent or cut off. */
export function isNudge(text: string): boolean {
  return text === NUDGE || text === CUT_OFF;
}

export function nextStep(
  reply: { readonly parts: readonly ReplyPart[]; readonly stop: StopReason },
  nudges: number,
): Step {
  const calls = reply.parts.flatMap((part) => (part.kind === "call" ? [part.call] : []));
  switch (reply.stop) {
    case "refused":
      return { kind: "end", how: "refused" };
    case "paused":
      return { kind: "ask-again", text: null };
    case "output-limit":
    case "window-exceeded":
      // Whole calls before the cut are safe to run; the unfinished one was dropped by the adapter.
      if (calls.length > 0) return { kind: "dispatch", calls };
      return nudges < NUDGES_MAX ? { kind: "ask-again", text: CUT_OFF } : { kind: "end", how: "silent" };
    case "tool-calls":
    case "finished":
      if (calls.length > 0) return { kind: "dispatch", calls };
      return nudges < NUDGES_MAX ? { kind: "ask-again", text: NUDGE } : { kind: "end", how: "silent" };
    default:
      return unreachable(reply.stop);
  }
}
