/** A process that uses the embedded server of a data directory until its standard input ends; says how it got it, or why not. */
import { startEmbedded } from "../../src/store/embedded.ts";

const [dataDir = ""] = process.argv.slice(2);
try {
  const { kind, url, release } = await startEmbedded({ dataDir });
  console.log(JSON.stringify({ kind, url }));
  for await (const _ of process.stdin);
  await release();
} catch (error) {
  console.log(JSON.stringify({ kind: "refused", url: String(error) }));
}
