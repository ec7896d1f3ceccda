/** What one session sent: sizes, how much of each request repeats the one before, and what a vendor's cache would have read. */
import { z } from "zod";
import { PromptCache } from "../../sim/models/prompt-cache.ts";
import { readPrompt, toAsk, type Prompt } from "./prompt.ts";
import type { Tokens } from "./tokens.ts";

const Records = z.array(
  z.object({
    path: z.string(),
    wire: z.enum(["anthropic", "responses", "chat"]).nullable(),
    at: z.number(),
    endedAt: z.number(),
    bytes: z.number(),
    body: z.string(),
    isSide: z.boolean(),
  }),
);

export type Traffic = {
  readonly requests: number;
  readonly sideRequests: number;
  /** On the monotonic clock; NaN when there was none. */
  readonly firstAt: number;
  /** From the end of a reply to the next request. */
  readonly gapsMs: readonly number[];
  readonly bytes: number;
  readonly firstBytes: number;
  readonly tokens: number;
  readonly firstTokens: number;
  /** Of tools and system prompt. */
  readonly fixedTokens: number;
  /** Of tools and system prompt, for comparing two sessions byte for byte. */
  readonly fixedText: string;
  readonly firstText: string;
  /** Share of the previous request that the next one repeats from its first byte on. */
  readonly kept: number;
  /** Share of all input that repeats the request before. */
  readonly cacheable: number;
  /** Share of all input that sim/models' prompt cache reads: behind marks for Anthropic, in steps of 128 tokens for OpenAI. */
  readonly cached: number;
};

/** Takes the record away from the stand-in. */
export async function takeTraffic(url: string, session: string, tokens: Tokens): Promise<Traffic> {
  const records = Records.parse(await (await fetch(`${url}/${session}/records`)).json());
  const main = records.filter(({ isSide }) => !isSide);
  const prompts = main.flatMap(({ wire, body }) => (wire ? [readPrompt(wire, JSON.parse(body))] : []));
  const texts = prompts.map(({ segments }) => segments.map(({ text }) => text).join("\n"));
  const sizes = texts.map((text) => text.length);
  const shared = texts.slice(1).map((text, i) => sharedLength(texts[i] ?? "", text));
  const counts = prompts.map(({ segments }) => sum(segments.map(({ text }) => tokens.count(text))));
  const fixed = prompts[0]?.segments.slice(0, prompts[0].fixed) ?? [];
  return {
    requests: records.length,
    sideRequests: records.length - main.length,
    firstAt: main[0]?.at ?? Number.NaN,
    gapsMs: main.slice(1).map(({ at }, i) => at - (main[i]?.endedAt ?? at)),
    ...{ bytes: sum(records.map(({ bytes }) => bytes)), firstBytes: main[0]?.bytes ?? 0 },
    ...{ tokens: sum(counts), firstTokens: counts[0] ?? 0 },
    fixedTokens: sum(fixed.map(({ text }) => tokens.count(text))),
    fixedText: fixed.map(({ text }) => text).join("\n"),
    firstText: texts[0] ?? "",
    kept: sum(shared) / sum(sizes.slice(0, -1)),
    ...{ cacheable: sum(shared) / sum(sizes), cached: cachedShare(prompts) },
  };
}

export function sharedLength(before: string, after: string): number {
  const max = Math.min(before.length, after.length);
  let length = 0;
  while (length < max && before.charCodeAt(length) === after.charCodeAt(length)) length += 1;
  return length;
}

function cachedShare(prompts: readonly Prompt[]): number {
  const cache = new PromptCache(4);
  const said = { reply: { parts: [], stop: "end_turn" }, usage: undefined } as const;
  const counts = prompts.map((prompt) =>
    cache.charge(prompt.wire === "anthropic" ? "anthropic" : "openai", toAsk(prompt), said),
  );
  const read = sum(counts.map(({ cachedRead }) => cachedRead));
  return read / (read + sum(counts.map(({ input, cacheWrite }) => input + cacheWrite)));
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}
