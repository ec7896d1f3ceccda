/** How long things are kept, how much room the caches take, how long a stop may take: a part of the settings (settings.ts). */
import { z } from "zod";

/** Milliseconds after the end of a task, or after a delivery or a reply came. */
export type Keep = {
  /** Tasks with their journals and publications, deliveries, alerts. What was spent stays for ever. */
  readonly taskMs: number;
  /** Bundles and patches of what runs came to, and packs of work trees. */
  readonly workMs: number;
  /** Models' replies that may answer the same question again. */
  readonly replyMs: number;
};

export type KeepSettings = {
  readonly keep: Keep;
  /** What was not used for longest goes first; null for half of the disk. */
  readonly mirrorBytesMax: number | null;
  readonly setUpBytesMax: number;
  /** A run that is still going so long after the process was told to stop is handed to another worker. */
  readonly graceMs: number;
};

const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;

/** A week at least: GitHub can deliver again what is three days old, and a forgotten task would be a new one. */
const DAYS_MIN = 7;

const days = z.coerce.number().positive().max(36_500);
const gigabytes = z.coerce.number().positive().max(1_000_000);

export const keepVariables = {
  PULLWRIGHT_KEEP_DAYS: days.min(DAYS_MIN).default(180),
  PULLWRIGHT_KEEP_WORK_DAYS: days.default(30),
  PULLWRIGHT_KEEP_REPLY_DAYS: days.default(30),
  PULLWRIGHT_MIRRORS_GB: gigabytes.optional(),
  PULLWRIGHT_SETUPS_GB: gigabytes.default(20),
  PULLWRIGHT_GRACE_SECONDS: z.coerce.number().min(0).max(3600).default(20),
};

const Variables = z.object(keepVariables);

export function readKeepSettings(e: z.infer<typeof Variables>): KeepSettings {
  return {
    keep: {
      taskMs: e.PULLWRIGHT_KEEP_DAYS * DAY_MS,
      workMs: e.PULLWRIGHT_KEEP_WORK_DAYS * DAY_MS,
      replyMs: e.PULLWRIGHT_KEEP_REPLY_DAYS * DAY_MS,
    },
    mirrorBytesMax: e.PULLWRIGHT_MIRRORS_GB === undefined ? null : e.PULLWRIGHT_MIRRORS_GB * GIB,
    setUpBytesMax: e.PULLWRIGHT_SETUPS_GB * GIB,
    graceMs: e.PULLWRIGHT_GRACE_SECONDS * 1000,
  };
}
