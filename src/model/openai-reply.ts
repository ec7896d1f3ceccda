/** Events of the Responses API -> ModelReply. Finished items are the truth; deltas only show that the vendor is alive. */
import { z } from "zod";
import type { ReplyPart, StopReason, Usage } from "../journal.ts";
import { ModelError, type ModelReply } from "./model.ts";
import { readOpenAiFailure } from "./openai-fault.ts";
import { readShellCalls } from "./openai-shell.ts";
import { isTagged, objectInput, readEvent, readObject } from "./wire.ts";

type Names = { readonly name: string; readonly toolNames: ReadonlyMap<string, string> };

/** An output item as the vendor wrote it, kept by reference so that its fields keep their order. */
type WireItem = { readonly type: string; readonly [field: string]: unknown };
type Item = { readonly wire: WireItem | null; readonly parts: readonly ReplyPart[]; readonly cutOff: boolean };

const Event = z.object({ type: z.string().optional() });
const AnyItem = z.custom<WireItem>(isTagged);
const ItemDone = z.object({ item: AnyItem });
const Failure = z.object({ code: z.string().nullish(), message: z.string().nullish() });
const count = z.number().nullish();
const Ended = z.object({
  response: z.object({
    output: z.array(AnyItem).nullish(),
    incomplete_details: z.object({ reason: z.string().nullish() }).nullish(),
    error: Failure.nullish(),
    usage: z
      .object({
        input_tokens: count,
        input_tokens_details: z.object({ cached_tokens: count, cache_write_tokens: count }).nullish(),
        output_tokens: count,
        output_tokens_details: z.object({ reasoning_tokens: count }).nullish(),
      })
      .nullish(),
  }),
});
type Response = z.infer<typeof Ended>["response"];

const status = z.string().nullish();
const Message = z.object({
  content: z.array(z.object({ type: z.string(), text: z.string().nullish(), refusal: z.string().nullish() })),
});
const texts = z.array(z.object({ text: z.string() })).nullish();
const Reasoning = z.object({ summary: texts, content: texts, encrypted_content: z.string().nullish() });
const FunctionCall = z.object({ call_id: z.string(), name: z.string(), arguments: z.string(), status });
const PatchCall = z.object({ call_id: z.string(), operation: z.unknown(), status });
const ShellCall = z.object({ call_id: z.string(), action: z.unknown(), status });
const CustomCall = z.object({ call_id: z.string(), name: z.string(), input: z.string(), status });

/**
 * Usage that the server did not tell is all zeros and marked as estimated: who sent the request can do better.
 * Throws ModelError "connection" when the stream ends before the vendor's last event.
 */
export async function readResponse(events: AsyncIterable<unknown>, names: Names): Promise<ModelReply> {
  const done: WireItem[] = [];
  for await (const event of events) {
    switch (readEvent(Event, event).type) {
      case "response.output_item.done":
        done.push(readEvent(ItemDone, event).item);
        break;
      case "response.completed":
      case "response.incomplete": {
        const { response } = readEvent(Ended, event);
        const items = done.length > 0 ? done : (response.output ?? []);
        return finish(items, response, names);
      }
      case "response.failed": {
        const { error } = readEvent(Ended, event).response;
        throw readOpenAiFailure(error?.code ?? null, error?.message ?? "the response failed");
      }
      case "error": {
        const { code, message } = readEvent(Failure, event);
        throw readOpenAiFailure(code ?? null, message ?? "the stream failed");
      }
      default: // Deltas, keep-alives, and what the vendor adds later.
    }
  }
  throw new ModelError("connection", "OpenAI's stream ended before the response did.");
}

function finish(all: readonly WireItem[], response: Response, { name, toolNames }: Names): ModelReply {
  const read = all.map((item) => readItem(item, toolNames));
  const stop = readStop(all, response);
  const usage = readUsage(response);
  const isUsageEstimated = !response.usage;
  if (stop === "refused") {
    return {
      parts: read.flatMap(({ parts }) => parts.filter((part) => part.kind === "text")),
      stop,
      ...{ usage, isUsageEstimated },
      opaque: null,
    };
  }
  const items = read.filter((item) => !(stop === "output-limit" && item.cutOff));
  const parts = items.flatMap((item) => item.parts);
  const wires = items.flatMap(({ wire }) => wire ?? []);
  // The API refuses reasoning without the item it led to.
  const keep = wires.findLastIndex(({ type }) => type !== "reasoning") + 1;
  // Text, because a store may reorder the keys of an object and the vendor compares bytes.
  const opaque = { provider: "openai", model: name, value: JSON.stringify(wires.slice(0, keep)) };
  const calls = parts.some(({ kind }) => kind === "call");
  return { parts, stop: stop === "finished" && calls ? "tool-calls" : stop, usage, isUsageEstimated, opaque };
}

function readStop(items: readonly WireItem[], response: Response): StopReason {
  const reason = response.incomplete_details?.reason;
  if (reason === "content_filter" || items.some(isRefusal)) return "refused";
  // A call that the vendor itself calls incomplete is never run, whatever it says of the response.
  return reason || items.some(isIncompleteCall) ? "output-limit" : "finished";
}

function isIncompleteCall(item: WireItem): boolean {
  return item["status"] === "incomplete" && "call_id" in item;
}

function isRefusal(item: WireItem): boolean {
  return item.type === "message" && readEvent(Message, item).content.some(({ type }) => type === "refusal");
}

function readItem(item: WireItem, toolNames: ReadonlyMap<string, string>): Item {
  const toCall = (id: string, name: string, input: unknown): readonly ReplyPart[] => [
    { kind: "call", call: { id, tool: toolNames.get(name) ?? name, input } },
  ];
  switch (item.type) {
    case "message":
      return { wire: toWire(item), parts: readEvent(Message, item).content.flatMap(readContent), cutOff: false };
    case "reasoning": {
      const { summary, content, encrypted_content } = readEvent(Reasoning, item);
      const text = (summary?.length ? summary : (content ?? [])).map((piece) => piece.text).join("\n\n");
      // Without its encrypted content the vendor would look the item up, and we let it store nothing.
      return {
        wire: encrypted_content ? toWire(item) : null,
        parts: text ? [{ kind: "thinking", text }] : [],
        cutOff: false,
      };
    }
    case "function_call": {
      const { call_id, name, arguments: text, status } = readEvent(FunctionCall, item);
      const input = text === "" ? {} : readObject(text);
      return {
        wire: toWire(item),
        parts: toCall(call_id, name, input ?? text),
        cutOff: !input || isUnfinished(status),
      };
    }
    case "custom_tool_call": {
      const { call_id, name, input, status } = readEvent(CustomCall, item);
      // Free text shows no end of its own, so only the vendor's word counts.
      return { wire: toWire(item), parts: toCall(call_id, name, input), cutOff: status !== "completed" };
    }
    case "apply_patch_call": {
      const { call_id, operation, status } = readEvent(PatchCall, item);
      return {
        wire: toWire(item),
        parts: toCall(call_id, "apply_patch", operation),
        cutOff: status !== "completed",
      };
    }
    case "shell_call":
      return readShellItem(item, (id, input) => toCall(id, "shell", input));
    default: // Nothing else was asked for.
      return { wire: null, parts: [], cutOff: false };
  }
}

function readShellItem(item: WireItem, toCall: (id: string, input: unknown) => readonly ReplyPart[]): Item {
  const { call_id, action, status } = readEvent(ShellCall, item);
  const cutOff = status !== "completed";
  const calls = readShellCalls(call_id, action);
  if (calls) return { wire: toWire(item), parts: calls.flatMap(({ id, input }) => toCall(id, input)), cutOff };
  // The vendor would refuse it back as it is, and our answer needs a call to belong to.
  const input = action ?? {};
  const text = JSON.stringify(objectInput(input, undefined));
  const wire = { type: "function_call", call_id, name: "shell", arguments: text };
  return { wire, parts: toCall(call_id, input), cutOff };
}

function isUnfinished(status: string | null | undefined): boolean {
  return typeof status === "string" && status !== "completed";
}

function readContent({ text, refusal }: z.infer<typeof Message>["content"][number]): readonly ReplyPart[] {
  const words = text ?? refusal ?? "";
  return words === "" ? [] : [{ kind: "text", text: words }];
}

/** What the input accepts of each item, by the SDK's types of 7.55: other fields of the output are refused when they come back. */
const ACCEPTED: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["message", new Set(["type", "id", "role", "content", "status", "phase"])],
  ["reasoning", new Set(["type", "id", "summary", "content", "encrypted_content", "status"])],
  ["function_call", new Set(["type", "id", "call_id", "name", "arguments", "status", "namespace", "caller"])],
  ["apply_patch_call", new Set(["type", "id", "call_id", "operation", "status", "caller"])],
  ["shell_call", new Set(["type", "id", "call_id", "action", "environment", "status", "caller"])],
  ["custom_tool_call", new Set(["type", "id", "call_id", "name", "input", "namespace", "caller"])],
]);

/** Said by the vendor of each item, needed by none, and sent again with every request: what is no more than a default. */
function toWire(item: WireItem): WireItem {
  const accepted = ACCEPTED.get(item.type);
  const fields = Object.entries(item).filter(
    ([field, value]) => accepted?.has(field) && value !== null && !(field === "status" && isDefaultStatus(item, value)),
  );
  const wire = { ...Object.fromEntries(fields), type: item.type };
  return item.type === "message" ? { ...wire, content: withoutEmptyLists(item["content"]) } : wire;
}

/** The patch tool's calls must have theirs. */
function isDefaultStatus({ type }: WireItem, status: unknown): boolean {
  return status === "completed" && type !== "apply_patch_call";
}

/** `annotations` and `logprobs` of a text. */
function withoutEmptyLists(content: unknown): unknown {
  const parts = z.array(z.looseObject({})).parse(content);
  return parts.map((part) =>
    Object.fromEntries(Object.entries(part).filter(([, value]) => !(Array.isArray(value) && value.length === 0))),
  );
}

/** The vendor's input count holds cached and written tokens too. */
function readUsage({ usage }: Response): Usage {
  const cachedRead = usage?.input_tokens_details?.cached_tokens ?? 0;
  const cacheWrite = usage?.input_tokens_details?.cache_write_tokens ?? 0;
  return {
    input: Math.max(0, (usage?.input_tokens ?? 0) - cachedRead - cacheWrite),
    cachedRead,
    cacheWrite,
    output: usage?.output_tokens ?? 0,
    reasoning: usage?.output_tokens_details?.reasoning_tokens ?? 0,
  };
}
