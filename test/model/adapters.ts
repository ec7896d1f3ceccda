/** The adapters over the stand-in's wire, and a small run around them. */
import { z } from "zod";
import { startModels, type Models, type Script } from "../../sim/models/models.ts";
import type { ToolCall } from "../../src/journal.ts";
import type { ModelOverrides } from "../../src/model-settings.ts";
import { anthropicModel } from "../../src/model/anthropic.ts";
import { compatibleModel } from "../../src/model/compatible.ts";
import { modelFacts } from "../../src/model/catalog.ts";
import type { Message, Model, ModelReply } from "../../src/model/model.ts";
import { openaiModel } from "../../src/model/openai.ts";
import { askWith, observe } from "./transcripts.ts";

export type Open = (models: Models, idleMsMax?: number) => Model;
export type Turn = Script["conversations"][number]["turns"][number];

const anthropic =
  (name: string): Open =>
  (models, idleMsMax = 10_000) =>
    anthropicModel({
      ...{ apiKey: "sk-ant-contract", baseUrl: models.anthropicBaseUrl, name, idleMsMax, asksWhyMissed: true },
      facts: modelFacts(`anthropic/${name}`),
    });
const openai =
  (name: string): Open =>
  (models, idleMsMax = 10_000) =>
    openaiModel({
      ...{ apiKey: "sk-contract", baseUrl: models.openaiBaseUrl, name, idleMsMax },
      facts: modelFacts(`openai/${name}`),
    });

const compatible =
  (name: string, overrides: ModelOverrides = {}): Open =>
  (models, idleMsMax = 10_000) =>
    compatibleModel({
      ...{ apiKey: null, baseUrl: models.compatibleBaseUrl, name, idleMsMax },
      facts: modelFacts(`compatible/${name}`, overrides),
    });

export const opus = anthropic("claude-opus-5-5");
export const sonnet = anthropic("claude-sonnet-5-5");
export const sol = openai("gpt-6.1-sol");
export const terra = openai("gpt-6.1-terra");
/** Trained on the vendor's own patch and shell tools. */
export const gpt51 = openai("gpt-5.1");
/** The shell is the vendor's own, the patch is not. */
export const gpt52 = openai("gpt-5.2");
export const qwen = compatible("qwen3-coder");
/** One that its owner says can see. */
export const qwenVision = compatible("qwen3-vl", { "compatible/*": { input: 0, output: 0, vision: true } });

export const startScript = (turns: readonly Turn[], tokens?: Script["tokens"]) =>
  startModels({ script: { conversations: [{ name: "contract", turns: [...turns] }], ...(tokens ? { tokens } : {}) } });

const signal = new AbortController().signal;
export const ask = (model: Model, messages: readonly Message[]) => model.reply(askWith(messages), signal);
export const said = ({ parts, opaque }: ModelReply): Message => ({ kind: "model", parts, opaque });
export const callsOf = ({ parts }: ModelReply): readonly ToolCall[] =>
  parts.flatMap((part) => (part.kind === "call" ? [part.call] : []));
export const textOf = ({ parts }: ModelReply): string =>
  parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join();

/** As our own tools answer: only a command has an exit status. */
export const answerTo = (reply: ModelReply): Message =>
  observe(
    ...callsOf(reply).map(({ id, tool }) => [id, tool === "shell" ? "Exit status 0\nran" : `${tool} ran`] as const),
  );

/** Asks turn after turn, each call observed as done, until a reply makes no calls. */
export async function converse(models: readonly Model[], opening: readonly Message[]) {
  const messages = [...opening];
  const replies: ModelReply[] = [];
  for (const model of models) {
    const reply = await ask(model, messages);
    replies.push(reply);
    messages.push(said(reply));
    if (callsOf(reply).length > 0) messages.push(answerTo(reply));
  }
  return { messages, replies };
}

export const work: readonly Turn[] = [
  {
    thinking: "Where is it? Naïve „quotes“ and \\ too.",
    text: "Looking.",
    do: [
      { do: "shell", command: "ls" },
      { do: "call", tool: "search", input: { query: "teh" } },
      { do: "shell", command: "cat a" },
    ],
  },
  { thinking: "There.", do: [{ do: "edit", path: "a", old: "teh", new: "the" }] },
  { text: "Fixed." },
];

/** The part of the opaque state that must stand in the next request byte for byte. */
export function ownBytes({ opaque }: ModelReply): string {
  const value = z.string().parse(opaque?.value);
  // Claude's has the message's id in front of the blocks.
  return opaque?.provider === "anthropic" ? value.slice(value.indexOf("[") + 1, -2) : value.slice(1, -1);
}
