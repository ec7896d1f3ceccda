import { expect, test } from "vitest";
import { planAlerts, renderAlert, renderUsd } from "../../src/policy/spending.ts";

const repo = { id: 22, installationId: 11, owner: "octo", name: "shop" };
const limits = { repoUsdMax: 10, installationUsdMax: 100 };
const at = Date.UTC(2026, 10, 21, 23, 59, 59, 999);
const keys = (repoUsd: number, installationUsd: number) =>
  planAlerts({ repo, at, limits, spent: { repoUsd, installationUsd } }).map(({ key }) => key);

test.each([
  [0, 0, []],
  [7.99, 79.99, []],
  [8, 8, ["repository/22/2026-11-21"]],
  [20, 20, ["repository/22/2026-11-21"]],
  [1, 80, ["installation/11/2026-11-21"]],
  [9, 90, ["repository/22/2026-11-21", "installation/11/2026-11-21"]],
  [Number.NaN, 1, ["repository/22/2026-11-21"]],
])("a repository's $%d and an installation's $%d make the alerts %j", (repoUsd, installationUsd, expected) => {
  expect(keys(repoUsd, installationUsd)).toEqual(expected);
});

test("the next day has a key of its own", () => {
  const spent = { repoUsd: 9, installationUsd: 9 };
  expect(planAlerts({ repo, at: at + 1, limits, spent })).toMatchObject([{ key: "repository/22/2026-11-22" }]);
});

test("an alert says who spent how much of what, and what happens at the limit", () => {
  const spent = { repoUsd: 8.349, installationUsd: 81 };
  expect(planAlerts({ repo, at, limits, spent }).map(renderAlert)).toEqual([
    "octo/shop has spent $8.35 of the $10.00 it has for 2026-11-21 (UTC), 83 %. " +
      "At the limit a run hands in what it has, and no other begins before 00:00 UTC.",
    "Installation 11 (last: octo/shop) has spent $81.00 of the $100.00 it has for 2026-11-21 (UTC), 81 %. " +
      "At the limit a run hands in what it has, and no other begins before 00:00 UTC.",
  ]);
  expect(renderUsd(0.00012)).toBe("$0.0001");
});
