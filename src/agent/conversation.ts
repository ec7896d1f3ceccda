/** The messages so far and how long they are: the vendor's own last count, and our estimate of what came after it. */
import type { Usage } from "../journal.ts";
import type { Message, ModelFacts } from "../model/model.ts";
import { estimateTokens } from "./context.ts";

export type Conversation = {
  /** A fresh copy: what was sent must not change afterwards. */
  readonly messages: () => Message[];
  readonly push: (...messages: readonly Message[]) => void;
  /** The usage of the reply to all messages so far. */
  readonly count: (usage: Usage) => void;
  /** Tokens of the next request to a model of these facts. */
  readonly tokens: (facts: ModelFacts) => number;
  /** Something was cut, so the vendor's count is worthless until its next one. */
  readonly replace: (messages: readonly Message[]) => void;
};

/** The first `messages` have `tokens`, the reply to those before it included. */
export type Counted = { readonly tokens: number; readonly messages: number };

export const UNCOUNTED: Counted = { tokens: 0, messages: 0 };

/** Tokens of a request and its reply. */
export function allTokens({ input, cachedRead, cacheWrite, output }: Usage): number {
  return input + cachedRead + cacheWrite + output;
}

export function openConversation(first: readonly Message[], known: Counted): Conversation {
  let messages = [...first];
  let counted = known;
  return {
    messages: () => [...messages],
    push: (...more) => void messages.push(...more),
    count: (usage) => {
      // The reply's own message, which is not pushed yet, is its output.
      counted = { tokens: allTokens(usage), messages: messages.length + 1 };
    },
    tokens: ({ quirks }) => {
      const added = messages.slice(counted.messages);
      return added.reduce((sum, message) => sum + estimateTokens(message, quirks.images), counted.tokens);
    },
    replace: (others) => {
      messages = [...others];
      counted = UNCOUNTED;
    },
  };
}
