/**
 * What the model was shown whole and still has in its window: a second look gets the difference, not the file again. Only for whole
 * files; a range is always shown, and so is the file when it is asked for a third time, for whoever insists has a reason.
 */
import { describeEdit } from "../patch/edit-report.ts";
import { readLines } from "../patch/lines.ts";

export type ShownTexts = {
  /** What to show instead of `shown`, which is what the tool made of the whole of `text`. */
  readonly show: (file: { readonly path: string; readonly text: string; readonly shown: string }) => string;
  /** Old output was taken out of the window, so nothing counts as shown. */
  readonly forget: () => void;
};

/** Texts kept, the oldest go first; what is shown whole has at most some tens of kilobytes. */
const TEXTS_MAX = 300;
/** Of the whole: a longer difference is harder to read than the file. */
const DIFFERENCE_SHARE_MAX = 0.5;
/** Shorter ones are shown again: a reference to them would be as long. */
const SHOWN_CHARS_MIN = 400;

export function openShownTexts(): ShownTexts {
  const texts = new Map<string, string>();
  return {
    show: ({ path, text, shown }) => {
      const before = texts.get(path);
      texts.delete(path);
      const instead = before === undefined ? null : renderAgain({ path, before, text, shown });
      if (instead !== null) return instead;
      // Cut output is not the whole of it.
      if (shown.length >= SHOWN_CHARS_MIN && shown.split("\n").length === readLines(text).count) texts.set(path, text);
      for (const oldest of texts.keys()) if (texts.size > TEXTS_MAX) texts.delete(oldest);
      return shown;
    },
    forget: () => texts.clear(),
  };
}

type Again = { readonly path: string; readonly before: string; readonly text: string; readonly shown: string };

/** Null when the file itself is the better answer. */
function renderAgain({ path, before, text, shown }: Again): string | null {
  const more = "[Ask for lines of it, or once more for all.]";
  if (before === text) return `Unchanged since you were shown all of it.\n${more}`;
  const { hunks, isCut } = describeEdit({ path, before, after: text });
  if (isCut || hunks.length === 0) return null;
  const parts = hunks.map(
    ({ oldStart, oldLines, newStart, newLines, lines }) =>
      `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@\n${lines.join("\n")}`,
  );
  const difference = parts.join("\n");
  if (difference.length > shown.length * DIFFERENCE_SHARE_MAX) return null;
  return `What has changed since you were shown all of it:\n${difference}\n${more}`;
}
