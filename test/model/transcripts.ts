/** Builders the model tests share. */
import type { Message, ModelRequest, ToolSpec } from "../../src/model/model.ts";

export const shell: ToolSpec = {
  name: "shell",
  description: "Runs a command.",
  parameters: { type: "object", properties: { command: { type: "string" } }, required: ["command"] },
  native: "shell",
};

export const edit: ToolSpec = {
  name: "edit",
  description: "Views and edits files.",
  parameters: { type: "object", properties: { command: { type: "string" }, path: { type: "string" } } },
  native: "text-editor",
};

export const patch: ToolSpec = {
  name: "apply_patch",
  description: "Applies a patch.",
  parameters: { type: "object", properties: { patch: { type: "string" } }, required: ["patch"] },
  native: "apply-patch",
};

export const search: ToolSpec = {
  name: "search",
  description: "Searches the code.",
  parameters: {
    type: "object",
    properties: { query: { type: "string" } },
    required: ["query"],
    additionalProperties: false,
  },
  native: null,
};

export function askWith(messages: readonly Message[], change: Partial<ModelRequest> = {}): ModelRequest {
  return {
    system: "You fix bugs.",
    tools: [shell, edit, patch, search],
    messages,
    outputTokensMax: 1_000,
    cacheKey: "run-1",
    ...change,
  };
}

export const user = (text: string): Message => ({ kind: "user", text });

export const observe = (...seen: readonly (readonly [callId: string, text: string, isError?: boolean])[]): Message => ({
  kind: "observations",
  observations: seen.map(([callId, text, isError = false]) => ({ callId, text, isError })),
});

export async function* play<T>(events: readonly T[]): AsyncGenerator<T> {
  yield* events;
}
