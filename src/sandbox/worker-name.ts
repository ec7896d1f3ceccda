/** Names what one worker process makes on the machine, so that a later one can tell what a dead worker left. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

/** Holds process id and start time: after a restart the same id may be given out again. */
export function newWorkerName(): string {
  return `pullwright-${process.pid}-${startTimeOf(process.pid)}-${randomUUID()}`;
}

/** False for names that are not ours, too. */
export function isLeftByDeadWorker(name: string): boolean {
  const [, pid, startTime] = /^pullwright-(\d+)-(\d+)-/.exec(name) ?? [];
  return pid !== undefined && startTimeOf(Number(pid)) !== startTime;
}

/** Clock ticks since boot, field 22 of /proc/PID/stat; "" when there is no such process. */
function startTimeOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch (error) {
    if (error instanceof Error && "code" in error) return ""; // It has ended.
    throw error;
  }
}
