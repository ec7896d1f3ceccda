/** What a run and its sub-agents spend. Each reply is paid into the ledger before the next is asked for; a slice spends its parent's money. */
import type { Usage } from "../journal.ts";
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
  /** A purse of its own count, which pays out of this one. */
  readonly slice: () => Purse;
};

/** `before` is what earlier attempts of a resumed run have spent and charged. */
export function openPurse(charge: Charge, before: PurseSpent = NOTHING): Purse {
  let { usd, inputTokens, outputTokens } = before;
  let day: BudgetState = { kind: "ok" };
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
    slice: () => openPurse(settle),
  };
}

export const NOTHING: PurseSpent = { usd: 0, inputTokens: 0, outputTokens: 0 };
