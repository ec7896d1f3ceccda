/** Waiting with a way out, for work that others wait for too. */

/** Rejects with the signal's reason as soon as it is aborted; the work goes on for whoever else waits for it. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted)
    onAbort(); // Not thrown here: the race below is who hears when the work rejects later.
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
