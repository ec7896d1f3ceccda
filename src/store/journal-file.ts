/** The journal of a local run: one JSON object per line. A crash may tear the last line; it was never acted on, so it does not count. */
import { type FileHandle, mkdir, open, readFile, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { UserError } from "../failure.ts";
import type { Journal, RecordedEntry } from "../journal.ts";

/** Goes on where an earlier process stopped. One process at a time; `now` is epoch milliseconds. Disposed of, it closes its file. */
export function fileJournal(path: string, now: () => number): Journal & AsyncDisposable {
  let last: Promise<number> | null = null;
  // Kept open: a turn appends three times, and opening cost more than writing.
  let file: FileHandle | null = null;
  const close = async () => {
    const open = file;
    file = null;
    await open?.close();
  };
  return {
    async append(entry) {
      const before = last ?? mend(path);
      const append = before.then(async (seq) => {
        file ??= await open(path, "a", 0o600);
        await file.appendFile(`${JSON.stringify({ seq: seq + 1, at: now(), entry } satisfies RecordedEntry)}\n`);
        await file.datasync();
        return seq + 1;
      });
      // A line that failed half-way must not stand before the next one.
      last = append.catch(async () => {
        await close();
        return await mend(path);
      });
      last.catch(() => {}); // The next append meets it.
      await append;
    },
    async read() {
      await last?.catch(() => {});
      return (await readJournalFile(path)).entries;
    },
    async [Symbol.asyncDispose]() {
      await last?.catch(() => {});
      await close();
    },
  };
}

/** Cuts a torn last line off and gives the last whole entry's seq. */
async function mend(path: string): Promise<number> {
  await mkdir(dirname(path), { recursive: true });
  const { entries, bytes, bytesWhole } = await readJournalFile(path);
  if (bytesWhole < bytes) await truncate(path, bytesWhole);
  return entries.length;
}

type Contents = { readonly entries: readonly RecordedEntry[]; readonly bytes: number; readonly bytesWhole: number };

/** `bytesWhole` is less than `bytes` when the last line is torn. Throws UserError for any other line that cannot be read. */
export async function readJournalFile(path: string): Promise<Contents> {
  const content = await readFile(path).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  });
  // A line is whole when its end is there: the newline is written last.
  const bytesWhole = content.lastIndexOf("\n") + 1;
  const lines = content.subarray(0, bytesWhole).toString("utf8").split("\n").slice(0, -1);
  const entries = lines.map((line, i) => {
    const entry = readLine(line);
    // Numbers without a gap say that no line is missing either.
    if (entry?.seq === i + 1) return entry;
    throw new UserError(`Line ${i + 1} of ${path} is damaged or was edited, so nothing can be read or gone on with.`);
  });
  return { entries, bytes: content.length, bytesWhole };
}

/** Written by `append` above and by nobody else, so a line that can be parsed is an entry. */
function readLine(line: string): RecordedEntry | null {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
