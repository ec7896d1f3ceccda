/** Journal -> what the model sees. It is only ever appended to, so that vendors can cache its prefix, but for rare cuts. */
import type { JournalEntry, ReplyPart } from "../journal.ts";
import type { Message } from "../model/model.ts";
import { clearOutput, dropImages, PERSON_HEAD, replaceBySummary } from "./context.ts";

/** Said for a call whose result was lost with a worker; a fixed text, because a changing one would spoil the prompt cache. */
export const LOST = "The worker stopped before this call ended. Its effect is unknown: look before you repeat it.";

/**
 * The messages an agent had when these entries were written. Each call gets exactly one observation, in the order of the calls,
 * whatever order they ended in; both vendors refuse anything else.
 */
export function readTranscript(entries: readonly JournalEntry[]): Message[] {
  let messages: Message[] = [];
  let turn: Extract<JournalEntry, { kind: "model-replied" }> | null = null;
  let observed: Extract<JournalEntry, { kind: "tool-observed" }>[] = [];
  const closeTurn = () => {
    if (turn) messages.push(...turnMessages(turn, observed));
    turn = null;
    observed = [];
  };
  for (const entry of entries) {
    switch (entry.kind) {
      case "briefed":
        // A process that was lost before the first reply leaves a brief; the next one begins with its own.
        messages = [{ kind: "user", text: entry.brief }];
        break;
      case "model-replied":
        closeTurn();
        turn = entry;
        break;
      case "tool-observed":
        observed.push(entry);
        break;
      case "steered":
        closeTurn();
        messages.push({ kind: "user", text: steerText(entry) });
        break;
      case "cleared":
        closeTurn();
        messages = clearOutput(messages, entry.before);
        break;
      case "images-dropped":
        closeTurn();
        messages = dropImages(messages);
        break;
      case "compacted":
        closeTurn();
        messages = replaceBySummary(messages, entry.from, entry.summary);
        break;
      default:
        break; // The other kinds are for people.
    }
  }
  closeTurn();
  return messages;
}

/** As the model reads it. A person who may steer has write access, so their words count as the task's. */
export function steerText({ text, by }: Extract<JournalEntry, { kind: "steered" }>): string {
  return by === undefined ? text : `${PERSON_HEAD}${by} (has write access) says\n\n${text}`;
}

/** What a reply says to people, without its thoughts and calls; "" for nothing. */
export function spokenText(parts: readonly ReplyPart[]): string {
  return parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n\n");
}

export type Replied = Extract<JournalEntry, { kind: "model-replied" }>;

/** One turn as messages: the reply, and one observation for each of its calls. */
export function turnMessages(
  reply: Extract<JournalEntry, { kind: "model-replied" }>,
  observed: readonly Extract<JournalEntry, { kind: "tool-observed" }>[],
): Message[] {
  // A reply cut off before its first whole part says nothing, and vendors refuse an empty message.
  if (reply.parts.length === 0) return [];
  const calls = reply.parts.flatMap((part) => (part.kind === "call" ? [part.call] : []));
  const said: Message = { kind: "model", parts: reply.parts, opaque: reply.opaque };
  if (calls.length === 0) return [said];
  const byId = new Map(observed.map(({ observation }) => [observation.callId, observation]));
  const observations = calls.map(({ id }) => byId.get(id) ?? { callId: id, text: LOST, isError: true });
  return [said, { kind: "observations", observations }];
}
