/** A process of its own that asks one question through a batch and waits: to be killed while it does. */
import { openDatabase } from "../../src/store/database.ts";
import { openBatchAt, type Vendor } from "./batches.ts";
import { askWith, user } from "./transcripts.ts";

const [vendor, baseUrl = "", databaseUrl = ""] = process.argv.slice(2);
const database = await openDatabase({ databaseUrl, dataDir: "/nowhere" });
const known: Vendor = vendor === "openai" ? "openai" : "anthropic";
const model = openBatchAt(known, baseUrl, database);
await model.reply(askWith([user("Hi")], { cacheKey: "run-1" }), new AbortController().signal);
await database.close();
