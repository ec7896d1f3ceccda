/** A worker process whose runs are empty: it begins and ends each task in the database, and says when. URL CONCURRENCY */
import { openDatabase } from "../../src/store/database.ts";
import { finishTask, markRunning } from "../../src/store/tasks.ts";
import { clock, openBenchQueue } from "./world.ts";

const [url = "", concurrency = "1"] = process.argv.slice(2);
const database = await openDatabase({ databaseUrl: url, dataDir: "/nowhere" });
const queue = await openBenchQueue(database);
process.once("SIGTERM", () => {
  void queue.stop({ graceMs: 5_000 }).then(() => database.close());
});
await queue.work({
  concurrency: Number(concurrency),
  run: async (taskId) => {
    const startedAt = clock();
    const attempt = await markRunning(database, taskId);
    if (attempt !== null) await finishTask(database, { taskId, attempt, state: "succeeded" });
    console.log(startedAt);
  },
  fail: async (taskId, message) => console.error(taskId, message),
});
console.log("ready");
