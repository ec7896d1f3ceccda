/** Tasks, deliveries and runs as lines for a terminal. Pure text. */
import type { JournalEntry, Observation, RecordedEntry, ReplyPart } from "../journal.ts";
import { unreachable } from "../failure.ts";

/** Columns padded to their widest cell, the last one left as it is. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("  ");
  return all.map(line).join("\n");
}

/** A run as a person follows it: one line or a short block for each entry, with the seconds since its start. */
export function renderRun(entries: readonly RecordedEntry[]): string {
  const startedAt = entries[0]?.at ?? 0;
  return entries
    .map(({ at, entry }) => {
      const text = renderEntry(entry);
      return text === "" ? "" : `${((at - startedAt) / 1000).toFixed(1).padStart(7)}s  ${text}`;
    })
    .filter((line) => line !== "")
    .join("\n");
}

/** "" for an entry that says nothing a reader has not seen. */
export function renderEntry(entry: JournalEntry): string {
  switch (entry.kind) {
    case "started":
      return `started: ${entry.goal}, attempt ${entry.attempt}: ${oneLine(entry.title)}`;
    case "workspace-ready":
      return `workspace at ${entry.headSha.slice(0, 10)}, guidance: ${entry.guidance.join(", ") || "none"}`;
    case "egress":
      return `${entry.phase} ${entry.verdict === "allowed" ? "reached" : `was ${entry.verdict}`} ${entry.host}:${entry.port}${entry.why === "" ? "" : `: ${entry.why}`}`;
    case "set-up-finished":
      return `set-up${entry.isCached ? " from the cache" : ""} ${exit(entry.command)}`;
    case "briefed":
      return `briefed ${entry.model}, prompt ${entry.promptHash}, ${entry.brief.length} characters`;
    case "model-replied":
      return `turn ${entry.turn}: ${entry.parts.map(renderPart).filter(Boolean).join("; ") || entry.stop} [$${entry.costUsd.toFixed(4)}]`;
    case "tool-called":
      return ""; // Its reply has named it, its observation follows.
    case "tool-observed":
      return `  ${entry.tool}${entry.observation.isError ? " refused" : ""}: ${entry.command ? exit(entry.command) : oneLine(entry.observation.text)}${renderImages(entry.observation)}`;
    case "plan-updated":
      return `plan: ${entry.steps.map(({ step, status }) => `${MARKS[status]} ${step}`).join(", ")}`;
    case "steered":
      return `${entry.by === undefined ? "told the model" : `${entry.by} says`}: ${oneLine(entry.text)}`;
    case "sub-agent":
      return indent(renderEntry(entry.entry), `    ${entry.id} | `);
    case "second-opinion":
      return `second opinion, round ${entry.round}, ${entry.model}: ${entry.verdict}, ${entry.findings.length} findings: ${oneLine(entry.summary)}`;
    case "estimated":
      return `${entry.runs} earlier runs of this kind cost $${entry.medianUsd.toFixed(4)} each, the dearest $${entry.highUsd.toFixed(4)}`;
    case "verified":
      return `check ${exit(entry.command)}`;
    case "model-retried":
      return `asking ${entry.model} again in ${entry.waitMs} ms: ${oneLine(entry.reason)}`;
    case "published":
      return `published ${entry.role}: ${entry.url}`;
    case "finished":
      return `finished: ${entry.outcome.kind}${"message" in entry.outcome ? `: ${oneLine(entry.outcome.message)}` : ""}`;
    default:
      return renderTurning(entry);
  }
}

/** Where a run kept what it had, went on from it, or took another way. */
type Turning = Extract<
  JournalEntry,
  {
    kind:
      | ("cleared" | "images-dropped" | "summarised" | "compacted" | "model-switched")
      | ("checkpointed" | "checkpoint-missed" | "resumed" | "restarted");
  }
>;

function renderTurning(entry: Turning): string {
  switch (entry.kind) {
    case "cleared":
      return `old output cleared at ${entry.tokens} tokens`;
    case "images-dropped":
      return `images taken out of the conversation: ${oneLine(entry.reason)}`;
    case "summarised":
      return `summary by ${entry.model}: ${oneLine(entry.text)} [$${entry.costUsd.toFixed(4)}]`;
    case "compacted":
      return `compacted at ${entry.tokens} tokens`;
    case "model-switched":
      return `${entry.from} cannot go on (${entry.reason}); ${entry.to} does`;
    case "checkpointed":
      return `  tree ${entry.tree.slice(0, 10)} kept: ${entry.bytes} bytes in ${(entry.wallMs / 1000).toFixed(1)} s`;
    case "checkpoint-missed":
      return `  tree not kept: ${oneLine(entry.why)}`;
    case "resumed":
      return `resumed at turn ${entry.turn} by attempt ${entry.attempt}`;
    case "restarted":
      return `started over by attempt ${entry.attempt}: ${oneLine(entry.why)}`;
    default:
      return unreachable(entry);
  }
}

/** The text has said what they are; their bytes are in `show --json`. */
function renderImages({ images = [] }: Observation): string {
  return images.map(({ base64 }) => ` (${Math.ceil((base64.length * 3) / 4096)} KiB)`).join("");
}

const MARKS = { pending: "·", in_progress: "▸", completed: "✓" } as const;

function renderPart(part: ReplyPart): string {
  switch (part.kind) {
    case "text":
      return oneLine(part.text);
    case "thinking":
      return "";
    case "call":
      return `${part.call.tool} ${oneLine(typeof part.call.input === "string" ? part.call.input : JSON.stringify(part.call.input))}`;
    default:
      return unreachable(part);
  }
}

function indent(text: string, head: string): string {
  return text.replaceAll(/^(?=.)/gm, head);
}

function exit(run: { readonly command: string; readonly exitCode: number | null; readonly wallMs: number }): string {
  return `${oneLine(run.command)}: ${run.exitCode === null ? "killed" : `exit ${run.exitCode}`} in ${(run.wallMs / 1000).toFixed(1)} s`;
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > 140 ? `${line.slice(0, 139)}…` : line;
}
