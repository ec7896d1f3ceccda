/** Where the prompt cache of the Messages API gets its breakpoints. Pure: they wander with the transcript's end and change nothing else. */
import type {
  ContentBlockParam,
  MessageParam,
  TextBlockParam,
  ToolResultBlockParam,
} from "@anthropic-ai/sdk/resources/messages/messages";

export type UserTurn = { readonly role: "user"; readonly content: (TextBlockParam | ToolResultBlockParam)[] };
export type AssistantTurn = { readonly role: "assistant"; readonly content: ContentBlockParam[] };
export type Turn = UserTurn | AssistantTurn;

export const CACHE = { type: "ephemeral" } as const;

/** The vendor looks this many blocks back from a breakpoint for something it has cached. */
const LOOK_BACK_BLOCKS = 20;

/**
 * Three of the four breakpoints a request may have; the fourth closes the system prompt. The last message's end is written this
 * time, the one before it is where the last request wrote, and the third stands within the vendor's look-back of the second, so that
 * what an earlier request wrote is found even when the last one failed or went to another vendor.
 */
export function withBreakpoints(turns: readonly Turn[]): MessageParam[] {
  const marked = new Set(breakpointsOf(turns));
  return turns.map((turn) => {
    if (turn.role === "assistant" || !marked.has(turn)) return turn;
    const last = turn.content.at(-1);
    return last ? { ...turn, content: [...turn.content.slice(0, -1), { ...last, cache_control: CACHE }] } : turn;
  });
}

/** Only user turns: a thought, which may end the model's, takes no breakpoint. */
function breakpointsOf(turns: readonly Turn[]): readonly Turn[] {
  const ends: { readonly turn: Turn; readonly at: number }[] = [];
  let at = 0;
  for (const turn of turns) {
    at += turn.content.length;
    if (turn.role === "user") ends.push({ turn, at });
  }
  const [last, before, ...older] = ends.toReversed();
  if (!last || !before) return last ? [last.turn] : [];
  const near = older.findLast((end) => before.at - end.at < LOOK_BACK_BLOCKS) ?? older[0];
  return [last, before, near].flatMap((end) => end?.turn ?? []);
}
