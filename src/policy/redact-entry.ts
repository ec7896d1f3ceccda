/**
 * A journal entry without secrets. What a vendor's opaque state holds is left alone: a changed byte would break its signature. So are
 * images: in megabytes of base64 something looks like a token by chance, and a changed letter is a broken image.
 */
import type { JournalEntry } from "../journal.ts";
import { redactSecrets } from "./redact.ts";

export function redactEntry(entry: JournalEntry, secrets: readonly string[]): JournalEntry {
  const redact = <T>(value: T): T => mapStrings(value, (text) => redactSecrets(text, secrets));
  switch (entry.kind) {
    case "model-replied": {
      const { opaque, ...rest } = entry;
      return { ...redact(rest), opaque };
    }
    case "tool-observed": {
      const { images, ...said } = entry.observation;
      const observation = images ? { ...redact(said), images } : redact(said);
      return { ...redact({ ...entry, observation: null }), observation };
    }
    case "sub-agent":
      return { ...entry, entry: redactEntry(entry.entry, secrets) };
    default:
      return redact(entry);
  }
}

/** The same value with every string in it mapped; keys stay. Journal entries are plain data, as JSON holds it. */
function mapStrings<T>(value: T, map: (text: string) => string): T;
function mapStrings(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((one: unknown) => mapStrings(one, map));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mapStrings(one, map)]));
}
