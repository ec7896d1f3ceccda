import { expect, test } from "vitest";
import { Stopped, type Note } from "../../src/agent/inbox.ts";
import { AgentRun } from "../../src/agent/loop.ts";
import { NO_PAST } from "../../src/agent/resumption.ts";
import { callsReply, scriptedModel, textReply } from "../model/scripted-model.ts";
import { call, kinds, openScene } from "./scene.ts";

const never = new AbortController().signal;
const SCRIPT = [
  callsReply([call("1", "look"), call("2", "look")]),
  textReply("Done?"),
  callsReply([call("3", "look")]),
  callsReply([call("4", "report")], "All done."),
];

test("a run that was lost at any moment goes on with the same transcript and pays no reply twice", async () => {
  const whole = openScene(scriptedModel(SCRIPT));
  const end = await new AgentRun(whole.agent).work(never);
  const { entries } = whole.journal;
  const last = (model: ReturnType<typeof scriptedModel>) => model.requests.at(-1)?.messages.length;
  for (let cut = 0; cut <= entries.length; cut += 1) {
    const model = scriptedModel(SCRIPT);
    const written = entries.slice(0, cut);
    const { agent, journal, charged } = openScene(model, { past: { ...NO_PAST, written } });
    const resumed = await new AgentRun(agent).work(never);
    const paid = written.filter(({ kind }) => kind === "model-replied").length;
    expect([cut, resumed.ending, resumed.lastText, resumed.spend.turns]).toEqual([cut, end.ending, "All done.", 4]);
    expect(charged).toHaveLength(4 - paid);
    expect(kinds(journal).filter((kind) => kind === "model-replied")).toHaveLength(4 - paid);
    if (paid > 0 && paid < 4) expect(last(model)).toBeGreaterThanOrEqual(6);
  }
});

test("a run that was lost before its first reply and later again has still been briefed once", async () => {
  const lost = openScene(scriptedModel(SCRIPT));
  await new AgentRun(lost.agent).work(never);
  const [briefed, ...rest] = lost.journal.entries;
  // The second process briefs anew, for no reply says that the first brief was read.
  const written = briefed ? [briefed, briefed, ...rest.slice(0, -3)] : [];
  const model = scriptedModel(SCRIPT);
  await new AgentRun(openScene(model, { past: { ...NO_PAST, written } }).agent).work(never);
  expect(model.requests[0]?.messages.slice(0, 2).map(({ kind }) => kind)).toEqual(["user", "model"]);
});

test("a call that may have had its effect is not made again, and the model is told; one that was not begun is made", async () => {
  const first = openScene(scriptedModel(SCRIPT));
  await new AgentRun(first.agent).work(never);
  const written = first.journal.entries.slice(0, 3); // briefed, replied, called
  const model = scriptedModel(SCRIPT);
  await new AgentRun(openScene(model, { past: { ...NO_PAST, written } }).agent).work(never);
  const observed = model.requests[0]?.messages[2];
  expect(observed).toMatchObject({
    kind: "observations",
    observations: [
      { callId: "1", isError: true, text: expect.stringContaining("worker stopped") },
      { callId: "2", isError: false, text: "seen" },
    ],
  });
});

test("people's words enter between two turns, after the observations, under their name", async () => {
  const model = scriptedModel([callsReply([call("1", "look")]), callsReply([call("2", "report")])]);
  const notes: Note[][] = [[], [{ by: "ada", text: "Keep the old name." }]];
  const inbox = { take: async () => notes.shift() ?? [], stopped: never };
  const { agent, journal } = openScene(model, { inbox });
  await new AgentRun(agent).work(never);
  expect(model.requests[1]?.messages.slice(2)).toEqual([
    { kind: "observations", observations: [{ callId: "1", text: "seen", isError: false }] },
    { kind: "user", text: "# While you work, ada (has write access) says\n\nKeep the old name." },
  ]);
  expect(journal.entries).toContainEqual({ kind: "steered", by: "ada", text: "Keep the old name." });
});

test("a person's stop ends the run in the middle of a call, with what it has", async () => {
  const stop = new AbortController();
  const inbox = { take: async () => [], stopped: stop.signal };
  const { agent } = openScene(scriptedModel([callsReply([call("1", "wait")], "On it.")]), { inbox });
  const running = new AgentRun(agent).work(never);
  setTimeout(() => stop.abort(new Stopped("ada")), 30);
  expect(await running).toMatchObject({ ending: { kind: "stopped", by: "ada" }, lastText: "On it." });
});

test("an author who gets its work back goes on in the same conversation and reports anew", async () => {
  const model = scriptedModel([
    callsReply([call("1", "report")], "First."),
    callsReply([call("2", "report")], "Second."),
  ]);
  const { agent } = openScene(model);
  const run = new AgentRun(agent);
  await run.work(never);
  expect(await run.goOn("Mend line 3.", never)).toMatchObject({ ending: { kind: "reported" }, lastText: "Second." });
  expect(model.requests[1]?.messages.at(-1)).toEqual({ kind: "user", text: "Mend line 3." });
});
