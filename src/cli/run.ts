/** `run`: a task in the checkout one stands in. No GitHub, no database; the journal is a file. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../failure.ts";
import { readSettings } from "../settings.ts";
import { carryOut, findCheckout, localRunsDir, withRunLock } from "./local-run.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: "boolean", default: false }, review: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const task = positionals.join(" ").trim();
  if (task === "") throw new UserError('usage: pullwright run [--json] [--review] "what to do"');
  const settings = readSettings();
  const root = findCheckout(process.cwd());
  const id = new Date().toISOString().replaceAll(/[:.]/g, "-");
  const path = join(localRunsDir(settings), `${id}.jsonl`);
  const { json: asJson, review: wantsOpinion } = values;
  return withRunLock(path, () => carryOut(settings, { id, path, root, task, wantsOpinion, written: [], asJson }));
}
