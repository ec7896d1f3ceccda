import { expect, test } from "vitest";
import {
  clearOutput,
  estimateTokens,
  PERSON_HEAD,
  planRelief,
  replaceBySummary,
  windowTokens,
} from "../../src/agent/context.ts";
import { filesTouched, renderFiles } from "../../src/agent/files-touched.ts";
import { modelFacts } from "../../src/model/catalog.ts";
import type { Message } from "../../src/model/model.ts";
import { call } from "./scene.ts";

const user = (text: string): Message => ({ kind: "user", text });
const said = (id: string): Message => ({
  kind: "model",
  parts: [{ kind: "call", call: call(id, "read", { path: `${id}.ts` }) }],
  opaque: { provider: "p", model: "m", value: id },
});
const seen = (id: string, text: string): Message => ({
  kind: "observations",
  observations: [{ callId: id, text, isError: false }],
});
const facts = { ...modelFacts("openai/unheard-of"), contextTokensMax: 20_000, outputTokensMax: 4_000 };
const LONG = "x".repeat(3_500);
const turns = (count: number) => Array.from({ length: count }, (_, i) => [said(`c${i}`), seen(`c${i}`, LONG)]).flat();

test("a window ends where the reply needs it, and where a long prompt begins to cost more", () => {
  expect(windowTokens(facts)).toBe(16_000);
  expect(windowTokens(modelFacts("openai/gpt-6.1-sol"))).toBe(272_000);
  expect(windowTokens(modelFacts("anthropic/claude-opus-5-5"))).toBe(872_000);
});

test.each([
  ["little is said", 7_000, "none"],
  ["half is full and old output is worth it", 9_000, "clear"],
  ["nine tenths are full", 14_400, "compact"],
])("%s", (_name, tokens, kind) => {
  const messages = [user("brief"), ...turns(12)];
  expect(planRelief(messages, tokens, facts).kind).toBe(kind);
});

test("where there is little to clear, nothing is cleared until the window is full", () => {
  const messages = [user("brief"), ...turns(12)];
  const cleared = clearOutput(messages, messages.length);
  expect(planRelief(cleared, 9_000, facts).kind).toBe("none");
});

test("a cut stands before a model's message and leaves a fifth of the window at most", () => {
  const messages = [user("brief"), ...turns(12)];
  const plan = planRelief(messages, 15_000, facts);
  const from = plan.kind === "compact" ? plan.from : -1;
  expect(messages[from]?.kind).toBe("model");
  const tail = messages.slice(from).reduce((sum, message) => sum + estimateTokens(message, null), 0);
  expect(tail).toBeLessThanOrEqual(16_000 * 0.2);
  expect(tail).toBeGreaterThan(0);
});

test("a summary replaces what is old; the brief, people's words and the last turns stay, without the vendor's state", () => {
  const steer = user(`${PERSON_HEAD}ada (has write access) says\n\nKeep the name.`);
  const messages = [user("brief"), said("a"), seen("a", LONG), steer, user("Report!"), said("b"), seen("b", LONG)];
  const [brief, kept, summary, model, observed, ...rest] = replaceBySummary(messages, 5, "All is well.");
  expect([brief, kept, observed]).toEqual([user("brief"), steer, seen("b", LONG)]);
  expect(summary).toEqual(user("# Summary of the work so far\n\nAll is well."));
  expect(model).toEqual({ ...said("b"), opaque: null });
  expect(rest).toEqual([]);
});

test("the names of files survive one summary after the other", () => {
  const edit: Message = {
    kind: "model",
    parts: [
      { kind: "call", call: call("e", "edit", { command: "str_replace", path: "a.ts" }) },
      { kind: "call", call: { id: "p", tool: "apply_patch", input: "*** Begin Patch\n*** Update File: d.ts\n@@\n" } },
      { kind: "call", call: call("r", "read", { files: ["b.ts", { path: "c.ts" }] }) },
    ],
    opaque: null,
  };
  const first = filesTouched([user("brief"), edit]);
  expect(first).toEqual({ read: ["b.ts", "c.ts"], changed: ["a.ts", "d.ts"] });
  expect(filesTouched([user(`# Summary of the work so far\n\nx\n\n${renderFiles(first)}`), said("z")])).toEqual({
    read: ["b.ts", "c.ts", "z.ts"],
    changed: ["a.ts", "d.ts"],
  });
});
