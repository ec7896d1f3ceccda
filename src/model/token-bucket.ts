/** Arithmetic of a limit a minute. Pure: the clock is given. A bucket holds what a minute allows and fills evenly. */

/** `level` may be below zero: what was asked cost more than was thought, and the debt must fill up first. */
export type Bucket = { readonly perMinute: number; readonly level: number; readonly atMs: number };

const MINUTE_MS = 60_000;

export function fullBucket(perMinute: number, nowMs: number): Bucket {
  return { perMinute, level: perMinute, atMs: nowMs };
}

/** As it stands at `nowMs`. A clock that went back fills nothing. */
export function filled(bucket: Bucket, nowMs: number): Bucket {
  const gained = (Math.max(0, nowMs - bucket.atMs) * bucket.perMinute) / MINUTE_MS;
  return { ...bucket, level: Math.min(bucket.perMinute, bucket.level + gained), atMs: nowMs };
}

/** Milliseconds until `amount` is there. What is more than a whole bucket waits for a full one: it would else wait forever. */
export function waitMs(bucket: Bucket, amount: number, nowMs: number): number {
  const { level, perMinute } = filled(bucket, nowMs);
  const lacking = Math.min(amount, perMinute) - level;
  return lacking <= 0 ? 0 : Math.ceil((lacking * MINUTE_MS) / perMinute);
}

/** A negative amount gives back. */
export function take(bucket: Bucket, amount: number, nowMs: number): Bucket {
  const now = filled(bucket, nowMs);
  return { ...now, level: Math.min(now.perMinute, now.level - amount) };
}

/** The vendor knows better when it says less: other processes and other machines ask it too. */
export function observe(bucket: Bucket, left: { limit: number; remaining: number }, nowMs: number): Bucket {
  const now = filled(bucket, nowMs);
  const perMinute = Math.min(now.perMinute, left.limit);
  return { ...now, perMinute, level: Math.min(now.level, left.remaining, perMinute) };
}
