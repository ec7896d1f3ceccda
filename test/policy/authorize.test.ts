import { expect, test } from "vitest";
import { authorize, type Right } from "../../src/policy/authorize.ts";
import type { Goal } from "../../src/task.ts";

type Row = readonly [goal: Goal, right: Right, isAutomatic: boolean, verdict: "allow" | "explain" | "silence"];

const ROWS: readonly Row[] = [
  ["implement", "admin", false, "allow"],
  ["implement", "write", false, "allow"],
  ["implement", "read", false, "explain"],
  ["implement", "none", false, "silence"],
  ["fix", "write", false, "allow"],
  ["fix", "read", false, "explain"],
  ["fix", "none", false, "silence"],
  ["fix", "none", true, "silence"],
  ["review", "write", false, "allow"],
  ["review", "read", false, "explain"],
  ["review", "none", false, "silence"],
  ["review", "none", true, "allow"],
  ["review", "read", true, "allow"],
  ["implement", "read", true, "silence"],
];

test.each(ROWS)("%s with %s (automatic: %s): %s", (goal, right, isAutomatic, expected) => {
  const verdict = authorize(goal, right, { isAutomatic });
  expect(verdict.kind === "allow" ? "allow" : verdict.answer).toBe(expected);
});
