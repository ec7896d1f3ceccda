/** Everything the App said and did on a repository, as one Markdown text to read and to compare. */
import type { GitHub } from "../../sim/github/github.ts";

const BOT = "pullwright[bot]";

export async function describeGitHub(github: GitHub, repository: string, { exact = false } = {}): Promise<string> {
  const ours = <T extends { user?: { login?: string } | null }>(items: readonly T[]) =>
    items.filter((item) => item.user?.login === BOT);
  const sections = [
    ...ours(github.pulls(repository)).map(
      (pull) =>
        `# Pull request ${pull.number}: ${pull.title}\n\n${pull.head.ref} -> ${pull.base.ref}, ${pull.state}${pull.draft ? ", draft" : ""}\n\n${pull.body}`,
    ),
    ...ours(github.comments(repository)).map((comment) => `# Comment\n\n${comment.body}`),
    ...ours(github.reviews(repository)).map((review) => `# Review, ${review.state}\n\n${review.body}`),
    ...ours(github.reviewComments(repository)).map(
      (comment) =>
        `# Review comment on ${comment.path}:${comment.start_line ?? comment.line}-${comment.line}\n\n${comment.body}`,
    ),
    ...github
      .checkRuns(repository)
      .map(
        (check) =>
          `# Check run ${check.name}: ${check.status}, ${check.conclusion}\n\n${check.output.title}\n\n${check.output.summary}`,
      ),
    ...github
      .reactions(repository)
      .filter(({ login }) => login === BOT)
      .map(({ on, content }) => `# Reaction ${content} on ${on}`),
  ];
  const text = `${sections.join("\n\n")}\n`;
  return exact ? text : withoutChance(text);
}

/** What differs from run to run, replaced by its name. */
function withoutChance(text: string): string {
  return text
    .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, "https://github.test")
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "TASK")
    .replaceAll(/\b[0-9a-f]{40}\b/g, "COMMIT")
    .replaceAll(/\b[0-9a-f]{10}\b/g, "COMMIT")
    .replaceAll(/\b\d+(\.\d)? (min \d+ )?s\b/g, "TIME")
    .replaceAll(/\$\d+\.\d+/g, "COST")
    .replaceAll(/\d+( k)? tokens in, \d+( k)? out/g, "N tokens in, N out");
}
