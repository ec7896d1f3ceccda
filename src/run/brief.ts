/**
 * The first message to the model, built from named sections. Only Task and Guidance may instruct; the rest is data, each piece
 * labelled with what its author may do, with everything a human reader would not see taken out.
 */
import { fence } from "../publish/render.ts";
import { visibleText } from "../policy/visible-text.ts";
import type { Guidance } from "./guidance.ts";

/** Characters of diff in a brief; a larger change is read by the agent with git, file by file. */
const DIFF_CHARS_MAX = 120_000;
/** Characters of one comment; a pasted log is cut, its author can point to what matters. */
const TEXT_CHARS_MAX = 20_000;
/** The newest comments are the ones that count. */
const COMMENTS_MAX = 40;

/** Whose words: "us" is what we said earlier, such as a finding that is now to be fixed. */
export type Rights = "insider" | "outsider" | "us";

export type BriefText = { readonly author: string; readonly rights: Rights; readonly body: string };

export type BriefParts = {
  /** Our own words: what is to be done. */
  readonly task: string;
  readonly guidance: Guidance;
  readonly thread: {
    readonly kind: "issue" | "pull request";
    readonly number: number;
    readonly title: string;
    readonly text: BriefText;
  } | null;
  readonly comments: readonly BriefText[];
  /** A review thread that the command was typed into. */
  readonly place: { readonly path: string; readonly line: number | null; readonly hunk: string } | null;
  readonly diff: string | null;
  readonly checks: readonly { readonly command: string; readonly exitCode: number | null }[];
};

export function renderBrief(parts: BriefParts): string {
  return [
    `# Task\n\n${parts.task}`,
    renderGuidance(parts.guidance),
    renderChecks(parts.checks),
    parts.thread ? renderThread(parts.thread) : "",
    parts.place ? renderPlace(parts.place) : "",
    renderComments(parts.comments),
    parts.diff === null ? "" : renderDiff(parts.diff),
  ]
    .filter((section) => section !== "")
    .join("\n\n");
}

export function renderGuidance({ files, unread }: Guidance): string {
  if (files.length === 0 && unread.length === 0) return "";
  const texts = files.map(
    (file) => `## ${file.path}\n\n${file.text.trim()}${file.isCut ? "\n\n[cut at the size limit]" : ""}`,
  );
  const rest = unread.length === 0 ? [] : [`Not shown; read it before you edit below its folder: ${unread.join(", ")}`];
  return ["# Guidance", ...texts, ...rest].join("\n\n");
}

function renderChecks(checks: BriefParts["checks"]): string {
  if (checks.length === 0) return "";
  const lines = checks.map(
    ({ command, exitCode }) => `- \`${command}\`: ${exitCode === null ? "killed" : `exit ${exitCode}`}`,
  );
  return `# Checks before your work\n\nThe host runs these again when you are done.\n\n${lines.join("\n")}`;
}

function renderThread(thread: NonNullable<BriefParts["thread"]>): string {
  const title = visible(thread.title);
  return `# Data: ${thread.kind} #${thread.number}\n\n${quote(thread.text, `Title: ${title}\n\n${visible(thread.text.body)}`)}`;
}

function renderPlace(place: NonNullable<BriefParts["place"]>): string {
  const where = place.line === null ? place.path : `${place.path}:${place.line}`;
  return `# Data: the review thread's place\n\n${where}\n\n${fence(place.hunk, "diff")}`;
}

function renderComments(comments: readonly BriefText[]): string {
  if (comments.length === 0) return "";
  const shown = comments.slice(-COMMENTS_MAX);
  const cut = comments.length - shown.length;
  const note = cut === 0 ? [] : [`${cut} earlier comments are left out.`];
  return ["# Data: comments", ...note, ...shown.map((comment) => quote(comment, visible(comment.body)))].join("\n\n");
}

function renderDiff(diff: string): string {
  const isCut = diff.length > DIFF_CHARS_MAX;
  const note = isCut ? "\n\nThe diff is longer and was cut here: read the rest with git." : "";
  return `# Data: the change\n\n${fence(diff.slice(0, DIFF_CHARS_MAX), "diff")}${note}`;
}

/** A fence that the text cannot end, under a line that says whose words they are. */
function quote(text: BriefText, body: string): string {
  return `By ${text.author} (${RIGHTS[text.rights]}):\n\n${fence(body)}`;
}

function visible(body: string): string {
  const { text, removed } = visibleText(body);
  const cut = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}\n[cut]` : text;
  return removed.length === 0 ? cut : `${cut}\n[removed, since no reader sees it: ${removed.join(", ")}]`;
}

const RIGHTS: Readonly<Record<Rights, string>> = {
  insider: "has write access",
  outsider: "an outsider",
  us: "your own words",
};
