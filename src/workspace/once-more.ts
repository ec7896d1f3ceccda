/** Requests to the forge that break off: most succeed a second later, as octokit takes it too. */
import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "../failure.ts";

const AGAIN_MS = 1_000;

export type Passing = {
  /** Whether an error may be gone a second later; any other is thrown as it is. */
  readonly mayPass: (error: unknown) => boolean;
  /** Said by the TransientError that a second such error becomes. */
  readonly why: string;
};

/** Throws the signal's reason once it is aborted. */
export async function onceMore<T>(
  act: () => Promise<T>,
  { mayPass, why }: Passing,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    signal?.throwIfAborted();
    if (!mayPass(error)) throw error;
  }
  await delay(AGAIN_MS, undefined, signal ? { signal } : {});
  try {
    return await act();
  } catch (error) {
    signal?.throwIfAborted();
    if (!mayPass(error) || error instanceof TransientError) throw error;
    throw new TransientError(why, { cause: error });
  }
}
