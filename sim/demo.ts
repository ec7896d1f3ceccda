/** `npm run demo`: the whole product on one machine, from a labelled issue to a reviewed and mended pull request. */
import { execa } from "execa";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Octokit } from "octokit";
import { openLog, openStore, startServer, startWorker, type Store } from "../src/main.ts";
import { renderEntry } from "../src/ops/tables.ts";
import { readSettings } from "../src/settings.ts";
import { JOURNAL_CHANNEL, readRun } from "../src/store/journal.ts";
import { listTasks, type StoredTask } from "../src/store/tasks.ts";
import { startGitHub, type GitHub } from "./github/github.ts";
import { startModels } from "./models/models.ts";
import { heading, printQuoted, shorten } from "./demo-print.ts";

const REPO = { owner: "acme", repo: "tickover" };
const NAME = `${REPO.owner}/${REPO.repo}`;
/** A real model on a real repository may take its time; the script never needs it. */
const TASK_MS_MAX = 40 * 60_000;

const { values } = parseArgs({ options: { repo: { type: "string" }, issue: { type: "string" } } });
const hasKey = Boolean(process.env["ANTHROPIC_API_KEY"] || process.env["OPENAI_API_KEY"]);
if (Boolean(values.repo) !== Boolean(values.issue)) fail("--repo DIR and --issue FILE go together.");
if (values.repo && !hasKey) fail("--repo needs a real model: set ANTHROPIC_API_KEY or OPENAI_API_KEY.");

console.log(
  hasKey
    ? "A real model does the work (its vendor is paid). Stand-in: GitHub. Real: git, PostgreSQL, sandbox, processes."
    : "A script plays the model. Stand-ins: GitHub and the model vendor. Real: git, PostgreSQL, sandbox, processes.",
);
await using stack = new AsyncDisposableStack();
const dataDir = await mkdtemp(join(tmpdir(), "pullwright-demo-"));
stack.defer(() => rm(dataDir, { recursive: true, force: true }));
await chmod(dataDir, 0o711); // As root, PostgreSQL and the sandbox run as users of their own and must pass through.
const { github, store } = await open();
const ada = new Octokit({
  auth: github.tokenFor("ada"),
  baseUrl: github.apiUrl,
  throttle: { enabled: false },
}).rest;
stack.use(await followAloud());

const issue = await readIssue();
heading(`ada opens an issue and labels it "agent"`);
printQuoted(`# ${issue.title}\n\n${issue.body}`);
const opened = await ada.issues.create({ ...REPO, ...issue });
await ada.issues.addLabels({ ...REPO, issue_number: opened.data.number, labels: ["agent"] });
const solved = await ended(1);
await printThread("the progress comment on the issue", opened.data.number);
if (solved.state !== "succeeded") fail("The task did not succeed.");

const [pull] = (await ada.pulls.list({ ...REPO, state: "open" })).data;
if (!pull) fail("There is no pull request.");
heading(`the pull request: ${pull.title} (${pull.head.ref} into ${pull.base.ref}${pull.draft ? ", draft" : ""})`);
printQuoted(pull.body ?? "");
heading("its diff");
console.log(await showDiff(`${pull.base.sha}...${pull.head.sha}`));

heading("ada comments: /agent review");
await ada.issues.createComment({ ...REPO, issue_number: pull.number, body: "/agent review" });
await ended(2);
const review = (await ada.pulls.listReviews({ ...REPO, pull_number: pull.number })).data.at(-1);
heading("the review");
printQuoted(review?.body ?? "(no review)");
const comments = (await ada.pulls.listReviewComments({ ...REPO, pull_number: pull.number })).data;
for (const comment of comments) {
  console.log(`\n  ${comment.path}:${comment.line ?? "?"}`);
  printQuoted(comment.body);
}

const [finding] = comments;
if (finding) {
  heading("ada answers the finding: /agent fix");
  await ada.pulls.createReplyForReviewComment({
    ...REPO,
    pull_number: pull.number,
    comment_id: finding.id,
    body: "/agent fix",
  });
  await ended(3);
  const head = (await ada.pulls.get({ ...REPO, pull_number: pull.number })).data.head.sha;
  heading("the new commit on the pull request's branch");
  console.log(await showDiff(`${pull.head.sha}...${head}`));
  const replies = (await ada.pulls.listReviewComments({ ...REPO, pull_number: pull.number })).data;
  heading("the reply in the thread");
  printQuoted(replies.at(-1)?.body ?? "");
}
heading("what it cost");
const [spent] = await store.database.query<{ usd: number; calls: number }>(
  "SELECT sum(cost_usd) AS usd, count(*) AS calls FROM pullwright.ledger",
);
console.log(
  `${spent?.calls ?? 0} model calls, $${(spent?.usd ?? 0).toFixed(4)}${hasKey ? "" : " at list prices, had the model been real"}`,
);

async function open(): Promise<{ github: GitHub; store: Store }> {
  const github = stack.use(
    await startGitHub({
      seed: {
        users: [{ login: "ada" }, { login: "acme", type: "Organization" }],
        repositories: [
          {
            owner: "acme",
            name: "tickover",
            private: true,
            files: await repositoryFiles(),
            collaborators: { ada: "write" },
          },
        ],
      },
    }),
  );
  const settings = readSettings({
    ...process.env,
    ...(hasKey ? {} : await scriptedModel()),
    APP_ID: String(github.appId),
    PRIVATE_KEY: github.privateKey,
    WEBHOOK_SECRET: github.webhookSecret,
    GITHUB_API_URL: github.apiUrl,
    DATABASE_URL: "",
    PULLWRIGHT_DATA: dataDir,
    PULLWRIGHT_LOG: process.env["PULLWRIGHT_LOG"] ?? "warn",
    PORT: "0",
  });
  const log = openLog(settings);
  const store = stack.use(await openStore(settings, log));
  const server = await startServer(settings, store, log);
  stack.defer(() => server.close());
  await startWorker(settings, store, log);
  github.setWebhookUrl(`${server.url}${settings.webhookPath}`);
  return { github, store };
}

async function scriptedModel(): Promise<Record<string, string>> {
  const script = JSON.parse(await readFile(new URL("./demo-script.json", import.meta.url), "utf8"));
  const models = await startModels({ script });
  stack.defer(() => models.close());
  return {
    ANTHROPIC_API_KEY: "demo",
    ANTHROPIC_BASE_URL: models.anthropicBaseUrl,
    // Two vendors: one's model writes, the other's reviews.
    OPENAI_API_KEY: "demo",
    OPENAI_BASE_URL: models.openaiBaseUrl,
    PULLWRIGHT_MODEL: "",
    PULLWRIGHT_REVIEWER: "",
  };
}

/** The demo's own project, or the tracked files of the repository that was named. */
async function repositoryFiles(): Promise<string> {
  if (values.repo === undefined) return new URL("./demo-project", import.meta.url).pathname;
  const dir = join(dataDir, "repo");
  await execa("git", ["-C", values.repo, "checkout-index", "--all", `--prefix=${dir}/`]);
  return dir;
}

async function readIssue(): Promise<{ title: string; body: string }> {
  const path = values.issue ?? new URL("./demo-issue.md", import.meta.url).pathname;
  const [title = "", ...body] = (await readFile(path, "utf8")).trim().split("\n");
  return { title: title.replace(/^#+\s*/, ""), body: body.join("\n").trim() };
}

/** Prints each journal entry as it becomes durable. */
async function followAloud(): Promise<AsyncDisposable> {
  const seen = new Map<string, number>();
  let printing = Promise.resolve();
  const print = async () => {
    for (const task of (await listTasks(store.database, { limit: 10 })).toReversed()) {
      const run = { taskId: task.id, attempt: task.attempt, after: seen.get(task.id) ?? 0 };
      for (const { seq, entry } of await readRun(store.database, run)) {
        seen.set(task.id, seq);
        const line = renderEntry(entry);
        if (line !== "") console.log(`  ${shorten(line)}`);
      }
    }
  };
  const unlisten = await store.database.listen(JOURNAL_CHANNEL, () => {
    printing = printing.then(print);
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await unlisten();
      await printing;
    },
  };
}

/** Waits for the newest of `count` tasks to end; the journal's announcements say when to look. */
async function ended(count: number): Promise<StoredTask> {
  const giveUpAt = Date.now() + TASK_MS_MAX;
  for (;;) {
    const tasks = await listTasks(store.database, { limit: 10 });
    const [newest] = tasks;
    if (tasks.length >= count && newest && newest.state !== "queued" && newest.state !== "running") return newest;
    if (Date.now() > giveUpAt) fail(`The task did not end within ${TASK_MS_MAX / 60_000} minutes.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function printThread(title: string, number: number): Promise<void> {
  heading(title);
  for (const comment of (await ada.issues.listComments({ ...REPO, issue_number: number })).data)
    printQuoted(comment.body ?? "");
}

async function showDiff(range: string): Promise<string> {
  const { stdout } = await execa("git", ["--git-dir", github.gitDir(NAME), "diff", "--color=never", range]);
  return stdout;
}

function fail(message: string): never {
  console.error(`demo: ${message}`);
  process.exit(1);
}
