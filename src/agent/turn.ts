/** The calls of one reply, run and journaled: that each begins before it does, then what came of it. */
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
  await dispatchCalls(toolset, calls, {
    signal,
    now,
    onCall: (call) => journal.append({ kind: "tool-called", turn, call }),
    onResult: async ({ call, observation, wallMs, command, edits }) => {
      const seen = toolset.readState.takeSeen();
      const told = { ...(edits.length > 0 ? { edits } : {}), ...(seen.length > 0 ? { seen } : {}) };
      const entry = { kind: "tool-observed", turn, tool: call.tool, observation, wallMs, command, ...told } as const;
      observed.push(entry);
      await journal.append(entry);
    },
  });
  return observed;
}
