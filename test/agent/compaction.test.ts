import { expect, test } from "vitest";
import { SUMMARY_HEAD } from "../../src/agent/context.ts";
import { AgentRun } from "../../src/agent/loop.ts";
import { NO_PAST } from "../../src/agent/resumption.ts";
import { readTranscript } from "../../src/agent/transcript.ts";
import { ModelError, type ModelReply, type ModelRequest } from "../../src/model/model.ts";
import { callsReply, textReply } from "../model/scripted-model.ts";
import { answeringModel, call, kinds, openScene } from "./scene.ts";

const never = new AbortController().signal;
const limits = { turnsMax: 400, wallMsMax: 60_000, usdMax: 500 };
const isSummary = ({ messages }: ModelRequest) => {
  const last = messages.at(-1);
  return last?.kind === "user" && last.text.includes("about to outgrow the window");
};
const tokensOf = (request: ModelRequest) => Math.ceil(JSON.stringify(request.messages).length / 4);
const used = (reply: ModelReply, request: ModelRequest): ModelReply => ({
  ...reply,
  usage: { input: tokensOf(request), cachedRead: 0, cacheWrite: 0, output: 20, reasoning: 0 },
});

test("three hundred turns pass through a small window by summaries, never over it, and end right", async () => {
  let turns = 0;
  const model = answeringModel(
    "a/small",
    (request) => {
      if (isSummary(request)) return used(textReply("Half is done."), request);
      turns += 1;
      const name = turns === 300 ? "report" : "look";
      return used(callsReply([call(`c${turns}`, name, { path: `f${turns % 7}.ts` })], "y".repeat(300)), request);
    },
    { contextTokensMax: 20_000, outputTokensMax: 4_000 },
  );
  const { agent, journal } = openScene(model, { limits }, "seen ".repeat(300));
  const end = await new AgentRun(agent).work(never);
  expect(end).toMatchObject({ ending: { kind: "reported" }, spend: { turns: 300 } });
  const count = (kind: string) => kinds(journal).filter((one) => one === kind).length;
  expect(count("compacted")).toBeGreaterThanOrEqual(2);
  expect(count("summarised")).toBe(count("compacted"));
  expect(Math.max(...model.requests.map(tokensOf))).toBeLessThanOrEqual(16_000);
  // The prefix is kept between cuts: a request differs from the one before only where something was cut.
  const cuts = model.requests.filter((request, i) => {
    const before = JSON.stringify(model.requests[i - 1]?.messages ?? []).slice(0, -1);
    return !JSON.stringify(request.messages).startsWith(before);
  });
  // Each summary's own question is gone in the request after it, which is the cut.
  expect(cuts).toHaveLength(count("compacted") + count("cleared"));
  // What a reader of the journal rebuilds is what the model saw last, and the report.
  expect(readTranscript(journal.entries).slice(0, -2)).toEqual(model.requests.at(-1)?.messages);
});

test("a request that the vendor finds too long is summed up and asked again", async () => {
  const model = answeringModel("a/one", (request, index) => {
    if (isSummary(request)) return textReply("So far so good.");
    if (index === 2) throw new ModelError("window-exceeded", "prompt is too long");
    return index < 2 ? callsReply([call(`c${index}`, "look")]) : callsReply([call("r", "report")]);
  });
  const { agent, journal } = openScene(model, {}, "z".repeat(90_000));
  expect((await new AgentRun(agent).work(never)).ending).toEqual({ kind: "reported" });
  expect(kinds(journal).filter((kind) => kind === "compacted")).toHaveLength(1);
  expect(JSON.stringify(model.requests.at(-1)?.messages)).toContain(SUMMARY_HEAD);
});

test("a model that sums up nothing is asked three times, then the run hands in what it has", async () => {
  const model = answeringModel(
    "a/small",
    (request, index) => {
      if (isSummary(request)) return used(textReply(" "), request);
      return used(callsReply([call(`c${index}`, "look")], "y".repeat(3_000)), request);
    },
    { contextTokensMax: 8_000, outputTokensMax: 1_000 },
  );
  const { agent } = openScene(model, { limits });
  const end = await new AgentRun(agent).work(never);
  expect(end.ending).toEqual({ kind: "limit", limit: "the model's context window" });
  expect(model.requests.filter(isSummary)).toHaveLength(3);
});

test("the summary that a lost worker was told makes room, what was said since stays; one without its end is asked for again", async () => {
  const facts = { contextTokensMax: 8_000, outputTokensMax: 1_000 };
  const answers = (stop: ModelReply["stop"], name: string) =>
    answeringModel(
      "a/small",
      (request) => {
        if (isSummary(request)) return used({ ...textReply("Half is done."), stop }, request);
        return used(callsReply([call("c", name)], "y".repeat(name === "look" ? 26_000 : 10)), request);
      },
      facts,
    );
  for (const [stop, again] of [
    ["finished", 0],
    ["output-limit", 1],
  ] as const) {
    const lost = openScene(answers(stop, "look"), { limits });
    await new AgentRun(lost.agent).work(never).catch(() => {});
    const at = lost.journal.entries.findIndex(({ kind }) => kind === "summarised");
    const said = { kind: "steered", text: "Your worker was lost." } as const;
    const written = [...lost.journal.entries.slice(0, at + 1), said];
    const model = answers("finished", "report");
    const { agent, journal } = openScene(model, { limits, past: { ...NO_PAST, written } });
    expect((await new AgentRun(agent).work(never)).ending).toEqual({ kind: "reported" });
    expect(model.requests.filter(isSummary)).toHaveLength(again);
    expect(kinds(journal).filter((kind) => kind === "compacted")).toHaveLength(1);
    const last = JSON.stringify(model.requests.at(-1)?.messages);
    expect(last).toContain("Half is done.");
    if (again === 0) expect(last).toContain("Your worker was lost.");
  }
});
