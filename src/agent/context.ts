/**
 * How full the model's window is and what to take out of it. Pure. What is cut is cut rarely and in bulk, since each cut spoils the
 * vendor's prompt cache once; a call is never parted from its observation.
 */
import type { Observation } from "../journal.ts";
import { imageTokensOf, imagesOf, textBytes } from "../model/image-tokens.ts";
import type { ImageRule, Message, ModelFacts } from "../model/model.ts";

export type Relief =
  | { readonly kind: "none" }
  /** Old tool output before this message is replaced by a line. */
  | { readonly kind: "clear"; readonly before: number }
  /** Everything before this message, the brief and people's words excepted, is replaced by a summary. */
  | { readonly kind: "compact"; readonly from: number };

/** Bytes of a token, on the safe side for code in UTF-8; only what came after the vendor's last count is estimated. */
const BYTES_PER_TOKEN = 3.5;
/** Where the window counts as full: the estimate may be off, and the reply needs room too. */
const FULL_SHARE = 0.9;
/** Old tool output is cleared from half the window on, and only when that frees a fifth of it. */
const CLEAR_FROM_SHARE = 0.5;
const CLEAR_GAIN_SHARE = 0.2;
/** Tokens at the end that are never touched, so that the work in hand stays verbatim. */
const RECENT_TOKENS = 20_000;
const RECENT_SHARE_MAX = 0.2;
/** People's own words survive a compaction up to this many tokens, the newest first. */
const SAID_TOKENS_MAX = 20_000;
/** Shorter output is not worth a line about its absence. */
const CLEAR_CHARS_MIN = 600;

const DROPPED =
  "[The image was taken out: a request with the images of this run was refused. Go on without seeing them.]";
const CLEARED = "[Old output, cleared to make room. Run the call again if you need it.]";

/** Each begins a message of ours; a person's words stand behind the second and cannot forge the first. */
export const SUMMARY_HEAD = "# Summary of the work so far";
export const PERSON_HEAD = "# While you work, ";

/** Tokens a request may grow to. A prompt longer than the vendor's long-prompt bound costs up to double, so that is a window's end too. */
export function windowTokens(facts: ModelFacts): number {
  const paid = facts.prices.longPrompt?.aboveTokens ?? Infinity;
  return Math.min(facts.contextTokensMax - Math.min(facts.outputTokensMax, facts.contextTokensMax / 4), paid);
}

/** Images by their vendor's formula, all else by its bytes. */
export function estimateTokens(message: Message, rule: ImageRule | null): number {
  return Math.ceil(textBytes(message) / BYTES_PER_TOKEN) + imageTokensOf(message, rule);
}

/** What to do before the next request, which will be `tokens` long. */
export function planRelief(messages: readonly Message[], tokens: number, facts: ModelFacts): Relief {
  const window = windowTokens(facts);
  const rule = facts.quirks.images;
  const recent = findTurn(messages, { tokensMax: Math.min(RECENT_TOKENS, window * RECENT_SHARE_MAX), rule });
  if (tokens >= window * FULL_SHARE) return { kind: "compact", from: recent };
  if (tokens < window * CLEAR_FROM_SHARE) return { kind: "none" };
  const gain = messages.slice(0, recent).reduce((sum, message) => sum + clearGain(message, rule), 0);
  return gain >= window * CLEAR_GAIN_SHARE ? { kind: "clear", before: recent } : { kind: "none" };
}

/** Vendors bind their opaque state to the bytes before it, so it goes as well. */
export function clearOutput(messages: readonly Message[], before: number): Message[] {
  return messages.map((message, index) => {
    if (message.kind === "model") return { ...message, opaque: null };
    if (message.kind !== "observations" || index >= before) return message;
    const observations = message.observations.map((one) => (isHeavy(one) ? replaceText(one, CLEARED) : one));
    return { ...message, observations };
  });
}

/** After a refusal nobody knows which one it was, so all of them go. */
export function dropImages(messages: readonly Message[]): Message[] {
  return messages.map((message) => {
    if (message.kind === "model") return { ...message, opaque: null };
    if (imagesOf(message).length === 0 || message.kind !== "observations") return message;
    const observations = message.observations.map((one) => (one.images ? replaceText(one, DROPPED) : one));
    return { ...message, observations };
  });
}

/** Images go with the text. */
function replaceText({ callId, isError }: Observation, text: string): Observation {
  return { callId, text, isError };
}

export function replaceBySummary(messages: readonly Message[], from: number, summary: string): Message[] {
  const [brief] = messages;
  const old = messages.slice(1, from);
  const said = old.filter((message) => message.kind === "user" && message.text.startsWith(PERSON_HEAD));
  const kept = said.slice(findStart(said, { tokensMax: SAID_TOKENS_MAX, rule: null }));
  const rest = clearOutput(messages.slice(from), 0);
  return [...(brief ? [brief] : []), ...kept, { kind: "user", text: `${SUMMARY_HEAD}\n\n${summary}` }, ...rest];
}

/** The first turn of the longest tail that has at most `tokensMax`; the end when the last turn alone has more. */
function findTurn(messages: readonly Message[], tail: Tail): number {
  const start = Math.max(1, findStart(messages, tail));
  const turn = messages.findIndex((message, index) => index >= start && message.kind === "model");
  return turn === -1 ? messages.length : turn;
}

type Tail = { readonly tokensMax: number; readonly rule: ImageRule | null };

function findStart(messages: readonly Message[], { tokensMax, rule }: Tail): number {
  let tokens = 0;
  let index = messages.length;
  for (const message of messages.toReversed()) {
    tokens += estimateTokens(message, rule);
    if (tokens > tokensMax) return index;
    index -= 1;
  }
  return index;
}

function clearGain(message: Message, rule: ImageRule | null): number {
  if (message.kind !== "observations") return 0;
  const heavy = message.observations.filter(isHeavy);
  const text = heavy.reduce((sum, one) => sum + Buffer.byteLength(one.text) / BYTES_PER_TOKEN, 0);
  return text + imageTokensOf({ kind: "observations", observations: heavy }, rule);
}

function isHeavy({ text, images }: Observation): boolean {
  return images !== undefined || (text.length > CLEAR_CHARS_MIN && text !== CLEARED);
}
