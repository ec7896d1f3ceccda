import { expect, test } from "vitest";
import { AgentRun } from "../../src/agent/loop.ts";
import { readTranscript } from "../../src/agent/transcript.ts";
import { ModelError, type ModelReply } from "../../src/model/model.ts";
import { callsReply, scriptedModel, textReply } from "../model/scripted-model.ts";
import { call, edit, kinds, openScene } from "./scene.ts";

const never = new AbortController().signal;

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
