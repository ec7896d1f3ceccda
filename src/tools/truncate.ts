/** Long output, cut once in the middle: the head says what ran, the tail how it ended. The cut says what is missing. */

/** Of the room, for the tail: errors and totals come last. */
const TAIL_SHARE = 0.6;

export function truncate(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  const tailRoom = Math.floor(bytesMax * TAIL_SHARE);
  const head = endOfLine(bytes, bytesMax - tailRoom);
  const tail = startOfLine(bytes, bytes.length - tailRoom);
  const lines = countLines(bytes.subarray(head, tail));
  const marker = `[… ${lines} lines, ${tail - head} bytes cut …]`;
  return `${bytes.toString("utf8", 0, head)}${marker}\n${bytes.toString("utf8", tail)}`;
}

/** Text that any store takes: no NUL (PostgreSQL refuses it in JSON), no half of a surrogate pair. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll("\u0000", "\u2400");
}

/** At or before `limit`: after a line break when one is near, else between two characters. */
function endOfLine(bytes: Buffer, limit: number): number {
  const found = bytes.lastIndexOf(10, limit - 1);
  if (found > limit / 2) return found + 1;
  let at = limit;
  while (at > 0 && isContinuation(bytes[at])) at -= 1;
  return at;
}

function startOfLine(bytes: Buffer, limit: number): number {
  const found = bytes.indexOf(10, limit);
  if (found !== -1 && found - limit < (bytes.length - limit) / 2) return found + 1;
  let at = limit;
  while (at < bytes.length && isContinuation(bytes[at])) at += 1;
  return at;
}

/** UTF-8 bytes 10xxxxxx belong to the character before them. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines += 1;
  return lines;
}
