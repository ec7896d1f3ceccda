/** A run may move to another model between any two turns; what only the first understands must not trip the second. */
import { expect, test } from "vitest";
import { user } from "./transcripts.ts";
import {
  ask,
  converse,
  gpt51,
  gpt52,
  opus,
  ownBytes,
  qwen,
  said,
  sol,
  sonnet,
  startScript,
  terra,
  textOf,
  work,
  type Open,
  type Turn,
} from "./adapters.ts";

test.each<[string, Open, Open]>([
  ["Anthropic to OpenAI and back", opus, sol],
  ["OpenAI to Anthropic and back", sol, opus],
  ["Anthropic to a server of one's own and back", opus, qwen],
  ["a server of one's own to Anthropic and back", qwen, opus],
  ["OpenAI to a server of one's own and back", sol, qwen],
  ["a server of one's own to OpenAI and back", qwen, sol],
  ["the vendor's own patch and shell tools to others and back", gpt51, sol],
  ["other tools to the vendor's own and back", sol, gpt51],
  ["the vendor's own patch and shell tools to Anthropic and back", gpt51, opus],
  ["Anthropic to the vendor's own patch and shell tools and back", opus, gpt51],
  ["the vendor's own patch and shell tools to a server of one's own and back", gpt51, qwen],
  ["a server of one's own to the vendor's own patch and shell tools and back", qwen, gpt51],
  ["one GPT with the vendor's own shell to another and back", gpt51, gpt52],
  ["one Claude to another and back", opus, sonnet],
  ["one GPT to another and back", sol, terra],
])("a transcript is handed over in the middle of tool use: %s", async (_, first, second) => {
  const turns: readonly Turn[] = [
    work[0] ?? never(),
    work[1] ?? never(),
    {
      thinking: "Once more.",
      do: [
        { do: "commands", commands: ["make", "make test"], timeoutMs: 90_000, outputLengthMax: 4_096 },
        { do: "shell", command: "ls" },
      ],
    },
    { text: "Fixed." },
  ];
  await using models = await startScript(turns);
  const [one, two] = [first(models), second(models)];
  const { replies } = await converse([one, two, one, two], [user("Fix the typo.")]);
  expect(replies.map(({ stop }) => stop)).toEqual(["tool-calls", "tool-calls", "tool-calls", "finished"]);
  expect(models.requests.map(({ status, turn }) => [status, turn])).toEqual([0, 1, 2, 3].map((turn) => [200, turn]));
  const [reply = never()] = replies;
  expect(JSON.stringify(models.requests[2]?.body)).toContain(ownBytes(reply));
});

test("Claude's pause is not an end: the next request lets it go on", async () => {
  await using models = await startScript([{ text: "Half.", stop: "pause_turn" }, { text: "Whole." }]);
  const model = opus(models);
  const reply = await ask(model, [user("Go.")]);
  expect(reply.stop).toBe("paused");
  expect(textOf(await ask(model, [user("Go."), said(reply)]))).toBe("Whole.");
});

function never(): never {
  throw new Error("the script has too few turns");
}
