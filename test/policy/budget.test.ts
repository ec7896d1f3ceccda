import { expect, test } from "vitest";
import { budgetState } from "../../src/policy/budget.ts";

const limits = { turnsMax: 100, wallMsMax: 30 * 60_000, usdMax: 5 };

test.each([
  [{}, { kind: "ok" }],
  [{ turns: 79 }, { kind: "ok" }],
  [{ turns: 80 }, { kind: "near", limit: "turns (100)" }],
  [{ turns: 100 }, { kind: "over", limit: "turns (100)" }],
  [{ wallMs: 24 * 60_000 }, { kind: "near", limit: "time (30 minutes)" }],
  [
    { wallMs: 31 * 60_000, turns: 90 },
    { kind: "over", limit: "time (30 minutes)" },
  ],
  [
    { usd: 4.5, turns: 85 },
    { kind: "near", limit: "money ($5)" },
  ],
  [{ usd: 5.01 }, { kind: "over", limit: "money ($5)" }],
  [{ usd: Number.NaN }, { kind: "over", limit: "money ($5)" }],
])("%j is %j", (spent, state) => {
  expect(budgetState({ turns: 0, wallMs: 0, usd: 0, ...spent }, limits)).toEqual(state);
});
