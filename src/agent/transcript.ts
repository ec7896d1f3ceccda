/** Journal -> what the model sees. The transcript is only ever appended to, so that vendors can cache its prefix. */
import type { JournalEntry } from "../journal.ts";
import type { Message } from "../model/model.ts";

/** Said for a call whose result was lost with a worker; a fixed text, because a changing one would spoil the prompt cache. */
const LOST = "The worker stopped before this call ended. Its effect is unknown: look before you repeat it.";

/**
 * The messages an agent had when these entries were written. Each call gets exactly one observation, in the order of the calls,
 * whatever order they ended in; both vendors refuse anything else.
 */
export function readTranscript(entries: readonly JournalEntry[]): Message[] {
  const messages: Message[] = [];
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
        messages.push({ kind: "user", text: entry.brief });
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
        messages.push({ kind: "user", text: entry.text });
        break;
      default:
        break; // The other kinds are for people.
    }
  }
  closeTurn();
  return messages;
}

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
