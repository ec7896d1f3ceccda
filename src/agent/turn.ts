/** The calls of one reply, run and journaled: first that they were made, then what came of each. */
import type { Journal, JournalEntry, ToolCall } from "../journal.ts";
import { dispatchCalls } from "../tools/dispatch.ts";
import type { Toolset } from "../tools/toolset.ts";

export type Observed = Extract<JournalEntry, { kind: "tool-observed" }>;

export type TurnParts = { readonly journal: Journal; readonly toolset: Toolset; readonly now: () => number };

export async function runCalls(
  { journal, toolset, now }: TurnParts,
  { turn, calls }: { readonly turn: number; readonly calls: readonly ToolCall[] },
  signal: AbortSignal,
): Promise<readonly Observed[]> {
  const observed: Observed[] = [];
  for (const call of calls) await journal.append({ kind: "tool-called", turn, call });
  await dispatchCalls(toolset, calls, {
    signal,
    now,
    onResult: async ({ call, observation, wallMs, command, edits }) => {
      const told = edits.length > 0 ? { edits } : {};
      const entry = { kind: "tool-observed", turn, tool: call.tool, observation, wallMs, command, ...told } as const;
      observed.push(entry);
      await journal.append(entry);
    },
  });
  return observed;
}
