/** `npm run chaos -- --seed N [--short | --repos N] [--logs FOLDER]`: plays one seed and judges it. Exit code 1 when something went wrong. */
import { cp } from "node:fs/promises";
import { parseArgs } from "node:util";
import { describe, describeCounts } from "./describe.ts";
import { judge } from "./judge.ts";
import { play } from "./play.ts";
import { FULL, SHORT, shrink } from "./plan.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    short: { type: "boolean", default: false },
    /** Fewer repositories than six: ten tasks each. */
    repos: { type: "string" },
    /** Where the logs of all processes go when something went wrong. */
    logs: { type: "string" },
  },
});
const seed = Number(values.seed);
if (!Number.isSafeInteger(seed)) throw new Error("--seed must be a whole number");

// Its processes would outlive it.
const stopped = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopped.abort());

const size = values.short ? SHORT : values.repos === undefined ? FULL : shrink(FULL, Number(values.repos));
await using stage = await play({ seed, size, say: (line) => console.log(line) }, stopped.signal);
const verdict = await judge(stage);
if (verdict.faults.length === 0) {
  console.log(`seed ${seed}: all right. ${describeCounts(verdict.counts)}`);
} else {
  console.log(await describe(stage, verdict));
  if (values.logs !== undefined) await cp(`${stage.dir}/logs`, values.logs, { recursive: true });
  process.exitCode = 1;
}
