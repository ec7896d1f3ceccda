/** How a local run ended, for a terminal. */
import { unreachable } from "../failure.ts";
import type { Outcome } from "../outcome.ts";

export function renderOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "changed": {
      const files = outcome.files.map((file) => `  ${file.path}  +${file.linesAdded} -${file.linesDeleted}`);
      const checks = outcome.checks.map(
        ({ command, before, after }) => `  ${command}: ${exit(before)} before, ${exit(after)} now`,
      );
      return [
        outcome.title,
        outcome.summary,
        outcome.notDone === "" ? "" : `Not done: ${outcome.notDone}`,
        outcome.ending.kind === "limit" ? `The limit on ${outcome.ending.limit} ended the run.` : "",
        outcome.ending.kind === "stopped" ? `${outcome.ending.by} stopped the run.` : "",
        outcome.opinion === null
          ? ""
          : `Second opinion (${outcome.opinion.model}): ${outcome.opinion.verdict}. ${outcome.opinion.summary}`,
        ...outcome.spend.switches.map((one) => `${one.from} could not go on (${one.reason}); ${one.to} did the rest.`),
        ["Changed, uncommitted:", ...files].join("\n"),
        checks.length === 0 ? "" : ["Checks:", ...checks].join("\n"),
        spend(outcome.spend),
      ]
        .filter((part) => part !== "")
        .join("\n\n");
    }
    case "reviewed":
    case "nothing-changed":
      return `Nothing was changed.\n\n${outcome.summary}\n\n${spend(outcome.spend)}`;
    case "superseded":
      return `Superseded by ${outcome.headSha}`;
    case "refused":
      return `Not done: ${outcome.reason}`;
    case "failed":
      return `Failed: ${outcome.message}`;
    default:
      return unreachable(outcome);
  }
}

function exit(run: { readonly exitCode: number | null } | null): string {
  if (run === null) return "not run";
  return run.exitCode === null ? "killed" : `exit ${run.exitCode}`;
}

function spend({ model, turns, wallMs, usd }: Exclude<Extract<Outcome, { spend: unknown }>["spend"], null>): string {
  return `${model}, ${turns} turns, ${(wallMs / 1000).toFixed(0)} s, $${usd.toFixed(4)}`;
}
