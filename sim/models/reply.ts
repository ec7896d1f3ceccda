/** One turn of the script as a reply to one request, with its fault worked in. No wire's words here. */
import { renderCalls, type Call, type DeclaredTool } from "./render-calls.ts";
import { Refusal, scriptRefusal } from "./refusal.ts";
import type { CallsAs, Fault, Stop, Turn } from "./script.ts";

/** `text` of a call is what goes over the wire: JSON, free-form text, a diff, or commands; a fault may have spoiled it. */
export type Part =
  | { readonly kind: "thinking"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "refusal"; readonly text: string }
  | { readonly kind: "call"; readonly call: Call; readonly text: string };

export type Reply = {
  readonly parts: readonly Part[];
  readonly stop: Stop;
  readonly callsAs?: CallsAs | undefined;
  readonly withoutUsage?: boolean | undefined;
};

export const DONE: Turn = { text: "Done." };

export function planReply(turn: Turn, tools: readonly DeclaredTool[], fault: Fault | null): Reply {
  const calls = (turn.do ?? []).flatMap((action) => renderCalls(action, tools));
  const parts: Part[] = [];
  if (turn.thinking !== undefined) parts.push({ kind: "thinking", text: turn.thinking });
  if (turn.text !== undefined) parts.push({ kind: "text", text: turn.text });
  for (const call of calls) parts.push({ kind: "call", call, text: textOf(call) });
  const { callsAs, withoutUsage } = turn;
  const stop = turn.stop ?? (calls.length > 0 ? "tool_use" : "end_turn");
  const whole: Reply = { parts, stop, callsAs, withoutUsage };

  switch (fault?.kind) {
    case "empty":
      return { parts: [], stop: "end_turn" };
    case "refusal":
      return { parts: [{ kind: "refusal", text: "I can't help with that." }], stop: "refusal" };
    case "max-tokens":
      return { ...whole, parts: cutLast(whole.parts), stop: "max_tokens" };
    case "malformed-input":
      if (calls.length === 0) throw scriptRefusal(`the fault "malformed-input" needs a turn with a call`);
      return { ...whole, parts: parts.map((part) => (part.kind === "call" ? spoil(part) : part)) };
    default:
      return whole;
  }
}

/** As an HTTP answer, when that is how this fault shows. */
export function statusRefusal(fault: Extract<Fault, { kind: "status" }>): Refusal {
  return new Refusal(fault.status, fault.message ?? `Scripted status ${fault.status}`, {
    ...(fault.type === undefined ? {} : { type: fault.type }),
    ...(fault.code === undefined ? {} : { code: fault.code }),
    ...(fault.detailsCode === undefined ? {} : { detailsCode: fault.detailsCode }),
    ...(fault.shape === undefined ? {} : { shape: fault.shape }),
    ...(fault.retryAfter === undefined ? {} : { headers: { "retry-after": String(fault.retryAfter) } }),
  });
}

/** Pieces as a vendor would stream them: never inside a character, at most `PIECES_MAX` of them. */
export function inPieces(text: string): readonly string[] {
  const size = Math.max(12, Math.ceil(text.length / PIECES_MAX));
  return text.match(new RegExp(`[\\s\\S]{1,${size}}`, "gu")) ?? [];
}

/** A file of 100 kB must not become thousands of events. */
const PIECES_MAX = 32;

function textOf(call: Call): string {
  if (call.kind === "function") return JSON.stringify(call.input);
  if (call.kind === "shell") return JSON.stringify(call.commands.commands);
  return call.kind === "free-form" ? call.input : call.operation.diff;
}

/** Finished, and yet what no parser takes: not the beginning of anything valid either. */
function spoil(part: Extract<Part, { kind: "call" }>): Part {
  // The vendor itself puts its own tool's commands into a list, so the worst is one with nothing in it.
  if (part.call.kind === "shell") return { ...part, text: "[]" };
  if (part.call.kind !== "function") return { ...part, text: part.text.slice(1) };
  return { ...part, text: part.text === "{}" ? "{,}" : part.text.replace('"', "") };
}

/** Cuts the last part in half: half a JSON object is never JSON. */
function cutLast(parts: readonly Part[]): readonly Part[] {
  const last = parts.at(-1);
  if (!last) return parts;
  return [...parts.slice(0, -1), { ...last, text: last.text.slice(0, Math.ceil(last.text.length / 2)) }];
}
