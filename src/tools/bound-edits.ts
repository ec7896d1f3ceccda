/** Reports of edits, cut to what one journal entry may hold. Where an edit is stays longer than what it says. */
import type { EditHunk, FileEditReport } from "../journal.ts";

/** Of all hunks of one call, as JSON: a page loads hundreds of entries, and nobody reads more of one. */
export const EDITS_BYTES_MAX = 64 * 1024;
/** Files told of at all; those past the bytes by name only. A reply has no room for a patch over more. */
export const EDITED_FILES_MAX = 2000;

/** First the lines of a hunk go, then its place, and `isCut` says so. */
export function boundEdits(edits: readonly FileEditReport[]): readonly FileEditReport[] {
  let room = EDITS_BYTES_MAX;
  const fits = (hunk: EditHunk): boolean => {
    const bytes = Buffer.byteLength(JSON.stringify(hunk));
    if (bytes > room) return false;
    room -= bytes;
    return true;
  };
  return edits.slice(0, EDITED_FILES_MAX).map((edit) => {
    const hunks = edit.hunks.flatMap((hunk) => {
      if (fits(hunk)) return [hunk];
      const bare = { ...hunk, lines: [] };
      return fits(bare) ? [bare] : [];
    });
    const isCut = edit.isCut || edit.hunks.some((hunk, i) => hunk !== hunks[i]);
    return { ...edit, hunks, isCut };
  });
}
