/**
 * Locks between processes of one machine that the kernel gives back when their holder dies, even by kill -9.
 * SQLite is used for nothing but its file locks: Node has no flock, and pid files must be swept and can be reused.
 */
import { existsSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "./failure.ts";

/** How often a lock that is taken is tried again. */
const TRY_EVERY_MS = 20;

export type FileLock = { release(): void };

/** Many may hold it at once, none while another holds it exclusively. Null when it is taken. */
export function tryShared(path: string): FileLock | null {
  // Only a read takes SQLite's shared lock; BEGIN alone is deferred.
  return tryLock(path, "BEGIN; SELECT count(*) FROM sqlite_schema");
}

/** One holder only. Null when anyone, this process included, holds it in either way. */
export function tryExclusive(path: string): FileLock | null {
  return tryLock(path, "BEGIN EXCLUSIVE");
}

/** Waits for its turn; a TransientError after `waitMs`. */
export async function lockExclusive(path: string, waitMs: number): Promise<FileLock> {
  for (let waited = 0; waited < waitMs; waited += TRY_EVERY_MS) {
    const lock = tryExclusive(path);
    if (lock) return lock;
    await delay(TRY_EVERY_MS);
  }
  throw new TransientError(`Another process holds ${path} for more than ${waitMs / 1000} s.`);
}

function tryLock(path: string, statement: string): FileLock | null {
  // Whoever can read a file can lock it. Never open an existing one: closing it again would drop this process's POSIX locks.
  if (!existsSync(path)) writeFileSync(path, "", { mode: 0o600, flag: "a" });
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    file.exec(statement);
  } catch (error) {
    file.close();
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) return null;
    throw error;
  }
  return { release: () => file.close() };
}

/** https://sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;
