/** Images in a conversation: shown, cleared, and taken out when a vendor cannot read them. */
import { expect, test } from "vitest";
import { estimateTokens, planRelief, clearOutput } from "../../src/agent/context.ts";
import { AgentRun } from "../../src/agent/loop.ts";
import { readTranscript } from "../../src/agent/transcript.ts";
import type { Image } from "../../src/journal.ts";
import { modelFacts } from "../../src/model/catalog.ts";
import { ModelError, type Message, type ModelRequest } from "../../src/model/model.ts";
import { renderEntry } from "../../src/ops/tables.ts";
import { callsReply } from "../model/scripted-model.ts";
import { png } from "../tools/pictures.ts";
import { answeringModel, call, kinds, openScene } from "./scene.ts";

const never = new AbortController().signal;
const facts = modelFacts("anthropic/claude-opus-4-8");
const image: Image = { mediaType: "image/png", width: 1000, height: 1000, base64: png(1000, 1000).toString("base64") };
const hasImage = ({ messages }: ModelRequest) => JSON.stringify(messages).includes(image.base64);

function openGallery(refuses: (request: ModelRequest, index: number) => boolean) {
  const model = answeringModel("a/sees", (request, index) => {
    if (refuses(request, index)) throw new ModelError("invalid-request", "Could not process image");
    const turn = request.messages.filter(({ kind }) => kind === "model").length;
    return callsReply([call(`c${turn}`, turn < 3 ? "look" : "report")]);
  });
  const scene = openScene(model);
  const toolset = {
    ...scene.agent.toolset,
    tools: scene.agent.toolset.tools.map((tool) =>
      tool.spec.name === "look" ? { ...tool, run: async () => ({ text: "here", images: [image] }) } : tool,
    ),
  };
  return { ...scene, model, agent: { ...scene.agent, toolset } };
}

test("an image stays in the conversation, and is rebuilt from the journal", async () => {
  const { agent, journal, model } = openGallery(() => false);
  expect((await new AgentRun(agent).work(never)).ending).toEqual({ kind: "reported" });
  expect(model.requests.map(hasImage)).toEqual([false, true, true, true]);
  expect(readTranscript(journal.entries).slice(0, -2)).toEqual(model.requests.at(-1)?.messages);
});

test("after a refusal all images are taken out, the request is made again, and the journal tells why", async () => {
  const { agent, journal, model } = openGallery((request, index) => index === 2 && hasImage(request));
  expect((await new AgentRun(agent).work(never)).ending).toEqual({ kind: "reported" });
  expect(model.requests.map(hasImage)).toEqual([false, true, true, false, true]);
  expect(JSON.stringify(model.requests[3]?.messages)).toContain("The image was taken out");
  const dropped = journal.entries.find(({ kind }) => kind === "images-dropped");
  expect(dropped).toEqual({ kind: "images-dropped", turn: 3, reason: "Could not process image" });
  expect(readTranscript(journal.entries).slice(0, -2)).toEqual(model.requests.at(-1)?.messages);
});

test("a refusal that images have no part in ends the run, as ever", async () => {
  const { agent, journal } = openGallery((_, index) => index === 2);
  await expect(new AgentRun(agent).work(never)).resolves.toBeDefined();
  expect(kinds(journal)).toContain("images-dropped");
  const other = openGallery(() => true);
  await expect(new AgentRun(other.agent).work(never)).rejects.toThrow("refused the request as invalid");
  expect(kinds(other.journal)).not.toContain("images-dropped");
});

const look = (i: number): Message[] => [
  { kind: "model", parts: [{ kind: "call", call: { id: `c${i}`, tool: "look", input: {} } }], opaque: null },
  { kind: "observations", observations: [{ callId: `c${i}`, text: "here", isError: false, images: [image] }] },
];

test("images weigh what the vendor says, and are cleared like other output", () => {
  const messages: Message[] = [{ kind: "user", text: "Go." }, ...Array.from({ length: 60 }, (_, i) => look(i)).flat()];
  const tokens = messages.reduce((sum, message) => sum + estimateTokens(message, facts.quirks.images), 0);
  expect(tokens).toBeGreaterThan(60 * 1296);
  expect(tokens).toBeLessThan(60 * 1400);
  const plan = planRelief(messages, tokens, { ...facts, contextTokensMax: 160_000, outputTokensMax: 10_000 });
  if (plan.kind !== "clear") throw new Error(`expected a clear, not ${plan.kind}`);
  const cleared = clearOutput(messages, plan.before);
  const shown = cleared.filter((message) => JSON.stringify(message).includes(image.base64));
  expect(shown.length).toBeGreaterThan(5);
  expect(shown.length).toBeLessThan(20);
  expect(JSON.stringify(cleared[2])).toContain("Old output, cleared");
});

test("a reader of the journal is told what was shown, without its bytes", () => {
  const observation = { callId: "c", text: "[image/png of 1000 x 1000 pixels]", isError: false, images: [image] };
  const entry = { kind: "tool-observed", turn: 1, tool: "read", observation, wallMs: 1, command: null } as const;
  const kib = Math.ceil(png(1000, 1000).length / 1024);
  expect(renderEntry(entry)).toBe(`  read: [image/png of 1000 x 1000 pixels] (${kib} KiB)`);
});
