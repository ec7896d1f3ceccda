/** What a run and its sub-agents spend. Each reply is paid into the ledger before the next is asked for; a slice spends its parent's money. */
import type { JournalEntry, Usage } from "../journal.ts";
import type { BudgetState } from "../policy/budget.ts";

/** Writes one reply's usage to the ledger and says how the day's budgets stand after it. */
export type Charge = (turn: number, model: string, usage: Usage, costUsd: number) => Promise<BudgetState>;

/** `inputTokens` counts cached ones too. */
export type PurseSpent = { readonly usd: number; readonly inputTokens: number; readonly outputTokens: number };

export type Purse = {
  readonly spent: () => PurseSpent;
  /** The budgets of the repository's and the installation's day, as of the last charge. */
  readonly day: () => BudgetState;
  readonly pay: Charge;
  /** A purse of its own count, which pays out of this one; `before` was paid when it was lost. */
  readonly slice: (before: PurseSpent) => Purse;
};

export const NOTHING: PurseSpent = { usd: 0, inputTokens: 0, outputTokens: 0 };

/** `before` is what earlier attempts of a resumed run have spent and charged, `today` how the day's budgets stand. */
export function openPurse(charge: Charge, before = NOTHING, today: BudgetState = { kind: "ok" }): Purse {
  let { usd, inputTokens, outputTokens } = before;
  let day = today;
  const settle: Charge = async (turn, model, usage, cost) => {
    usd += cost;
    inputTokens += usage.input + usage.cachedRead + usage.cacheWrite;
    outputTokens += usage.output;
    day = await charge(turn, model, usage, cost);
    return day;
  };
  return {
    spent: () => ({ usd, inputTokens, outputTokens }),
    day: () => day,
    pay: settle,
    slice: (own) => openPurse(settle, own, day),
  };
}

/** USD and tokens of all replies in these entries, those of sub-agents too. */
export function readSpent(entries: readonly JournalEntry[]): PurseSpent {
  const spent = { usd: 0, inputTokens: 0, outputTokens: 0 };
  for (const entry of entries) {
    const reply = entry.kind === "sub-agent" ? entry.entry : entry;
    if (reply.kind !== "model-replied" && reply.kind !== "summarised") continue;
    const { input, cachedRead, cacheWrite, output } = reply.usage;
    spent.usd += reply.costUsd;
    spent.inputTokens += input + cachedRead + cacheWrite;
    spent.outputTokens += output;
  }
  return spent;
}
