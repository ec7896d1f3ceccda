import { expect, test } from "vitest";
import type { JournalEntry } from "../../src/journal.ts";
import { findUncharged, lastReplyAt, readBegun, readReached, workedMs } from "../../src/run/past.ts";
import type { AttemptEntry } from "../../src/store/journal.ts";

const usage = { input: 10, cachedRead: 0, cacheWrite: 0, output: 2, reasoning: 0 };
const replied = (turn: number): JournalEntry => ({
  ...({ kind: "model-replied", turn, model: "m", parts: [], stop: "tool-calls", usage } as const),
  ...{ costUsd: 0.5, wallMs: 1, opaque: null },
});
const started = (attempt: number): JournalEntry => ({ kind: "started", attempt, goal: "implement", title: "x" });
const ready: JournalEntry = { kind: "workspace-ready", baseSha: "base", headSha: "head", guidance: [] };
const briefed = (brief: string): JournalEntry => ({ kind: "briefed", model: "m", promptHash: "h", brief });
const check = { command: "npm test", exitCode: 1, wallMs: 1, outputTail: "" };
const verified: JournalEntry = { kind: "verified", command: check };
const kept = (tree: string): JournalEntry => ({ kind: "checkpointed", tree, bytes: 1, wallMs: 1 });

/** Each attempt's entries come a second after each other, an attempt an hour after the one before. */
function journal(...attempts: readonly (readonly JournalEntry[])[]): readonly AttemptEntry[] {
  return attempts.flatMap((entries, i) =>
    entries.map((entry, j) => ({ attempt: i + 1, seq: j + 1, at: i * 3_600_000 + j * 1_000, entry })),
  );
}

const FIRST = [started(1), verified, ready, briefed("Do it.")];

test.each([
  ["nothing was written", journal([])],
  ["nothing was paid for", journal(FIRST)],
  [
    "it started over and nothing was paid for since",
    journal([...FIRST, replied(1)], [started(2), ready, briefed("Again.")]),
  ],
])("nothing is gone on with when %s", (_when, earlier) => {
  expect(readBegun(earlier)).toBeNull();
});

test("what was begun is its brief, its checks and all that was written since, in whichever attempt", () => {
  const later = [started(2), { kind: "resumed", attempt: 2, turn: 1, tree: null } as const, replied(2), verified];
  const begun = readBegun(journal([...FIRST, replied(1), kept("a")], later));
  expect(begun).toEqual({
    ...{ baseSha: "base", headSha: "head", brief: "Do it.", before: [check], turn: 2 },
    written: [briefed("Do it."), replied(1), kept("a"), ...later],
    tree: { kind: "kept", tree: "a" },
  });
});

test("the tree is that of the last checkpoint, unless one was missed after it", () => {
  const missed: JournalEntry = { kind: "checkpoint-missed", why: "too large" };
  const treeOf = (...entries: JournalEntry[]) => readBegun(journal([...FIRST, replied(1), ...entries]))?.tree;
  expect(treeOf()).toEqual({ kind: "untouched" });
  expect(treeOf(kept("a"), kept("b"))).toEqual({ kind: "kept", tree: "b" });
  expect(treeOf(kept("a"), missed)).toEqual({ kind: "missed", why: "too large" });
  expect(treeOf(missed, kept("b"))).toEqual({ kind: "kept", tree: "b" });
});

test("time between attempts is nobody's work", () => {
  expect(workedMs(journal([...FIRST, replied(1)], [started(2), replied(2)]))).toBe(5_000);
});

test("a reply that was written and not charged is found, and no other", () => {
  const inside: JournalEntry = { kind: "sub-agent", id: "explorer-1", role: "explorer", entry: replied(1) };
  const earlier = journal([...FIRST, replied(1), inside], [started(2), replied(2)]);
  const charged = [
    { attempt: 1, turn: 1, model: "m", usage },
    { attempt: 2, turn: 2, model: "m", usage },
  ];
  expect(findUncharged(earlier, charged)).toEqual([
    { attempt: 1, turn: 1, model: "m", usage, costUsd: 0.5, at: 5_000 },
  ]);
  expect(findUncharged(earlier, [...charged, ...charged])).toEqual([]);
});

test("the last word of the model is dated the same for all attempts that hear no other", () => {
  const first = [...FIRST, replied(1)];
  expect(lastReplyAt(journal(first, [started(2), verified]))).toBe(lastReplyAt(journal(first)));
  expect(lastReplyAt(journal(FIRST))).toBeNull();
});

test("an end that was reached is published; a failure is none", () => {
  const spend = { usd: 0, turns: 0, wallMs: 0, inputTokens: 0, outputTokens: 0, model: "m", switches: [] };
  const refused = { kind: "refused", reason: "No.", spend } as const;
  expect(readReached(journal([{ kind: "finished", outcome: refused }], [started(2)]))).toEqual(refused);
  expect(
    readReached(journal([{ kind: "finished", outcome: { kind: "failed", message: "x", spend: null } }])),
  ).toBeNull();
});
