/** The times and numbers that bound what the queue does, with their reasons. */

/** Long enough for a stalled event loop, short enough that a dead run is noticed within 30 s (with MONITOR and POLL). */
export const HEARTBEAT_SECONDS = 15;
export const HEARTBEAT_REFRESH_SECONDS = 3;
export const MONITOR_SECONDS = 2;
/** What finds waits that are over, and everything where notifications do not pass: a thousand idle workers ask 500 times a second. */
export const POLL_MS = 2_000;
/** Taken in one transaction at most: while one worker chooses, the others wait. */
export const CLAIMS_MAX = 8;
/** Only after an update of Pullwright, and after a task that pg-boss gave up, is there anything to mend. */
export const MEND_MS = 60_000;

/** Heartbeats watch over a run, and the run watches its own time; this is the net below both. */
export const EXPIRE_SECONDS = 12 * 3600;

/** Never reached: every way to hand a task out again has a limit of its own, in judge.ts. */
export const RETRY_LIMIT = 1000;
/** When even saying that a task failed fails. */
export const TELL_AGAIN_MS = 30_000;

/** The history is in our own tables; a small job table keeps fetching fast. */
export const KEEP_ENDED_SECONDS = 24 * 3600;
/** A task that waited this long is nobody's wish any more. */
export const KEEP_QUEUED_SECONDS = 14 * 24 * 3600;

export const POOL_MAX = 5;
/** Of the grace time: so long a run may end by itself, then it is handed over at the end of its turn. */
export const FINISH_SHARE = 0.5;
/** After its signal was aborted, a run has this long to clean up before `stop` returns without it. */
export const UNWIND_MS = 5_000;
