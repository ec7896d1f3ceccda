import { expect, test } from "vitest";
import { AgentRun } from "../../src/agent/loop.ts";
import { ModelError } from "../../src/model/model.ts";
import { callsReply, scriptedModel } from "../model/scripted-model.ts";
import { call, kinds, openScene } from "./scene.ts";

const never = new AbortController().signal;
const down = new ModelError("quota", "no money");
const opaque = { provider: "a", model: "a", value: "secret to b" };

test("a model that cannot go on hands the same transcript to the next, for the rest of the run", async () => {
  const a = scriptedModel([{ ...callsReply([call("1", "look")]), opaque }, down], { id: "a/one" });
  const b = scriptedModel(
    [callsReply([call("1", "look")]), callsReply([call("2", "look")]), callsReply([call("3", "report")])],
    { id: "b/two" },
  );
  const { agent, journal, charged } = openScene([a, b]);
  const end = await new AgentRun(agent).work(never);
  const switches = [{ turn: 2, from: "a/one", to: "b/two", reason: "quota" }];
  expect(end).toMatchObject({ ending: { kind: "reported" }, spend: { model: "b/two", switches, turns: 3 } });
  expect(journal.entries.filter(({ kind }) => kind === "model-switched")).toEqual([
    { kind: "model-switched", ...switches[0] },
  ]);
  expect(b.requests[0]?.messages).toEqual(a.requests[1]?.messages);
  expect(a.requests).toHaveLength(2);
  expect(charged).toHaveLength(3);
});

test("what is wrong with the request itself goes to no other model", async () => {
  const a = scriptedModel([new ModelError("invalid-request", "bad")], { id: "a/one" });
  const b = scriptedModel([callsReply([call("1", "report")])], { id: "b/two" });
  const { agent, journal } = openScene([a, b]);
  await expect(new AgentRun(agent).work(never)).rejects.toMatchObject({ name: "UserError" });
  expect(kinds(journal)).toEqual(["briefed"]);
  expect(b.requests).toEqual([]);
});

test("when the last model of the chain cannot go on either, its failure is told", async () => {
  const a = scriptedModel([new ModelError("authentication", "bad key")], { id: "a/one" });
  const b = scriptedModel([down], { id: "b/two" });
  const { agent } = openScene([a, b]);
  await expect(new AgentRun(agent).work(never)).rejects.toThrow("`b/two`");
});
