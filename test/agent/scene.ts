/** An agent with everything around it, for tests: tools that look and report, a journal in memory, a purse that counts. */
import { z } from "zod";
import type { Agent } from "../../src/agent/loop.ts";
import { SILENT } from "../../src/agent/inbox.ts";
import { openPurse } from "../../src/agent/purse.ts";
import { NO_PAST } from "../../src/agent/resumption.ts";
import { readSystemPrompt } from "../../src/agent/system-prompt.ts";
import type { Journal, JournalEntry, RecordedEntry } from "../../src/journal.ts";
import type { Model, ModelChain, ModelReply, ModelRequest } from "../../src/model/model.ts";
import { openReadState } from "../../src/tools/read-state.ts";
import type { Tool } from "../../src/tools/tool.ts";
import type { Toolset } from "../../src/tools/toolset.ts";
import { scriptedModel } from "../model/scripted-model.ts";

/** A journal in memory, for what the loop writes. */
export function memoryJournal(): Journal & { entries: JournalEntry[] } {
  const entries: JournalEntry[] = [];
  return {
    entries,
    append: async (entry) => {
      entries.push(entry);
    },
    read: async (): Promise<readonly RecordedEntry[]> => entries.map((entry, i) => ({ seq: i + 1, at: 0, entry })),
  };
}

export const edit = {
  path: "a.txt",
  hunks: [{ oldStart: 1, oldLines: 1, newStart: 1, newLines: 1, lines: ["-a", "+b"] }],
  isCut: false,
};

export type Scene = {
  readonly agent: Agent;
  readonly journal: ReturnType<typeof memoryJournal>;
  readonly charged: number[];
};

export const call = (id: string, tool: string, input: object = {}) => ({ id, tool, input });

export function openScene(models: Model | ModelChain, over: Partial<Agent> = {}, seen = "seen"): Scene {
  let reports = 0;
  const tool = (name: string, run: Tool["run"]): Tool => ({
    spec: { name, description: name, parameters: { type: "object" }, native: null },
    ...{ effect: "writes", input: z.unknown(), run },
  });
  const tools = [
    tool("look", async () => ({ text: seen })),
    tool("edit", async () => ({ text: "done", edits: [edit] })),
    tool("report", async () => {
      reports += 1;
      return { text: "Thank you." };
    }),
    tool(
      "wait",
      (_input, signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    ),
  ];
  const toolset: Toolset = {
    tools,
    specs: tools.map(({ spec }) => spec),
    forget: () => {},
    readState: openReadState(),
  };
  const journal = memoryJournal();
  const charged: number[] = [];
  const agent: Agent = {
    models: "reply" in models ? [models] : models,
    ...{ toolset, journal, system: readSystemPrompt("author"), brief: "Do it.", cacheKey: "k", now: Date.now },
    limits: { turnsMax: 20, wallMsMax: 60_000, usdMax: 5 },
    reports: () => reports,
    purse: openPurse(async (_turn, _model, _usage, costUsd) => {
      charged.push(costUsd);
      return { kind: "ok" };
    }),
    ...{ inbox: SILENT, past: NO_PAST, effort: null },
    ...over,
  };
  return { agent, journal, charged };
}

export const kinds = (journal: { entries: readonly JournalEntry[] }) => journal.entries.map(({ kind }) => kind);

/** A model whose reply is a function of the request and of how many came before it. */
export function answeringModel(
  id: string,
  answer: (request: ModelRequest, index: number) => ModelReply,
  facts: Partial<Model["facts"]> = {},
): Model & { readonly requests: readonly ModelRequest[] } {
  const requests: ModelRequest[] = [];
  return {
    id,
    facts: { ...scriptedModel([]).facts, ...facts },
    requests,
    reply: async (request) => {
      requests.push(request);
      return answer(request, requests.length - 1);
    },
  };
}
