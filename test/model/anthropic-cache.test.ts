/** The prompt cache of the Messages API over the stand-in's wire: it plays exact prefixes, the look-back and the reasons for a miss. */
import { expect, test } from "vitest";
import { opus, said, startScript, answerTo, ask, converse, type Turn } from "./adapters.ts";
import { askWith, user } from "./transcripts.ts";

const step = (at: number): Turn => ({ text: `Step ${at}.`, do: [{ do: "shell", command: `make ${at}` }] });
const brief = user("A long brief with all there is to know of it. ".repeat(200));

test("in a session of sixty turns the cache holds at least 96 % of what was sent before", async () => {
  const steps = Array.from({ length: 60 }, (_, at) => step(at));
  await using models = await startScript([...steps, { text: "Done." }]);
  const model = opus(models);
  const { replies } = await converse(
    steps.map(() => model),
    [brief],
  );
  const total = replies.reduce(
    (sum, { usage }) => ({
      input: sum.input + usage.input + usage.cachedRead + usage.cacheWrite,
      marked: sum.marked + usage.cachedRead + usage.cacheWrite,
    }),
    { input: 0, marked: 0 },
  );
  expect(total.marked / total.input).toBeGreaterThanOrEqual(0.96);
  for (const [at, { usage, cacheMiss }] of replies.entries()) {
    const before = replies[at - 1]?.usage;
    if (before) expect(usage.cachedRead).toBe(before.cachedRead + before.cacheWrite);
    expect(cacheMiss).toBe(null);
  }
});

test("after five turns with another vendor the cache is found again", async () => {
  const steps = Array.from({ length: 8 }, (_, at) => step(at));
  await using models = await startScript(steps);
  const model = opus(models);
  const { messages, replies } = await converse([model, model], [brief]);
  const away = Array.from({ length: 5 }, (_, at) => [
    {
      kind: "model",
      parts: [{ kind: "call", call: { id: `call_${at}`, tool: "shell", input: {} } }],
      opaque: null,
    } as const,
    { kind: "observations", observations: [{ callId: `call_${at}`, text: "ok", isError: false }] } as const,
  ]);
  const back = await ask(model, [...messages, ...away.flat()]);
  const last = replies[1]?.usage;
  expect(back.usage.cachedRead).toBe((last?.cachedRead ?? 0) + (last?.cacheWrite ?? 0));
});

test("the vendor's reason for a miss comes through", async () => {
  await using models = await startScript([step(0), step(1), { text: "Done." }]);
  const model = opus(models);
  const first = await ask(model, [brief]);
  const next = [brief, said(first), answerTo(first)];
  const signal = new AbortController().signal;
  expect((await model.reply(askWith(next, { system: "Another prompt." }), signal)).cacheMiss).toBe("system_changed");
  expect((await model.reply(askWith(next, { tools: askWith([]).tools.slice(0, -1) }), signal)).cacheMiss).toBe(
    "tools_changed",
  );
  expect((await model.reply(askWith([user("Another brief."), ...next.slice(1)]), signal)).cacheMiss).toBe(
    "messages_changed",
  );
  models.setScript({ conversations: [{ name: "new", turns: [step(0), { text: "Done." }] }] });
  expect((await model.reply(askWith(next), signal)).cacheMiss).toBe("previous_message_not_found");
});
