/** The lines of a headerless diff and its chunks, by index. */

/** From its header, or its first line where it has none, to the next one (`to` exclusive). */
export type Chunk = { readonly from: number; readonly to: number };

export function linesOf(text: string): readonly string[] {
  return text.split(/\r?\n/);
}

/** The chunk whose header, or first line, has this 1-based number. */
export function chunkAt(diff: string, patchLine: number): Chunk {
  const lines = linesOf(diff);
  const from = patchLine - 1;
  const length = lines.slice(from + 1).findIndex((line) => line.startsWith("@@"));
  return { from, to: length === -1 ? lines.length : from + 1 + length };
}

/** Indexes of the lines that a chunk expects in the file. */
export function oldLinesFrom(diff: string, { from, to }: Chunk): readonly number[] {
  const lines = linesOf(diff);
  const isOld = (line: string) => !line.startsWith("+") && !line.startsWith("@@") && !line.startsWith("*** ");
  return lines.flatMap((line, i) => (i >= from && i < to && isOld(line) ? [i] : []));
}

/** Chunks that have new lines and no old ones. */
export function bareAdditions(diff: string): readonly Chunk[] {
  const lines = linesOf(diff);
  const starts = lines.flatMap((line, i) => (i === 0 || line.startsWith("@@") ? [i] : []));
  const chunks = starts.map((from, i): Chunk => ({ from, to: starts[i + 1] ?? lines.length }));
  return chunks.filter((chunk) => {
    const old = oldLinesFrom(diff, chunk).filter((i) => lines[i]?.trim() !== "");
    return old.length === 0 && lines.slice(chunk.from, chunk.to).some((line) => line.startsWith("+"));
  });
}
