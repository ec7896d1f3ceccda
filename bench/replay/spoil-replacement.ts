/** A str_replace call as a model may miscopy it: context alike in old and new text, deleted lines in the old alone. */
import { findDedent, isTelling, isTrueCopy, makeLineStale, spoilText, type Spoiling } from "./perturb.ts";
import type { Replacement } from "./replacements.ts";

export type Pair = { readonly oldText: string; readonly newText: string };

/** The call as it should be when there is nothing in it to spoil. */
export function spoilReplacement(replacement: Replacement, spoiling: Spoiling): Pair {
  const clean = join(replacement);
  const spoiled = spoil(replacement, spoiling);
  return isTrueCopy(spoiled.oldText, clean.oldText, spoiling.texts) ? clean : spoiled;
}

function spoil(replacement: Replacement, { how, random }: Spoiling): Pair {
  switch (how) {
    case "clean":
      return join(replacement);
    case "CRLF":
      return turnEndings(join(replacement));
    case "dedented":
      return dedent(replacement);
    case "stale context": {
      const old = [...replacement.head, ...replacement.deleted, ...replacement.tail].filter(isTelling);
      const victim = old[random.below(Math.max(1, old.length))];
      return joinSpoiled(replacement, (line) => (line === victim ? makeLineStale(line) : line));
    }
    default:
      return joinSpoiled(replacement, (line) => {
        if (!random.chance(0.5)) return line;
        const [, body = "", ending = ""] = /^(.*?)(\r?\n)?$/s.exec(line) ?? [];
        const spoiled = spoilText(body, how) + ending;
        // Old text that is the new text says that nothing changes there.
        return replacement.added.includes(spoiled) ? line : spoiled;
      });
  }
}

function join({ head, deleted, added, tail }: Replacement): Pair {
  return { oldText: [...head, ...deleted, ...tail].join(""), newText: [...head, ...added, ...tail].join("") };
}

function joinSpoiled({ head, deleted, added, tail }: Replacement, change: (line: string) => string): Pair {
  return join({ head: head.map(change), deleted: deleted.map(change), added, tail: tail.map(change) });
}

/** Only where all endings are of one kind: the call could not say afterwards which of two was meant. */
function turnEndings(clean: Pair): Pair {
  const endings = new Set(`${clean.oldText}${clean.newText}`.match(/\r?\n/g) ?? []);
  if (endings.size !== 1 || !clean.oldText.includes("\n")) return clean;
  const turn = (text: string) => text.replace(/\r?\n/g, endings.has("\r\n") ? "\n" : "\r\n");
  return { oldText: turn(clean.oldText), newText: turn(clean.newText) };
}

function dedent({ head, deleted, added, tail }: Replacement): Pair {
  const indent = findDedent([...head, ...deleted, ...added, ...tail].filter((line) => line.trim() !== ""));
  const cut = (lines: readonly string[]) =>
    lines.map((line) => (line.trim() === "" ? line : line.slice(indent.length)));
  return join({ head: cut(head), deleted: cut(deleted), added: cut(added), tail: cut(tail) });
}
