/** The events of one response, in the order and with the fields of the SDK's own types. */
import type {
  Response,
  ResponseApplyPatchToolCall,
  ResponseCustomToolCall,
  ResponseFunctionShellToolCall,
  ResponseFunctionToolCall,
  ResponseOutputItem,
  ResponseOutputMessage,
  ResponseReasoningItem,
  ResponseStreamEvent,
} from "openai/resources/responses/responses";
import type { Answer } from "./ask.ts";
import { inPieces } from "./reply.ts";

/** The SDK adds `output_text` itself; the wire has no such field. */
export type WireResponse = Omit<Response, "output_text">;

type OnWire<E> = E extends { response: Response } ? Omit<E, "response"> & { response: WireResponse } : E;
/** An event before it has its place in the stream. */
type Unnumbered<E> = E extends { sequence_number: number } ? Omit<E, "sequence_number"> : never;
type Draft = Unnumbered<OnWire<ResponseStreamEvent>>;

type Saying = { readonly id: string; readonly text: string; readonly isCut: boolean };
type Calling = Saying & { readonly callId: string; readonly name: string };

export type ItemInProgress = { readonly isCut?: boolean } & (
  | {
      readonly kind: "reasoning";
      readonly id: string;
      readonly summary: string | null;
      readonly encrypted: string | null;
    }
  | ({ readonly kind: "text" } & Saying)
  | ({ readonly kind: "refusal" } & Saying)
  | ({ readonly kind: "function" } & Calling)
  | ({ readonly kind: "custom" } & Calling)
  | {
      readonly kind: "patch";
      readonly id: string;
      readonly callId: string;
      readonly operation: ResponseApplyPatchToolCall["operation"];
    }
  | {
      readonly kind: "shell";
      readonly id: string;
      readonly callId: string;
      readonly action: ResponseFunctionShellToolCall.Action;
    }
);

export function eventsOf(response: WireResponse, items: readonly ItemInProgress[]): Answer {
  const built = items.map((item, index) => buildItem(item, index));
  const whole: WireResponse = { ...response, output: built.map(({ done }) => done) };
  const { usage: _, ...unpaid } = response;
  const opening: WireResponse = { ...unpaid, status: "in_progress", incomplete_details: null };
  const drafts: Draft[] = [
    { type: "response.created", response: opening },
    { type: "response.in_progress", response: opening },
  ];
  built.forEach(({ added, between, done }, index) => {
    drafts.push({ type: "response.output_item.added", output_index: index, item: added });
    drafts.push(...between);
    drafts.push({ type: "response.output_item.done", output_index: index, item: done });
  });
  const endsAt = drafts.length;
  const type = response.status === "incomplete" ? "response.incomplete" : "response.completed";
  drafts.push({ type, response: whole });
  return { whole, events: drafts.map((draft, index) => ({ ...draft, sequence_number: index })), endsAt };
}

type Built = {
  readonly added: ResponseOutputItem;
  readonly between: readonly Draft[];
  readonly done: ResponseOutputItem;
};

function buildItem(item: ItemInProgress, index: number): Built {
  switch (item.kind) {
    case "reasoning":
      return buildReasoning(item, index);
    case "text":
    case "refusal":
      return buildMessage(item, index);
    case "function":
      return buildFunctionCall(item, index);
    case "custom":
      return buildCustomCall(item, index);
    case "shell":
      return buildShellCall(item, index);
    case "patch": {
      const { id, callId: call_id, operation } = item;
      const call = { type: "apply_patch_call", id, call_id, operation } as const;
      const done = { ...call, status: item.isCut ? "in_progress" : "completed" } as const;
      return { added: { ...call, status: "in_progress" }, between: [], done };
    }
  }
}

type Reasoning = Extract<ItemInProgress, { kind: "reasoning" }>;

function buildReasoning({ id, summary, encrypted }: Reasoning, output_index: number): Built {
  const added: ResponseReasoningItem = { type: "reasoning", id, summary: [] };
  const text = summary ?? "";
  const done: ResponseReasoningItem = {
    ...added,
    summary: summary === null ? [] : [{ type: "summary_text", text }],
    ...(encrypted === null ? {} : { encrypted_content: encrypted }),
  };
  if (summary === null) return { added, between: [], done };
  const place = { item_id: id, output_index, summary_index: 0 };
  const between: readonly Draft[] = [
    { type: "response.reasoning_summary_part.added", ...place, part: { type: "summary_text", text: "" } },
    ...inPieces(text).map((delta) => ({ type: "response.reasoning_summary_text.delta", ...place, delta }) as const),
    { type: "response.reasoning_summary_text.done", ...place, text },
    { type: "response.reasoning_summary_part.done", ...place, part: { type: "summary_text", text } },
  ];
  return { added, between, done };
}

type Said = Extract<ItemInProgress, { kind: "text" | "refusal" }>;

function buildMessage({ kind, id, text, isCut }: Said, output_index: number): Built {
  const message = { type: "message", role: "assistant", id } as const;
  const place = { item_id: id, output_index, content_index: 0 };
  const part = (said: string): ResponseOutputMessage["content"][number] =>
    kind === "text"
      ? { type: "output_text", text: said, annotations: [], logprobs: [] }
      : { type: "refusal", refusal: said };
  const deltas: readonly Draft[] = inPieces(text).map((delta) =>
    kind === "text"
      ? { type: "response.output_text.delta", ...place, delta, logprobs: [] }
      : { type: "response.refusal.delta", ...place, delta },
  );
  const between: readonly Draft[] = [
    { type: "response.content_part.added", ...place, part: part("") },
    ...deltas,
    kind === "text"
      ? { type: "response.output_text.done", ...place, text, logprobs: [] }
      : { type: "response.refusal.done", ...place, refusal: text },
    { type: "response.content_part.done", ...place, part: part(text) },
  ];
  return {
    added: { ...message, status: "in_progress", content: [] },
    between,
    done: { ...message, status: isCut ? "incomplete" : "completed", content: [part(text)] },
  };
}

function buildFunctionCall(item: Extract<ItemInProgress, { kind: "function" }>, output_index: number): Built {
  const { id, callId: call_id, name, text } = item;
  const call = { type: "function_call", id, call_id, name } as const;
  const place = { item_id: id, output_index };
  const deltas = inPieces(text).map(
    (delta) => ({ type: "response.function_call_arguments.delta", ...place, delta }) as const,
  );
  const done: ResponseFunctionToolCall = { ...call, arguments: text, status: item.isCut ? "incomplete" : "completed" };
  const finished = { type: "response.function_call_arguments.done", ...place, arguments: text } as const;
  return {
    added: { ...call, arguments: "", status: "in_progress" },
    between: item.isCut ? deltas : [...deltas, finished],
    done,
  };
}

function buildCustomCall(item: Extract<ItemInProgress, { kind: "custom" }>, output_index: number): Built {
  const { id, callId: call_id, name, text } = item;
  const call: ResponseCustomToolCall = { type: "custom_tool_call", id, call_id, name, input: "" };
  const place = { item_id: id, output_index };
  const deltas = inPieces(text).map(
    (delta) => ({ type: "response.custom_tool_call_input.delta", ...place, delta }) as const,
  );
  const finished = { type: "response.custom_tool_call_input.done", ...place, input: text } as const;
  return { added: call, between: item.isCut ? deltas : [...deltas, finished], done: { ...call, input: text } };
}

/** As the wire of gpt-5.1 had it when others recorded it (vercel/ai, openai-shell-tool.1.chunks.txt); it names no item in between. */
function buildShellCall(item: Extract<ItemInProgress, { kind: "shell" }>, output_index: number): Built {
  const { id, callId: call_id, action } = item;
  const call = { type: "shell_call", id, call_id, environment: { type: "local" } } as const;
  const wishes = { max_output_length: null, timeout_ms: null };
  const between = action.commands.flatMap((command, command_index): readonly Draft[] => {
    const place = { output_index, command_index };
    const isCut = item.isCut && command_index === action.commands.length - 1;
    return [
      { type: "response.shell_call_command.added", ...place, command: "" },
      ...inPieces(command).map((delta) => ({ type: "response.shell_call_command.delta", ...place, delta }) as const),
      ...(isCut ? [] : [{ type: "response.shell_call_command.done", ...place, command } as const]),
    ];
  });
  return {
    added: { ...call, status: "in_progress", action: { commands: [], ...wishes } },
    between,
    done: {
      ...call,
      status: item.isCut ? "incomplete" : "completed",
      action: item.isCut ? { ...action, ...wishes } : action,
    },
  };
}
