/** What stands on GitHub when a play has ended: each thing once, and nothing that is nobody's. */
import { execa } from "execa";
import type { Fault } from "./judge.ts";
import { fullName } from "./people.ts";
import type { Case } from "./plan.ts";
import type { Stage } from "./play.ts";
import type { Records, TaskRecord } from "./records.ts";
import { traceOf } from "./script.ts";

type Look = { readonly stage: Stage; readonly records: Records };

export async function judgeThreads(stage: Stage, records: Records): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const task of records.tasks) {
    const it = stage.plan.cases.find(({ name }) => name === task.name);
    if (!it) continue;
    const found = await judgeCase({ stage, records }, it, task);
    faults.push(...found.map((what) => ({ what, task: task.id })));
  }
  for (let repo = 0; repo < stage.plan.size.repos; repo++) faults.push(...(await judgeRepo({ stage, records }, repo)));
  return faults;
}

async function judgeCase(look: Look, it: Case, task: TaskRecord): Promise<string[]> {
  const faults = judgeProgress(look, it, task);
  if (task.state !== "succeeded") return faults;
  const undone = task.publications.filter(({ state }) => state !== "done");
  if (undone.length > 0) faults.push(`not done: ${undone.map(({ role }) => role).join(", ")}`);
  switch (it.goal) {
    case "implement":
      return [...faults, ...(await judgeImplemented(look, it, task))];
    case "fix":
      return [...faults, ...(await judgeFixed(look, it, task))];
    case "review":
      return [...faults, ...judgeReviewed(look, it, task)];
  }
}

/** One comment that is kept up to date, or for a review one check run. */
function judgeProgress({ stage: { github } }: Look, { repo, goal }: Case, task: TaskRecord): string[] {
  if (goal === "review") {
    const checks = github.checkRuns(fullName(repo)).filter(({ external_id }) => external_id?.startsWith(task.id));
    if (checks.length === 1 && checks[0]?.status === "completed") return [];
    // A task that was given up before it had begun has no commit to show itself at.
    if (checks.length === 0 && task.state === "failed") return [];
    return [`${checks.length} check runs: ${checks.map(({ status }) => status).join(", ")}`];
  }
  const comments = github.comments(fullName(repo)).filter(({ body }) => body?.includes(`pullwright:${task.id}:`));
  if (comments.length !== 1) return [`${comments.length} comments`];
  const [comment] = comments;
  const isOnItsThread = comment?.issue_url.endsWith(`/${task.request.thread.number}`);
  return isOnItsThread ? [] : ["its comment is on another thread"];
}

async function judgeImplemented({ stage }: Look, it: Case, task: TaskRecord): Promise<string[]> {
  const faults: string[] = [];
  const repo = fullName(it.repo);
  const closes = new RegExp(`[Cc]loses #${task.request.thread.number}\\b`);
  const pulls = stage.github.pulls(repo).filter(({ body }) => closes.test(body ?? ""));
  const [pull] = pulls;
  if (!pull || pulls.length !== 1) return [`${pulls.length} pull requests`];
  if (pull.draft) faults.push("its pull request is a draft");
  const commits = await git(stage, it, ["rev-list", `main..${pull.head.ref}`]);
  if (commits.length !== 1) faults.push(`${commits.length} commits on ${pull.head.ref}`);
  const trace = traceOf(it);
  const changed = await git(stage, it, ["diff", "--name-only", `main...${pull.head.ref}`]);
  if (changed.join() !== trace.path) faults.push(`its pull request changes ${changed.join(", ")}`);
  return [...faults, ...(await judgeTrace(stage, it, pull.head.ref))];
}

async function judgeFixed({ stage }: Look, it: Case, task: TaskRecord): Promise<string[]> {
  const pull = stage.github.pulls(fullName(it.repo)).find(({ number }) => number === task.request.thread.number);
  if (!pull) return ["its pull request is gone"];
  const { path } = traceOf(it);
  const commits = await git(stage, it, ["rev-list", pull.head.ref, "--", path]);
  const faults = commits.length === 1 ? [] : [`${commits.length} commits with its change on ${pull.head.ref}`];
  return [...faults, ...(await judgeTrace(stage, it, pull.head.ref))];
}

/** A command that ran twice, or was lost, shows in the file it wrote to. */
async function judgeTrace(stage: Stage, it: Case, branch: string): Promise<string[]> {
  const { path, text } = traceOf(it);
  const { stdout } = await execa("git", ["show", `${branch}:${path}`], {
    ...{ cwd: stage.github.gitDir(fullName(it.repo)), reject: false, stripFinalNewline: false },
  });
  return stdout === text ? [] : [`${path} is ${JSON.stringify(stdout)}`];
}

function judgeReviewed({ stage: { github } }: Look, it: Case, task: TaskRecord): string[] {
  const repo = fullName(it.repo);
  const reviews = github
    .reviews(repo, task.request.thread.number)
    .filter(({ body }) => body.includes(`pullwright:${task.id}:`));
  const remarks = github
    .reviewComments(repo, task.request.thread.number)
    .filter(({ pull_request_review_id }) => reviews.some(({ id }) => id === pull_request_review_id));
  const faults = reviews.length === 1 ? [] : [`${reviews.length} reviews`];
  return remarks.length === 1 ? faults : [...faults, `${remarks.length} remarks`];
}

/** Every comment, review, branch, commit and pull request of ours belongs to a task. */
async function judgeRepo({ stage, records }: Look, repo: number): Promise<Fault[]> {
  const { github, plan } = stage;
  const name = fullName(repo);
  const faults: string[] = [];
  const isOurs = ({ user }: { user: { type: string } | null }) => user?.type === "Bot";
  const tasks = records.tasks.filter((task) => `${task.request.repo.owner}/${task.request.repo.name}` === name);
  const bodies = [...github.comments(name), ...github.reviews(name)].filter(isOurs).map(({ body }) => body ?? "");
  const strange = bodies.filter((body) => !tasks.some(({ id }) => body.includes(`pullwright:${id}:`)));
  faults.push(...strange.map((body) => `words of ours that belong to no task: ${body}`));
  const issues = tasks.filter(({ goal }) => goal === "implement");
  const ours = github.pulls(name).filter(isOurs);
  if (ours.length > issues.length) faults.push(`${ours.length} pull requests of ours for ${issues.length} issues`);

  const of = { repo } as Case;
  const branches = await git(stage, of, ["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
  const people = plan.threads
    .filter((thread) => thread.repo === repo && thread.kind !== "issue")
    .map((thread) => thread.name);
  const known = new Set(["main", ...people, ...ours.map(({ head }) => head.ref)]);
  const unknown = branches.filter((branch) => !known.has(branch));
  // A task that was given up between its push and its pull request leaves its branch, whose work its comment tells of.
  const given = issues
    .filter(({ state }) => state === "failed")
    .map(({ request }) => `agent/${request.thread.number}-`);
  const stray = unknown.filter((branch) => !given.some((start) => branch.startsWith(start)));
  if (stray.length > 0) faults.push(`branches that belong to nothing: ${stray.join(", ")}`);
  for (const thread of plan.threads.filter((one) => one.repo === repo && one.kind === "draft")) {
    for (const step of thread.steps) {
      if (step.kind !== "push") continue;
      const commits = await git(stage, of, ["rev-list", thread.name, "--", step.file]);
      if (commits.length !== 1) faults.push(`${commits.length} commits of a person's push on ${thread.name}`);
    }
  }
  const main = await git(stage, of, ["rev-list", "main"]);
  if (main.length !== 1) faults.push(`main has ${main.length} commits`);
  return faults.map((what) => ({ what: `${name}: ${what}`, task: null }));
}

async function git({ github }: Stage, { repo }: Pick<Case, "repo">, args: readonly string[]): Promise<string[]> {
  const { stdout } = await execa("git", [...args], { cwd: github.gitDir(fullName(repo)) });
  return stdout.split("\n").filter((line) => line !== "");
}
