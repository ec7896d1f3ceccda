/** What a row of finished cases comes to. Pure. */

export type Score = {
  readonly name: string;
  readonly isResolved: boolean;
  readonly usd: number;
  readonly turns: number;
  readonly wallMs: number;
};

export type Totals = {
  readonly cases: number;
  readonly resolved: number;
  /** 0 to 1. */
  readonly rate: number;
  readonly usd: number;
  /** Dollars for each resolved case; null when none was. */
  readonly usdPerResolved: number | null;
};

export function sumScores(scores: readonly Score[]): Totals {
  const resolved = scores.filter(({ isResolved }) => isResolved).length;
  const usd = scores.reduce((sum, score) => sum + score.usd, 0);
  const rate = scores.length === 0 ? 0 : resolved / scores.length;
  return { cases: scores.length, resolved, rate, usd, usdPerResolved: resolved === 0 ? null : usd / resolved };
}
