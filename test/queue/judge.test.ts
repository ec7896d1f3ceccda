import { expect, test } from "vitest";
import { NotYet, TransientError, UserError } from "../../src/failure.ts";
import { judge, judgeLost } from "../../src/queue/judge.ts";
import { newTaskId } from "../store/builders.ts";

const taskId = newTaskId();

test("what the asker can mend fails at once, with the words meant for them", () => {
  expect(judge(new UserError("No **model**."), { taskId, attempt: 1 })).toEqual({
    kind: "fail",
    message: "No **model**.",
  });
});

test("what the outside world broke is tried three times, with a growing pause", () => {
  const verdicts = [1, 2, 3, 4].map((attempt) => judge(new TransientError("ECONNRESET 10.0.0.7"), { taskId, attempt }));
  expect(verdicts.map((verdict) => (verdict.kind === "retry" ? verdict.afterMs : verdict.kind))).toEqual([
    30_000,
    300_000,
    "fail",
    "fail",
  ]);
  expect(JSON.stringify(verdicts)).not.toContain("10.0.0.7");
});

test("what is not there yet is waited for, however often", () => {
  for (const attempt of [1, 3, 99]) {
    expect(judge(new NotYet("not ended", 600_000), { taskId, attempt })).toEqual({ kind: "wait", afterMs: 600_000 });
  }
});

test("a defect fails, names the task, and shows nothing of itself", () => {
  for (const thrown of [new TypeError("secret token ghp_x"), "a string", null]) {
    const verdict = judge(thrown, { taskId, attempt: 1 });
    expect(verdict).toEqual({ kind: "fail", message: expect.stringContaining(taskId) });
    expect(JSON.stringify(verdict)).not.toContain("ghp_x");
  }
});

test("a task that lost its worker too often fails and names itself", () => {
  expect(judgeLost({ taskId, runs: 5 })).toEqual({ kind: "fail", message: expect.stringContaining(taskId) });
});
