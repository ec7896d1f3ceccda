/** `npm run sim:models -- --port 8788 --script FILE`: prints one line of JSON with the addresses, then serves until stopped. */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { startModels, type Script } from "./models.ts";

const { values } = parseArgs({
  options: { port: { type: "string", default: "0" }, host: { type: "string" }, script: { type: "string" } },
});

/** Without a script every question is answered with "Done.", which is enough to try a connection. */
const script: Script = values.script
  ? JSON.parse(await readFile(values.script, "utf8"))
  : { conversations: [{ name: "any", turns: [] }] };

const port = Number(values.port);
const models = await startModels({ port, script, ...(values.host === undefined ? {} : { host: values.host }) });
const { url, anthropicBaseUrl, openaiBaseUrl, compatibleBaseUrl } = models;
process.stdout.write(`${JSON.stringify({ url, anthropicBaseUrl, openaiBaseUrl, compatibleBaseUrl })}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void models.close());
