/** Outcomes as Markdown for people. Pure text from plain values; what leaves the house is made PublicText by the caller. */
import type { CommandRun } from "../journal.ts";
import type { Check, FileChange, Finding, Outcome, SecondOpinion, Spend } from "../outcome.ts";
import { unreachable } from "../failure.ts";

type Changed = Extract<Outcome, { kind: "changed" }>;
type Reviewed = Extract<Outcome, { kind: "reviewed" }>;

/** Rows a reader still reads; the rest is counted. */
const FILES_SHOWN = 30;
const COMMANDS_SHOWN = 20;

export function renderPullBody(outcome: Changed, closes: number): string {
  return joinSections([
    outcome.summary,
    `Closes #${closes}`,
    outcome.notDone === "" ? "" : `### Not done\n\n${outcome.notDone}`,
    renderEnding(outcome.ending),
    renderSwitches(outcome.spend),
    renderOpinion(outcome.opinion),
    renderEvidence(outcome),
    renderSpend(outcome.spend),
  ]);
}

/** The commit message: the title, the summary, and the asker as co-author (GitHub's trailer and no-reply address). */
export function renderCommitMessage(
  words: { readonly title: string; readonly summary: string },
  asker: { readonly id: number; readonly login: string },
): string {
  const trailer = `Co-authored-by: ${asker.login} <${asker.id}+${asker.login}@users.noreply.github.com>`;
  return [words.title, words.summary, trailer].filter((part) => part !== "").join("\n\n");
}

/** What a `/agent fix` is answered with. */
export function renderFixReply(outcome: Changed): string {
  return joinSections([
    `**${outcome.title}** (${outcome.commit.slice(0, 10)})`,
    outcome.summary,
    outcome.notDone === "" ? "" : `**Not done:** ${outcome.notDone}`,
    renderEnding(outcome.ending),
    renderSwitches(outcome.spend),
    renderOpinion(outcome.opinion),
    renderEvidence(outcome),
  ]);
}

export function renderReviewBody(outcome: Reviewed): string {
  const { inline, elsewhere, leftOut } = outcome;
  const total = inline.length + elsewhere.length + leftOut;
  const count = total === 0 ? "No findings." : `${total} finding${total === 1 ? "" : "s"}, ${inline.length} inline.`;
  return joinSections([
    outcome.summary,
    `${count} Reviewed at ${outcome.headSha.slice(0, 10)}.`,
    ...elsewhere.map((finding) => `**${finding.path}:${finding.startLine}** ${renderFinding(finding)}`),
    leftOut === 0 ? "" : `${leftOut} less severe findings were left out.`,
    renderEnding(outcome.ending),
    renderSpend(outcome.spend),
  ]);
}

/** One finding: severity and title, the reason, and a committable suggestion where there is one. */
export function renderFinding(finding: Finding): string {
  const suggestion = finding.suggestion === null ? "" : fence(finding.suggestion, "suggestion");
  return joinSections([`**${finding.severity}** ${finding.title}`, finding.body, suggestion]);
}

export function renderSpend(spend: Spend): string {
  const tokens = `${count(spend.inputTokens)} tokens in, ${count(spend.outputTokens)} out`;
  return `<sub>${spend.model} · ${spend.turns} turns · ${duration(spend.wallMs)} · ${money(spend.usd)} · ${tokens}</sub>`;
}

/** One digit more for short ones: commands take parts of a second. */
export function duration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Dollars with as many digits as matter: runs cost cents. */
export function money(usd: number): string {
  return `$${usd.toFixed(usd < 0.1 ? 4 : 2)}`;
}

/** A fence longer than any run of backticks in the text, so that the text cannot end it. */
export function fence(text: string, language = ""): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const marks = "`".repeat(longest + 1);
  return `${marks}${language}\n${text.replace(/\n$/, "")}\n${marks}`;
}

function renderEvidence(outcome: Changed): string {
  return joinSections([
    "### Evidence",
    renderChecks(outcome.checks),
    renderFiles(outcome.files),
    renderCommands(outcome.commands),
  ]);
}

function renderChecks(checks: readonly Check[]): string {
  if (checks.length === 0) return "";
  const rows = checks.map(
    ({ command, before, after }) =>
      `| ${code(command)} | ${before === null ? "not run" : exit(before)} | ${exit(after)} |`,
  );
  const table = ["| check | before | after |", "| --- | --- | --- |", ...rows].join("\n");
  return joinSections([table, ...checks.map(({ after }) => renderRun(after))]);
}

function renderFiles(files: readonly FileChange[]): string {
  const shown = files.slice(0, FILES_SHOWN);
  const lines = shown.map((file) => `- ${code(file.path)} ${file.change}, +${file.linesAdded} −${file.linesDeleted}`);
  const rest = files.length - shown.length;
  return details(
    `${files.length} file${files.length === 1 ? "" : "s"} changed`,
    [...lines, ...(rest > 0 ? [`- and ${rest} more`] : [])].join("\n"),
  );
}

function renderCommands(commands: readonly CommandRun[]): string {
  if (commands.length === 0) return "";
  const shown = commands.slice(-COMMANDS_SHOWN);
  const lines = shown.map((run) => `- ${code(run.command)}: ${exit(run)}, ${duration(run.wallMs)}`);
  const cut = commands.length - shown.length;
  return details(
    `${commands.length} command${commands.length === 1 ? "" : "s"} run by the agent`,
    [...(cut > 0 ? [`- ${cut} earlier ones`] : []), ...lines].join("\n"),
  );
}

function renderRun(run: CommandRun): string {
  return details(`Output of ${code(run.command)} after the change`, fence(run.outputTail));
}

function renderEnding(ending: Changed["ending"]): string {
  switch (ending.kind) {
    case "reported":
      return "";
    case "limit":
      return `> [!WARNING]\n> The run reached its limit on ${ending.limit} and handed in what it had.`;
    case "stopped":
      return `> [!NOTE]\n> ${ending.by} stopped the run; this is what it had.`;
    default:
      return unreachable(ending);
  }
}

/** Who wrote it when more than one model did: a reader judges work by its maker. */
function renderSwitches({ switches }: Spend): string {
  const lines = switches.map(
    ({ from, to, turn, reason }) => `> ${from} could not go on at turn ${turn} (${reason}); ${to} did the rest.`,
  );
  return lines.length === 0 ? "" : `> [!NOTE]\n${lines.join("\n")}`;
}

const VERDICTS = {
  approves: "has no objection",
  blocks: "**still objects**",
  none: "gave no verdict",
} as const;

function renderOpinion(opinion: SecondOpinion | null): string {
  if (opinion === null) return "";
  const { model, verdict, round, summary, findings } = opinion;
  const rounds = round === 1 ? "" : ` (round ${round})`;
  const list = findings.map(
    (one) => `- **${one.severity}** ${code(`${one.path}:${one.startLine}`)} ${one.title}: ${one.body}`,
  );
  return joinSections(["### Second opinion", `${model} ${VERDICTS[verdict]}${rounds}: ${summary}`, list.join("\n")]);
}

function exit(run: CommandRun): string {
  return run.exitCode === null ? "killed" : run.exitCode === 0 ? "exit 0" : `**exit ${run.exitCode}**`;
}

/** Inline code on one line; a command may hold backticks and newlines. */
export function code(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, " ⏎ ").replaceAll("|", "\\|");
  const cut = line.length > 120 ? `${line.slice(0, 119)}…` : line;
  return cut.includes("`") ? `\`\` ${cut} \`\`` : `\`${cut}\``;
}

/** Folded away. Code spans of the summary are kept. */
export function details(summary: string, body: string): string {
  const plain = summary.replaceAll(/`([^`]*)`/g, "<code>$1</code>");
  return `<details><summary>${plain}</summary>\n\n${body}\n\n</details>`;
}

/** Markdown sections with a blank line between them, empty ones left out. */
export function joinSections(sections: readonly string[]): string {
  return sections.filter((section) => section.trim() !== "").join("\n\n");
}

function count(tokens: number): string {
  return tokens < 10_000 ? String(tokens) : `${Math.round(tokens / 1000)} k`;
}
