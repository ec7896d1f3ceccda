import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, parseDuration } from "../src/duration.ts";

test("hours and minutes are read alone", () => {
  assert.equal(parseDuration("2h"), 120);
  assert.equal(parseDuration("45m"), 45);
});

test("something else is refused with its text", () => {
  assert.throws(() => parseDuration("soon"), new RangeError('not a duration: "soon"'));
});

test("minutes are written as people do", () => {
  assert.equal(formatDuration(45), "45m");
  assert.equal(formatDuration(180), "3h");
  assert.equal(formatDuration(315), "5h 15m");
});
