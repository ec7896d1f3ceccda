/** A worker process that takes a task, says so and never ends it: made to be killed. */
import { Queue } from "../../src/queue/queue.ts";
import { openDatabase } from "../../src/store/database.ts";
import { markRunning } from "../../src/store/tasks.ts";

const [url = ""] = process.argv.slice(2);
const database = await openDatabase({ databaseUrl: url, dataDir: "/nowhere" });
const queue = await Queue.open({
  url,
  transaction: (fn) => database.transaction(fn),
  listen: (channel, hear) => database.listen(channel, hear),
  onError: (error) => console.error(error),
  heartbeatSeconds: 10,
});
await queue.work({
  concurrency: 1,
  run: async (id) => {
    console.log(`attempt ${await markRunning(database, id)}`);
    await new Promise(() => {});
  },
  fail: async () => {},
});
