/**
 * Whether anything in a work tree was touched since a moment, asked of find(1) by change times, which no program can set. It may say
 * yes for no reason, never no; ignored files count too.
 */
import { execFile } from "node:child_process";
import type { Stats } from "node:fs";
import type { Workspace } from "./workspace.ts";

/** The clock by which file systems stamp runs behind by a tick (10 ms at HZ=100). */
const SLACK_MS = 20;
/** The system's clock was set: change times before and after say nothing about each other. */
const DRIFT_MS_MAX = 20;
/** A tree that takes longer to look through is taken for touched. */
const LOOK_MS_MAX = 30_000;

/** A file or folder as it was when it was read. */
export type Stamp = {
  readonly device: number;
  readonly inode: number;
  /** NaN, which equals nothing, where a change that comes later could have got the same time. */
  readonly changedMs: number;
};

/** Whoever waits so long after a change gets a stamp that holds. */
export const STAMP_MS = SLACK_MS + 5;

/** Of something that has stayed as `stats` say until `nowMs`. */
export function stampOf({ dev, ino, ctimeMs }: Stats, nowMs: number): Stamp {
  return { device: dev, inode: ino, changedMs: ctimeMs < nowMs - SLACK_MS ? ctimeMs : Number.NaN };
}

/** Any change gives a new change time: to what a file holds, and to which entries a folder has. */
export function isUnchanged(stamp: Stamp | null | undefined, { dev, ino, ctimeMs }: Stats): boolean {
  return stamp?.changedMs === ctimeMs && stamp.inode === ino && stamp.device === dev;
}

export type Moment = { readonly wallMs: number; readonly bootMs: number };

export function thisMoment(): Moment {
  return { wallMs: Date.now(), bootMs: performance.now() };
}

/** Between two commands of the sandbox. Of an overlay only the upper layer is looked at. */
export async function isTouchedSince(workspace: Workspace, since: Moment, signal: AbortSignal): Promise<boolean> {
  const now = thisMoment();
  const drift = now.wallMs - since.wallMs - (now.bootMs - since.bootMs);
  if (Math.abs(drift) > DRIFT_MS_MAX) return true;
  const dir = workspace.layers?.upperDir ?? workspace.treeDir;
  const moment = ((since.wallMs - SLACK_MS) / 1000).toFixed(3);
  const args = [".", "-path", "./.git", "-prune", "-o", "-newerct", `@${moment}`, "-print", "-quit"];
  return new Promise((resolve, reject) => {
    const env = { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C" };
    execFile("find", args, { cwd: dir, env, signal, timeout: LOOK_MS_MAX, killSignal: "SIGKILL" }, (error, stdout) => {
      if (signal.aborted) reject(signal.reason);
      // A folder that cannot be read was closed by someone.
      else resolve(error !== null || stdout !== "");
    });
  });
}
