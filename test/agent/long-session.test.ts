/** Long sessions over the vendors' real wires: what is sent, what is kept, and what the vendors' caches make of it. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { z } from "zod";
import { startModels, type RecordedRequest, type Script } from "../../sim/models/models.ts";
import { AgentRun } from "../../src/agent/loop.ts";
import type { JournalEntry } from "../../src/journal.ts";
import type { Model } from "../../src/model/model.ts";
import { opus, qwen, sol } from "../model/adapters.ts";
import { openScene } from "./scene.ts";

const never = new AbortController().signal;
const limits = { turnsMax: 1_000, wallMsMax: 120_000, usdMax: 1_000 };
const look = (text: string) => ({ text, do: [{ do: "call" as const, tool: "look", input: {} }] });
const report = { do: [{ do: "call" as const, tool: "report", input: {} }] };

const ADAPTERS = { anthropic: opus, openai: sol, compatible: qwen };
const WIRES = ["anthropic", "openai", "compatible"] as const;

async function play(wire: keyof typeof ADAPTERS, script: Script, facts: Partial<Model["facts"]>, seen: string) {
  await using models = await startModels({ script });
  const model = ADAPTERS[wire](models);
  const narrowed = { ...model, facts: { ...model.facts, ...facts } };
  const { agent, journal } = openScene(narrowed, { limits }, seen);
  const end = await new AgentRun(agent).work(never);
  return { end, entries: journal.entries, requests: [...models.requests] };
}

const Body = z.looseObject({
  messages: z.array(z.unknown()).optional(),
  input: z.array(z.unknown()).optional(),
  tools: z.unknown(),
});

/** Each message's bytes as a hash, but for the markers of the vendors' caches, which move on by design. */
function hashes({ body }: RecordedRequest): { readonly fixed: string; readonly messages: readonly string[] } {
  const { messages, input, ...fixed } = Body.parse(body);
  const bytes = (value: unknown) =>
    JSON.stringify(value, (key, inner: unknown) =>
      /^(cache_control|prompt_cache_breakpoint|diagnostics)$/.test(key) ? undefined : inner,
    );
  const hash = (value: unknown) => createHash("sha256").update(bytes(value)).digest("hex").slice(0, 12);
  return { fixed: hash(fixed), messages: (messages ?? input ?? []).map(hash) };
}

const repliesOf = (entries: readonly JournalEntry[]) => entries.filter((entry) => entry.kind === "model-replied");

test.each(WIRES)(
  "over %s's wire each request begins with the bytes of the one before, and is read from the cache",
  async (wire) => {
    const turns = [...Array.from({ length: 39 }, (_, i) => look(`Step ${i}. ${"because ".repeat(30)}`)), report];
    const { end, entries, requests } = await play(
      wire,
      { conversations: [{ name: "long", turns }] },
      { contextTokensMax: 400_000 }, // Nothing is cut.
      "seen ".repeat(200),
    );
    expect(end.spend.turns).toBe(40);
    const sent = requests.map(hashes);
    expect(new Set(sent.map(({ fixed }) => fixed)).size).toBe(1);
    for (const [i, { messages }] of sent.entries()) {
      const before = sent[i - 1]?.messages ?? [];
      expect(messages.slice(0, before.length)).toEqual(before);
    }
    const usages = repliesOf(entries)
      .slice(5)
      .map(({ usage }) => usage);
    const sum = (of: (usage: (typeof usages)[number]) => number) => usages.reduce((all, usage) => all + of(usage), 0);
    const share = sum((one) => one.cachedRead) / sum((one) => one.input + one.cachedRead + one.cacheWrite);
    // Servers for open models cache by themselves and seldom say so.
    if (wire !== "compatible") expect(share).toBeGreaterThan(0.85);
  },
);

test.each(WIRES)("three hundred turns over %s's wire cross the window by summaries and end right", async (wire) => {
  const windowMax = 40_000;
  const turns = [...Array.from({ length: 299 }, (_, i) => look(`Step ${i}. ${"because ".repeat(40)}`)), report];
  const script: Script = {
    tokens: { bytesPerToken: 4, windowMax },
    conversations: [
      {
        name: "summary",
        match: "about to outgrow the window",
        by: "requests",
        turns: Array(50).fill({ text: "Half is done." }),
      },
      { name: "long", by: "requests", turns },
    ],
  };
  const facts = { contextTokensMax: windowMax, outputTokensMax: 4_000 };
  const { end, entries, requests } = await play(wire, script, facts, "seen ".repeat(200));
  expect(end).toMatchObject({ ending: { kind: "reported" }, spend: { turns: 300 } });
  const compacted = entries.filter(({ kind }) => kind === "compacted");
  expect(compacted.length).toBeGreaterThanOrEqual(2);
  // The stand-in refuses a prompt that is over the window, as the vendors do.
  expect(requests.filter(({ status }) => status !== 200)).toEqual([]);
  expect(requests.filter(({ conversation }) => conversation === "summary")).toHaveLength(compacted.length);
});
