/** A Model for tests and demos: plays given replies in order and writes down what it was asked. */
import type { ToolCall, Usage } from "../../src/journal.ts";
import { ModelError, type Model, type ModelFacts, type ModelReply, type ModelRequest } from "../../src/model/model.ts";
import { PLAIN_QUIRKS } from "../../src/model/quirks.ts";

/** A ModelError is thrown once for its turn; what follows in the list is the next try of the same turn. */
export type ScriptStep = ModelReply | ModelError;

export type ScriptedModel = Model & { readonly requests: readonly ModelRequest[] };

/** The turn is the number of model messages in the request, so a resumed run goes on where the script stopped. */
export function scriptedModel(
  script: readonly ScriptStep[],
  options: { readonly id?: string; readonly facts?: Partial<ModelFacts> } = {},
): ScriptedModel {
  const id = options.id ?? "scripted/model";
  const turns = toTurns(script);
  const failed = new Map<number, number>();
  const requests: ModelRequest[] = [];
  return {
    id,
    facts: { ...FACTS, ...options.facts },
    requests,
    async reply(request, signal) {
      signal.throwIfAborted();
      requests.push(request);
      const turn = request.messages.filter(({ kind }) => kind === "model").length;
      const tries = failed.get(turn) ?? 0;
      const step = turns[turn]?.[tries];
      if (!step) throw new Error(`The script has no reply for turn ${turn}, try ${tries}.`);
      if (!(step instanceof ModelError)) return step;
      failed.set(turn, tries + 1);
      throw step;
    },
  };
}

export function textReply(text: string): ModelReply {
  return { parts: [{ kind: "text", text }], stop: "finished", ...REST };
}

export function callsReply(calls: readonly ToolCall[], text = ""): ModelReply {
  const said = text === "" ? [] : [{ kind: "text", text } as const];
  const parts = [...said, ...calls.map((call) => ({ kind: "call", call }) as const)];
  return { parts, stop: "tool-calls", ...REST };
}

const FACTS: ModelFacts = {
  contextTokensMax: 200_000,
  outputTokensMax: 32_000,
  prices: { input: 1, cachedRead: 0.1, cacheWrite: 1.25, output: 5 },
  pricesSource: "made up for tests",
  editing: "replace",
  quirks: PLAIN_QUIRKS,
};

const USAGE: Usage = { input: 100, cachedRead: 0, cacheWrite: 0, output: 10, reasoning: 0 };
const REST = { usage: USAGE, opaque: null } as const;

/** Errors belong to the turn of the reply after them. */
function toTurns(script: readonly ScriptStep[]): readonly (readonly ScriptStep[])[] {
  const turns: ScriptStep[][] = [[]];
  for (const step of script) {
    turns.at(-1)?.push(step);
    if (!(step instanceof ModelError)) turns.push([]);
  }
  return turns;
}
