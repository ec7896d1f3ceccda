/** What comes out of a container: the engine's frames, taken apart, and of a command's no more than its cap. */
import type { Readable } from "node:stream";

/** Docker Engine API, "Stream format" of ContainerAttach: which output, three zeros, length as big-endian u32; then the bytes. */
const HEADER_BYTES = 8;
const STDERR = 2;

/** Calls back with each piece as it comes, however the connection cuts it. */
export function readFrames(stream: Readable, keep: (bytes: Buffer, isStderr: boolean) => void): void {
  const header = Buffer.alloc(HEADER_BYTES);
  let headerBytes = 0;
  let left = 0;
  stream.on("data", (chunk: Buffer) => {
    for (let at = 0; at < chunk.length;) {
      if (left === 0) {
        const copied = chunk.copy(header, headerBytes, at, at + HEADER_BYTES - headerBytes);
        at += copied;
        headerBytes += copied;
        if (headerBytes < HEADER_BYTES) return;
        [headerBytes, left] = [0, header.readUInt32BE(4)];
        continue;
      }
      const piece = chunk.subarray(at, at + left);
      keep(piece, header[0] === STDERR);
      at += piece.length;
      left -= piece.length;
    }
  });
}

/** Keeps stdout and stderr whole up to one cap on both together. */
export class CommandOutput {
  /** Resolves when nobody writes any more; a broken connection is an end as well. */
  readonly ended: Promise<void>;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  #room: number;

  constructor(stream: Readable, bytesMax: number, onLimit: () => void) {
    this.#room = bytesMax;
    const ended = Promise.withResolvers<void>();
    for (const name of ["end", "close", "error"]) stream.on(name, () => ended.resolve());
    this.ended = ended.promise;
    readFrames(stream, (bytes, isStderr) => {
      if (this.#room > 0) (isStderr ? this.#stderr : this.#stdout).push(Buffer.from(bytes.subarray(0, this.#room)));
      this.#room -= bytes.length;
      if (this.#room < 0) onLimit();
    });
  }

  get isOverLimit(): boolean {
    return this.#room < 0;
  }

  read(): { readonly stdout: Buffer; readonly stderr: Buffer } {
    return { stdout: Buffer.concat(this.#stdout), stderr: Buffer.concat(this.#stderr) };
  }
}
