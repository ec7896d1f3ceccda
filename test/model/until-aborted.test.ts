import { setImmediate as settled } from "node:timers/promises";
import { expect, test } from "vitest";
import { untilAborted } from "../../src/model/until-aborted.ts";

test("a wait that was over before it began still hears when its work fails", async () => {
  const unheard: unknown[] = [];
  const listen = (error: unknown) => unheard.push(error);
  process.on("unhandledRejection", listen);
  try {
    const work = Promise.withResolvers<never>();
    const reason = new Error("the worker stops");
    await expect(untilAborted(work.promise, AbortSignal.abort(reason))).rejects.toBe(reason);
    work.reject(new Error("the batch was given up"));
    await settled();
    expect(unheard).toEqual([]);
  } finally {
    process.off("unhandledRejection", listen);
  }
});
