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

test("an image's letters are left as they are, and so is a sub-agent's opaque state", () => {
  const token = "ghp_0123456789abcdefghij0123456789abcdef";
  const image = { mediaType: "image/png", width: 1, height: 1, base64: token } as const;
  const observation = { callId: "c", text: token, isError: false, images: [image] };
  const seen: JournalEntry = { kind: "tool-observed", turn: 1, tool: "read", observation, wallMs: 3, command: null };
  expect(redactEntry(seen, [])).toEqual({ ...seen, observation: { ...observation, text: "[redacted]" } });
  const usage = { input: 1, cachedRead: 0, cacheWrite: 0, output: 1, reasoning: 0 };
  const opaque = { provider: "anthropic", model: "m", value: token };
  const replied: JournalEntry = {
    ...{
      kind: "model-replied",
      turn: 1,
      model: "m",
      parts: [],
      stop: "finished",
      usage,
      costUsd: 0,
      wallMs: 1,
      opaque,
    },
  };
  const inside: JournalEntry = { kind: "sub-agent", id: "explorer-1", role: "explorer", entry: replied };
  expect(redactEntry(inside, [])).toEqual(inside);
});
