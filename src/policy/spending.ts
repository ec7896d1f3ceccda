/** When so much of a day's money is spent that somebody should hear of it, and in which words. Pure. */
import type { RepoRef } from "../repo-event.ts";
import type { DayLimits } from "../settings.ts";
import type { DaySpent } from "./budget.ts";

/** Early enough that a limit can still be raised before it ends somebody's run. */
const ALERT_SHARE = 0.8;

export type SpendingAlert = {
  /** The same for all who notice the same thing. */
  readonly key: string;
  readonly kind: "repository" | "installation";
  /** UTC, YYYY-MM-DD. */
  readonly day: string;
  /** "owner/name" of the repository, or of the one whose run passed the mark. */
  readonly repository: string;
  readonly installationId: number;
  readonly usd: number;
  readonly usdMax: number;
};

/** What was spent on the day of `at` (epoch milliseconds), with the charge that was just made. */
export type DayCharged = {
  readonly repo: Pick<RepoRef, "id" | "installationId" | "owner" | "name">;
  readonly at: number;
  readonly spent: DaySpent;
  readonly limits: DayLimits;
};

export function planAlerts({ repo, at, spent, limits }: DayCharged): readonly SpendingAlert[] {
  const day = nameDay(at);
  const common = { day, repository: `${repo.owner}/${repo.name}`, installationId: repo.installationId };
  const uses = [
    { kind: "repository", id: repo.id, usd: spent.repoUsd, usdMax: limits.repoUsdMax },
    { kind: "installation", id: repo.installationId, usd: spent.installationUsd, usdMax: limits.installationUsdMax },
  ] as const;
  return uses
    .filter(({ usd, usdMax }) => !(usd / usdMax < ALERT_SHARE)) // As in the budget, no number counts as used up.
    .map(({ kind, id, usd, usdMax }) => ({ key: `${kind}/${id}/${day}`, kind, ...common, usd, usdMax }));
}

/** One line, without anything that Markdown or Slack would read as more than text. */
export function renderAlert({ kind, day, repository, installationId, usd, usdMax }: SpendingAlert): string {
  const who = kind === "repository" ? repository : `Installation ${installationId} (last: ${repository})`;
  const share = Math.floor((usd / usdMax) * 100);
  return (
    `${who} has spent ${renderUsd(usd)} of the ${renderUsd(usdMax)} it has for ${day} (UTC), ${share} %. ` +
    `At the limit a run hands in what it has, and no other begins before 00:00 UTC.`
  );
}

/** UTC, YYYY-MM-DD. */
export function nameDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** Cents matter from a dollar on; below it a run would often be "$0.00". */
export function renderUsd(usd: number): string {
  return `$${usd.toFixed(usd < 1 ? 4 : 2)}`;
}
