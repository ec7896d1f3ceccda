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

export function openConversation(first: readonly Message[]): Conversation {
  let messages = [...first];
  let counted = { tokens: 0, messages: 0 };
  return {
    messages: () => [...messages],
    push: (...more) => void messages.push(...more),
    count: ({ input, cachedRead, cacheWrite, output }) => {
      // The reply's own message, which is not pushed yet, is its output.
      counted = { tokens: input + cachedRead + cacheWrite + output, messages: messages.length + 1 };
    },
    tokens: ({ quirks }) => {
      const added = messages.slice(counted.messages);
      return added.reduce((sum, message) => sum + estimateTokens(message, quirks.images), counted.tokens);
    },
    replace: (others) => {
      messages = [...others];
      counted = { tokens: 0, messages: 0 };
    },
  };
}
