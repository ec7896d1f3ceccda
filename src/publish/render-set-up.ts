/** What people are told of a run's set-up and of what its commands could not reach, with the line that would change it. */
import type { EgressDecision, JournalEntry, RecordedEntry } from "../journal.ts";

/** Hosts named to people; a hostile set-up may ask for any number. */
const HOSTS_SHOWN = 10;
/** Only what may stand in the settings is offered for them. */
const NAME = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*$/;
const NOT_LISTED = "not on the list";

type Egress = Extract<JournalEntry, { kind: "egress" }>;

/** "" for a run whose set-up worked and reached all it wanted. */
export function renderSetUp(entries: readonly RecordedEntry[]): string {
  const denied = entries.flatMap(({ entry }) => (entry.kind === "egress" && entry.verdict === "denied" ? [entry] : []));
  const ofPhase = (phase: Egress["phase"]) => denied.filter((entry) => entry.phase === phase);
  const finished = entries.findLast(({ entry }) => entry.kind === "set-up-finished")?.entry;
  return [
    finished?.kind === "set-up-finished" ? renderFailure(finished) : "",
    allowLine("setup", ofPhase("set-up")),
    allowLine("agent", ofPhase("agent")),
  ]
    .filter((text) => text !== "")
    .join("\n\n");
}

function renderFailure({ command }: Extract<JournalEntry, { kind: "set-up-finished" }>): string {
  if (command.exitCode === 0) return "";
  const how = command.exitCode === null ? "was stopped at a limit" : `failed with exit ${command.exitCode}`;
  return `The set-up (${code(command.command)}) ${how}; the agent worked without it.`;
}

/** The refused hosts, and how to allow those that are merely not listed; "" for none. */
export function allowLine(key: "setup" | "agent", denied: readonly EgressDecision[]): string {
  if (denied.length === 0) return "";
  const names = new Set(denied.map(({ host, port, why }) => `${code(port === 0 ? host : `${host}:${port}`)} (${why})`));
  const shown = [...names].slice(0, HOSTS_SHOWN);
  const more = names.size > shown.length ? ` and ${names.size - shown.length} more` : "";
  const what = key === "setup" ? "The set-up" : "The agent";
  const hosts = new Set(denied.flatMap(({ host, why }) => (why === NOT_LISTED && NAME.test(host) ? [host] : [])));
  const line = `network: { ${key}: [${[...hosts].slice(0, HOSTS_SHOWN).join(", ")}] }`;
  const offer = hosts.size === 0 ? "" : ` To allow what it needs, put this into \`.github/agent.yml\`: \`${line}\``;
  return `${what} was refused ${shown.join(", ")}${more}.${offer}`;
}

function code(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").replaceAll("`", "'");
  return `\`${line.length > 200 ? `${line.slice(0, 199)}…` : line}\``;
}
