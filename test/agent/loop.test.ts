import { expect, test } from "vitest";
import { z } from "zod";
import { AgentRun, type Agent } from "../../src/agent/loop.ts";
import { openPurse } from "../../src/agent/purse.ts";
import { SILENT } from "../../src/agent/inbox.ts";
import { readSystemPrompt } from "../../src/agent/system-prompt.ts";
import { readTranscript } from "../../src/agent/transcript.ts";
import type { Journal, JournalEntry, RecordedEntry } from "../../src/journal.ts";
import { ModelError, type Model, type ModelReply } from "../../src/model/model.ts";
import type { Tool } from "../../src/tools/tool.ts";
import type { Toolset } from "../../src/tools/toolset.ts";
import { callsReply, scriptedModel, textReply } from "../model/scripted-model.ts";

/** A journal in memory, for what the loop writes. */
function memoryJournal(): Journal & { entries: JournalEntry[] } {
  const entries: JournalEntry[] = [];
  return {
    entries,
    append: async (entry) => {
      entries.push(entry);
    },
    read: async (): Promise<readonly RecordedEntry[]> => entries.map((entry, i) => ({ seq: i + 1, at: 0, entry })),
  };
}

const never = new AbortController().signal;
const call = (id: string, tool: string) => ({ id, tool, input: {} });

const edit = {
  path: "a.txt",
  hunks: [{ oldStart: 1, oldLines: 1, newStart: 1, newLines: 1, lines: ["-a", "+b"] }],
  isCut: false,
};

type Scene = { readonly agent: Agent; readonly journal: ReturnType<typeof memoryJournal>; readonly charged: number[] };

function openScene(model: Model, over: Partial<Agent> = {}): Scene {
  let reports = 0;
  const tool = (name: string, run: Tool["run"]): Tool => ({
    spec: { name, description: name, parameters: { type: "object" }, native: null },
    ...{ effect: "writes", input: z.unknown(), run },
  });
  const tools = [
    tool("look", async () => ({ text: "seen" })),
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
  const toolset: Toolset = { tools, specs: tools.map(({ spec }) => spec) };
  const journal = memoryJournal();
  const charged: number[] = [];
  const agent: Agent = {
    ...{
      models: [model],
      toolset,
      journal,
      system: readSystemPrompt("author"),
      brief: "Do it.",
      cacheKey: "k",
      now: Date.now,
    },
    limits: { turnsMax: 20, wallMsMax: 60_000, usdMax: 5 },
    reports: () => reports,
    purse: openPurse(async (_turn, _model, _usage, costUsd) => {
      charged.push(costUsd);
      return { kind: "ok" };
    }),
    ...{ inbox: SILENT, written: [] },
    ...over,
  };
  return { agent, journal, charged };
}

const kinds = (journal: { entries: readonly JournalEntry[] }) => journal.entries.map(({ kind }) => kind);

test("a run looks, reports and ends; each step is journaled before the next and each reply charged", async () => {
  const model = scriptedModel([callsReply([call("1", "look")]), callsReply([call("2", "report")], "All done.")]);
  const { agent, journal, charged } = openScene(model);
  const end = await new AgentRun(agent).work(never);
  expect(end).toMatchObject({ ending: { kind: "reported" }, lastText: "All done.", spend: { turns: 2 } });
  const turn = ["model-replied", "tool-called", "tool-observed"];
  expect(kinds(journal)).toEqual(["briefed", ...turn, ...turn]);
  expect(charged).toHaveLength(2);
  // What the second request held is what a reader of the journal rebuilds.
  expect(model.requests[1]?.messages).toEqual(readTranscript(journal.entries).slice(0, 3));
});

test("the files that a call changed are told in its entry, for whoever shows or resumes the run", async () => {
  const model = scriptedModel([callsReply([call("1", "edit"), call("2", "look")]), callsReply([call("3", "report")])]);
  const { agent, journal } = openScene(model);
  await new AgentRun(agent).work(never);
  const observed = journal.entries.filter((entry) => entry.kind === "tool-observed");
  expect(observed.map(({ edits }) => edits)).toEqual([[edit], undefined, undefined]);
});

test("a model that stops without a report is asked for it twice, then its last words must do", async () => {
  const model = scriptedModel([textReply("One."), textReply("Two."), textReply("Three.")]);
  const { agent, journal } = openScene(model);
  const end = await new AgentRun(agent).work(never);
  expect(end).toMatchObject({ ending: { kind: "reported" }, lastText: "Three.", spend: { turns: 3 } });
  expect(kinds(journal).filter((kind) => kind === "steered")).toHaveLength(2);
});

test.each([
  ["turns", { turnsMax: 5, wallMsMax: 60_000, usdMax: 5 }],
  ["cost", { turnsMax: 500, wallMsMax: 60_000, usdMax: 0.000_5 }],
])("a limit on %s ends the run with what it has, after one warning", async (_name, limits) => {
  const looking = Array.from({ length: 400 }, (_, i) => callsReply([call(String(i), "look")]));
  const priced = looking.map((reply): ModelReply => ({ ...reply, usage: { ...reply.usage, output: 2 } }));
  const { agent, journal } = openScene(scriptedModel(priced), { limits });
  const end = await new AgentRun(agent).work(never);
  expect(end.ending.kind).toBe("limit");
  expect(kinds(journal).filter((kind) => kind === "steered")).toHaveLength(1);
});

test("a limit on time ends even a tool that never ends", async () => {
  const limits = { turnsMax: 5, wallMsMax: 600, usdMax: 5 };
  const { agent } = openScene(scriptedModel([callsReply([call("1", "wait")])]), { limits });
  expect((await new AgentRun(agent).work(never)).ending).toEqual({ kind: "limit", limit: "time (0.01 minutes)" });
});

test("whoever aborts from outside gets the abort, not an ending", async () => {
  const stop = new AbortController();
  const { agent } = openScene(scriptedModel([callsReply([call("1", "wait")])]));
  const running = new AgentRun(agent).work(stop.signal);
  setTimeout(() => stop.abort(new Error("stop")), 50);
  await expect(running).rejects.toThrow("stop");
});

test("a refusal ends the run", async () => {
  const refusal: ModelReply = { ...textReply("I will not."), stop: "refused" };
  const { agent } = openScene(scriptedModel([refusal]));
  expect((await new AgentRun(agent).work(never)).ending).toEqual({ kind: "refused" });
});

test.each([
  ["authentication", "UserError"],
  ["quota", "UserError"],
  ["window-exceeded", "UserError"],
  ["invalid-request", "UserError"],
] as const)("a vendor's %s is told to the asker", async (fault, name) => {
  const { agent } = openScene(scriptedModel([new ModelError(fault, "no")]));
  await expect(new AgentRun(agent).work(never)).rejects.toMatchObject({ name });
});
