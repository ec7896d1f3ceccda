/**
 * `node bench/replay.ts REPO_DIR [--limit N] [--seed S] [--show N]`: each small commit of a repository's history, written as models
 * write edits and applied to its parent in memory. The result must be the commit byte for byte; spoiled on purpose, it may be refused,
 * and must never be something else. Ends with 1 when it was.
 */
import { parseArgs } from "node:util";
import { readHistory } from "./replay/history.ts";
import { PERTURBATIONS, type Perturbation } from "./replay/perturb.ts";
import { FORMS, runTrial, type Form, type Verdict } from "./replay/trial.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    limit: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    show: { type: "string", default: "5" },
  },
});
const [dir] = positionals;
if (dir === undefined) throw new Error("usage: node bench/replay.ts REPO_DIR [--limit N] [--seed S] [--show N]");

type Tally = Record<Verdict["kind"], number>;
const tallies = new Map<string, Tally>();
let commits = 0;
let shown = 0;
const started = performance.now();

for (const commit of readHistory(dir)) {
  if (commits === Number(values.limit)) break;
  commits += 1;
  for (const form of FORMS)
    for (const how of PERTURBATIONS) {
      const verdict = runTrial(commit, { form, how, seed: Number(values.seed) + commits });
      const tally = tallyOf(form, how);
      tally[verdict.kind] += 1;
      const isBad = verdict.kind === "WRONG" || (how === "clean" && verdict.kind === "refused");
      if (!isBad || shown === Number(values.show)) continue;
      shown += 1;
      console.log(`${verdict.kind} ${commit.sha} ${form}, ${how}\n${verdict.message}\n`);
    }
}

console.log(`${commits} commits in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
console.log(
  "| form | spoiled by | trials | right | refused | WRONG | untold |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |",
);
for (const form of FORMS) for (const how of PERTURBATIONS) console.log(renderRow(form, how, tallyOf(form, how)));
if ([...tallies.values()].some(({ WRONG }) => WRONG > 0)) process.exitCode = 1;

function tallyOf(form: Form, how: Perturbation): Tally {
  const key = `${form}, ${how}`;
  const tally = tallies.get(key) ?? { right: 0, refused: 0, WRONG: 0, untold: 0 };
  tallies.set(key, tally);
  return tally;
}

function renderRow(form: Form, how: Perturbation, { right, refused, WRONG, untold }: Tally): string {
  const trials = right + refused + WRONG;
  const share = (count: number) => (trials === 0 ? "-" : `${count} (${((100 * count) / trials).toFixed(2)} %)`);
  return `| ${form} | ${how} | ${trials} | ${share(right)} | ${share(refused)} | ${WRONG} | ${untold} |`;
}
