import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import type { Turn } from "../../src/queue/queue.ts";
import { markRunning } from "../../src/store/tasks.ts";
import { openQueueWorld } from "./world.ts";

test("a task whose worker was killed is run again within 30 s, as a new attempt", async () => {
  await using world = await openQueueWorld();
  await using lost = await startWorker(world.database.url);
  const { id } = await world.accept();
  expect(await lost.said()).toBe("attempt 1");

  const again = Promise.withResolvers<{ turn: Turn; attempt: number | null }>();
  await world.queue.work({
    concurrency: 1,
    run: async (taskId, turn) => again.resolve({ turn, attempt: await markRunning(world.database, taskId) }),
    fail: () => Promise.reject(new Error("not expected")),
  });
  const killed = performance.now();
  await lost.kill();
  expect(await again.promise).toMatchObject({ turn: { retryCount: 1 }, attempt: 2 });
  const waitedMs = performance.now() - killed;
  console.info("taken over after %d ms", Math.round(waitedMs));
  expect(waitedMs).toBeLessThan(30_000);
  expect(id).toBeDefined();
});

async function startWorker(url: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "worker.ts"), url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const line = once(createInterface(child.stdout), "line");
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  return { said: async () => String((await line)[0]), kill, [Symbol.asyncDispose]: kill };
}
