/** Finds what the script has for a request. Remembers only which faults were played and what the prompt caches hold. */
import type { Ask, Wire } from "./ask.ts";
import { BatchShelf } from "./batch.ts";
import { PromptCache } from "./prompt-cache.ts";
import { Refusal, scriptRefusal } from "./refusal.ts";
import { DONE } from "./reply.ts";
import { findConversation, type Fault, type ParsedScript, type Turn } from "./script.ts";

/** One turn as it is to be played for one request. */
export type Scene = {
  readonly conversation: string;
  readonly index: number;
  readonly turn: Turn;
  readonly fault: Fault | null;
};

export class Player {
  readonly cache: PromptCache;
  readonly batches = new BatchShelf();
  readonly #script: ParsedScript;
  /** How often the fault of a turn was played; a script has few. */
  readonly #played = new Map<string, number>();

  readonly #requests = new Map<string, number>();

  constructor(script: ParsedScript) {
    this.#script = script;
    this.cache = new PromptCache(script.tokens.bytesPerToken);
  }

  get batch(): ParsedScript["batch"] {
    return this.#script.batch;
  }

  /** Throws what the vendor would say of a prompt that is too long or does not end with the user's turn. */
  findScene(wire: Wire, ask: Ask): Scene {
    const { windowMax } = this.#script.tokens;
    const tokens = this.cache.inputTokens(ask);
    if (windowMax !== undefined && tokens > windowMax) throw wire.windowRefusal(tokens, windowMax);

    const conversation = findConversation(this.#script, ask.text);
    if (!conversation) throw scriptRefusal("no conversation of the script matches this request");
    const index = conversation.by === "requests" ? this.#countRequest(conversation.name) : ask.turn;
    const isPaused = conversation.turns[index - 1]?.stop === "pause_turn";
    if (ask.endsWithModel && !isPaused) {
      throw new Refusal(400, "The conversation must end with a user message.", { type: "invalid_request_error" });
    }
    const turn = conversation.turns[index] ?? DONE;
    return {
      conversation: conversation.name,
      index,
      turn,
      fault: this.#nextFault(conversation.name, index, turn),
    };
  }

  /** Faulty answers count too, so such a script has no faults that are asked again. */
  #countRequest(conversation: string): number {
    const count = this.#requests.get(conversation) ?? 0;
    this.#requests.set(conversation, count + 1);
    return count;
  }

  #nextFault(conversation: string, index: number, { fault }: Turn): Fault | null {
    if (!fault) return null;
    const key = JSON.stringify([conversation, index]);
    const played = this.#played.get(key) ?? 0;
    if (played >= fault.times) return null;
    this.#played.set(key, played + 1);
    return fault;
  }
}
