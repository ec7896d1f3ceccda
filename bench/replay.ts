/**
 * `node bench/replay.ts REPO_DIR [--limit N] [--seed S] [--only SHA] [--form NAME] [--show N]`: each small commit of a history, written
 * as models write edits and applied to its parent in memory. The result must be the commit byte for byte; spoiled on purpose, it may be
 * refused, and must never be something else. Each case that breaks this is one line, the first N are shown whole, and it ends with 1.
 */
import { parseArgs } from "node:util";
import { openCensus } from "./replay/census.ts";
import { readHistory } from "./replay/history.ts";
import { PERTURBATIONS, type Perturbation } from "./replay/perturb.ts";
import { FORMS, runTrial, type Form, type Verdict } from "./replay/trial.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    limit: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    form: { type: "string", default: "" },
    show: { type: "string", default: "0" },
  },
});
const [dir] = positionals;
if (dir === undefined)
  throw new Error("usage: node bench/replay.ts REPO_DIR [--limit N] [--seed S] [--only SHA] [--form NAME] [--show N]");

type Tally = Record<Verdict["kind"], number>;
const tallies = new Map<string, Tally>();
const census = openCensus();
const forms = FORMS.filter((form) => form.startsWith(values.form));
let commits = 0;
let broken = 0;
const started = performance.now();

for (const commit of readHistory(dir)) {
  if (commits === Number(values.limit)) break;
  if (!commit.sha.startsWith(values.only)) continue;
  commits += 1;
  for (const change of commit.changes) census.count(change);
  // From the commit and not from its place, so that a case is the same one with --only.
  const seed = Number(values.seed) + Number.parseInt(commit.sha.slice(0, 7), 16);
  for (const form of forms)
    for (const how of PERTURBATIONS) {
      const verdict = runTrial(commit, { form, how, seed });
      tallyOf(form, how)[verdict.kind] += 1;
      tell(`${commit.sha} ${form}, ${how}`, { how, verdict });
    }
}

console.log(`\n${commits} commits in ${((performance.now() - started) / 1000).toFixed(1)} s`);
console.log(`${census.render()}\n`);
console.log(
  "| form | spoiled by | trials | right | refused | WRONG | untold |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |",
);
for (const form of forms) for (const how of PERTURBATIONS) console.log(renderRow(form, how, tallyOf(form, how)));
if (broken > 0) process.exitCode = 1;

function tell(name: string, { how, verdict }: { readonly how: Perturbation; readonly verdict: Verdict }): void {
  const isBroken = verdict.kind === "WRONG" || (verdict.kind === "refused" && how === "clean");
  if (!isBroken) return;
  broken += 1;
  if (verdict.kind === "refused") console.log(`refused ${name}: ${verdict.message.split("\n")[0]}`);
  else console.log(`WRONG ${name}: ${verdict.path}`);
  if (broken > Number(values.show)) return;
  if (verdict.kind === "refused") console.log(`${verdict.message}\n`);
  else console.log(`${verdict.difference}\n\n${verdict.given}\n`);
}

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
