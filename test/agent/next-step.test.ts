import { expect, test } from "vitest";
import { nextStep, NUDGES_MAX } from "../../src/agent/next-step.ts";
import { readTranscript } from "../../src/agent/transcript.ts";
import type { JournalEntry, ReplyPart, StopReason } from "../../src/journal.ts";

const call = { kind: "call", call: { id: "c1", tool: "shell", input: { command: "ls" } } } as const;
const text = { kind: "text", text: "Hello." } as const;

const table: readonly (readonly [StopReason, readonly ReplyPart[], number, string])[] = [
  ["tool-calls", [text, call], 0, "dispatch"],
  ["finished", [call], 0, "dispatch"],
  ["finished", [text], 0, "ask-again"],
  ["finished", [text], NUDGES_MAX, "end"],
  ["finished", [], 0, "ask-again"],
  ["output-limit", [text, call], 0, "dispatch"],
  ["output-limit", [text], 0, "ask-again"],
  ["output-limit", [], NUDGES_MAX, "end"],
  ["window-exceeded", [text], NUDGES_MAX, "end"],
  ["refused", [text, call], 0, "end"],
  ["paused", [text], NUDGES_MAX, "ask-again"],
];

test.each(table)("stop %s with %j after %i nudges: %s", (stop, parts, nudges, kind) => {
  expect(nextStep({ stop, parts }, nudges).kind).toBe(kind);
});

const usage = { input: 1, cachedRead: 0, cacheWrite: 0, output: 1, reasoning: 0 };
const replied = (parts: readonly ReplyPart[]): JournalEntry => ({
  ...{
    kind: "model-replied",
    turn: 1,
    model: "m",
    parts,
    stop: "tool-calls",
    usage,
    costUsd: 0,
    wallMs: 1,
    opaque: null,
  },
});
const observed = (callId: string): JournalEntry => ({
  ...{ kind: "tool-observed", turn: 1, tool: "shell", observation: { callId, text: `saw ${callId}`, isError: false } },
  ...{ wallMs: 1, command: null },
});
const callOf = (id: string) => ({ kind: "call", call: { id, tool: "shell", input: {} } }) as const;

test("a transcript has one observation for each call, in the order of the calls, lost ones included", () => {
  const brief: JournalEntry = { kind: "briefed", model: "m", promptHash: "h", brief: "Do it." };
  const first = [callOf("a"), callOf("b"), callOf("c")];
  const entries = [
    brief,
    replied(first),
    observed("b"),
    observed("a"),
    { kind: "steered", text: "Hurry." } as const,
    replied([text]),
  ];
  const messages = readTranscript(entries);
  expect(messages.map(({ kind }) => kind)).toEqual(["user", "model", "observations", "user", "model"]);
  expect(messages[2]).toMatchObject({
    observations: [
      { callId: "a", text: "saw a" },
      { callId: "b", text: "saw b" },
      { callId: "c", isError: true },
    ],
  });
});

test("a reply with nothing in it leaves no message", () => {
  expect(readTranscript([replied([]), { kind: "steered", text: "Again." }])).toEqual([
    { kind: "user", text: "Again." },
  ]);
});
