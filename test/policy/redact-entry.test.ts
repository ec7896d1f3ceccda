import { expect, test } from "vitest";
import { redactEntry } from "../../src/policy/redact-entry.ts";
import type { JournalEntry } from "../../src/journal.ts";

test("what an agent saw is kept without secrets, ours and well-known ones, at any depth", () => {
  const entry: JournalEntry = {
    ...{ kind: "tool-observed", turn: 1, tool: "shell", wallMs: 3 },
    observation: { callId: "c", text: "key=our-own-secret\nghp_0123456789abcdefghij0123456789abcdef", isError: false },
    command: { command: "echo our-own-secret", exitCode: 0, wallMs: 3, outputTail: "our-own-secret" },
  };
  expect(JSON.stringify(redactEntry(entry, ["our-own-secret"]))).not.toMatch(/our-own-secret|ghp_/);
  expect(redactEntry(entry, [])).toMatchObject({ turn: 1, command: { exitCode: 0 } });
});

test("a vendor's opaque state is left as it is", () => {
  const usage = { input: 1, cachedRead: 0, cacheWrite: 0, output: 1, reasoning: 0 };
  const opaque = { provider: "anthropic", model: "m", value: "ghp_0123456789abcdefghij0123456789abcdef" };
  const parts = [{ kind: "text", text: "our-own-secret" }] as const;
  const entry: JournalEntry = {
    ...{ kind: "model-replied", turn: 1, model: "m", parts, stop: "finished", usage, costUsd: 0, wallMs: 1, opaque },
  };
  expect(redactEntry(entry, ["our-own-secret"])).toEqual({ ...entry, parts: [{ kind: "text", text: "[redacted]" }] });
});
