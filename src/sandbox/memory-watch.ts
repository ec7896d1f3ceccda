/** Weighs a command's memory by polling, on machines where no control group does it. */
import { readFileSync } from "node:fs";
import { residentBytes } from "./process-tree.ts";

/** A hog takes some 50 MB in this time. */
const POLL_MS = 50;
/**
 * What the kernel holds for a command (sockets, pipes, message queues) is in no process's count. When the machine has less than
 * this, or than half of what it had, the command is stopped before the kernel picks somebody else.
 */
const AVAILABLE_BYTES_MIN = 256 * 1024 * 1024;

export class MemoryWatch {
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Calls `exceeded` at most once for each poll; returns how to stop. */
  watch(namespacePid: () => number | null, exceeded: () => void): () => void {
    const floor = Math.min(AVAILABLE_BYTES_MIN, availableBytes() / 2);
    const timer = setInterval(() => {
      const pid = namespacePid();
      if (pid !== null && (residentBytes(pid) > this.#bytesMax || availableBytes() < floor)) exceeded();
    }, POLL_MS);
    return () => clearInterval(timer);
  }
}

function availableBytes(): number {
  const kibibytes = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return Number(kibibytes ?? Infinity) * 1024;
}
