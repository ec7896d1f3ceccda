/** How much of its limits a run has used. It names the limit in words that a person or the model can read. */
import type { DayLimits, RunLimits } from "../settings.ts";

export type Spent = { readonly turns: number; readonly wallMs: number; readonly usd: number };

/** `limit` reads after "limit on": "turns (100)", "time (30 minutes)", "money ($5)". */
export type BudgetState =
  | { readonly kind: "ok" }
  | { readonly kind: "near"; readonly limit: string }
  | { readonly kind: "over"; readonly limit: string };

/** From here on the model is told to come to an end: the last fifth is enough to hand in what there is. */
const NEAR_SHARE = 0.8;

/** A limit that is exactly reached is over: the next turn would pass it. */
export function budgetState(spent: Spent, limits: RunLimits): BudgetState {
  const uses = [
    { share: spent.turns / limits.turnsMax, limit: `turns (${limits.turnsMax})` },
    { share: spent.wallMs / limits.wallMsMax, limit: nameTimeLimit(limits.wallMsMax) },
    { share: spent.usd / limits.usdMax, limit: `money ($${round(limits.usdMax)})` },
  ];
  // A share that is no number counts as used up: a sum gone wrong must not run on without a limit.
  const over = uses.find(({ share }) => !(share < 1));
  if (over) return { kind: "over", limit: over.limit };
  const most = uses.reduce((a, b) => (b.share > a.share ? b : a));
  return most.share >= NEAR_SHARE ? { kind: "near", limit: most.limit } : { kind: "ok" };
}

/** USD since the UTC day began, of everyone's runs. */
export type DaySpent = { readonly repoUsd: number; readonly installationUsd: number };

/** A day's money is shared, so a run is warned only when little is left of it. */
const DAY_NEAR_SHARE = 0.95;

export function dayState({ repoUsd, installationUsd }: DaySpent, limits: DayLimits): BudgetState {
  const uses = [
    { share: repoUsd / limits.repoUsdMax, limit: `this repository's money for today ($${round(limits.repoUsdMax)})` },
    {
      share: installationUsd / limits.installationUsdMax,
      limit: `this installation's money for today ($${round(limits.installationUsdMax)})`,
    },
  ];
  const over = uses.find(({ share }) => !(share < 1));
  if (over) return { kind: "over", limit: over.limit };
  const near = uses.find(({ share }) => share >= DAY_NEAR_SHARE);
  return near ? { kind: "near", limit: near.limit } : { kind: "ok" };
}

export function startOfDay(at: number): number {
  return at - (at % 86_400_000);
}

export function nameTimeLimit(wallMsMax: number): string {
  return `time (${round(wallMsMax / 60_000)} minutes)`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
