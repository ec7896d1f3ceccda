import { expect, test } from "vitest";
import { NotYet, TransientError, UserError } from "../../src/failure.ts";
import { judge, judgeLost, tally } from "../../src/queue/judge.ts";
import { newTaskId } from "../store/builders.ts";

const taskId = newTaskId();
const once = { inRow: 1, inAll: 1 };

test("what the asker can mend fails at once, with the words meant for them", () => {
  expect(judge(new UserError("No **model**."), { taskId, errors: once })).toEqual({
    kind: "fail",
    message: "No **model**.",
  });
});

test("what the outside world broke is tried four times, with a growing pause", () => {
  const verdicts = [1, 2, 3, 4, 5].map((inRow) =>
    judge(new TransientError("ECONNRESET 10.0.0.7"), { taskId, errors: { inRow, inAll: inRow } }),
  );
  expect(verdicts.map((verdict) => (verdict.kind === "retry" ? verdict.afterMs : verdict.kind))).toEqual([
    10_000,
    60_000,
    300_000,
    "fail",
    "fail",
  ]);
  expect(JSON.stringify(verdicts)).not.toContain("10.0.0.7");
});

test("errors between which a task got further are tried again, up to a limit", () => {
  const verdict = (inAll: number) => judge(new TransientError("x"), { taskId, errors: { inRow: 1, inAll } });
  expect(verdict(19)).toEqual({ kind: "retry", afterMs: 10_000 });
  expect(verdict(20)).toEqual({ kind: "fail", message: expect.stringContaining("failed 20 times while") });
});

test("what happened is counted in all, and since the task last got further", () => {
  expect(tally([], 0)).toEqual({ inRow: 0, inAll: 0 });
  expect(tally([0, 0, 4, 4, 4], 4)).toEqual({ inRow: 3, inAll: 5 });
  expect(tally([0, 0, 4, 4, 4], 5)).toEqual({ inRow: 0, inAll: 5 });
});

test("what is not there yet is waited for, however often", () => {
  for (const inRow of [1, 3, 99]) {
    const verdict = judge(new NotYet("not ended", 600_000), { taskId, errors: { inRow, inAll: inRow } });
    expect(verdict).toEqual({ kind: "wait", afterMs: 600_000 });
  }
});

test("a defect fails, names the task, and shows nothing of itself", () => {
  for (const thrown of [new TypeError("secret token ghp_x"), "a string", null]) {
    const verdict = judge(thrown, { taskId, errors: once });
    expect(verdict).toEqual({ kind: "fail", message: expect.stringContaining(taskId) });
    expect(JSON.stringify(verdict)).not.toContain("ghp_x");
  }
});

test("a task that lost its worker too often in a row, or in all, fails and names itself", () => {
  const verdict = (inRow: number, inAll: number) => judgeLost({ taskId, losses: { inRow, inAll } });
  expect([verdict(0, 0), verdict(5, 99)]).toEqual([null, null]);
  for (const [inRow, inAll] of [
    [6, 6],
    [6, 30],
    [1, 100],
  ] as const) {
    expect(verdict(inRow, inAll)).toEqual({ kind: "fail", message: expect.stringContaining(taskId) });
    expect(verdict(inRow, inAll)?.message).toContain(`lost ${inAll} times`);
  }
});
