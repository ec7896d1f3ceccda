/** Issues and the labels on them; on a pull request the same doors lead to its conversation. */
import { z } from "zod";
import { levelOf, openRepo, openThread } from "../access.ts";
import { authorOf } from "../auth.ts";
import { emitThread } from "../events.ts";
import { issueJson, labelJson } from "../json/thread.ts";
import type { Repo, Thread } from "../records.ts";
import { created, GitHubError, ok, page, readBody, type Call, type Reply } from "../reply.ts";
import type { Route } from "../router.ts";
import { addLabels, addThread, announceLabels, attachLabels, removeLabel, setLabels, setState } from "../threads.ts";

const AT = "/repos/:owner/:repo/issues";

export const issueRoutes: readonly Route[] = [
  { method: "GET", pattern: AT, answer: listIssues },
  { method: "POST", pattern: AT, answer: postIssue },
  { method: "GET", pattern: `${AT}/:number`, answer: getIssue },
  { method: "PATCH", pattern: `${AT}/:number`, answer: patchIssue },
  { method: "GET", pattern: `${AT}/:number/labels`, answer: getLabels },
  { method: "POST", pattern: `${AT}/:number/labels`, answer: postLabels },
  { method: "PUT", pattern: `${AT}/:number/labels`, answer: putLabels },
  { method: "DELETE", pattern: `${AT}/:number/labels/:name`, answer: deleteLabel },
  { method: "POST", pattern: `${AT}/:number/assignees`, answer: postAssignees },
];

function listIssues(call: Call): Reply {
  const repo = openRepo(call, { app: { issues: "read", pull_requests: "read" }, person: "read", writes: false });
  const state = call.query.get("state") ?? "open";
  const labels = (call.query.get("labels") ?? "").split(",").filter(Boolean);
  const creator = call.query.get("creator");
  const since = call.query.get("since");
  const found = repo.threads
    .filter((thread) => state === "all" || thread.state === state)
    .filter((thread) => labels.every((name) => thread.labels.some((label) => label.name === name)))
    .filter((thread) => creator === null || thread.author.login === creator)
    .filter((thread) => since === null || Date.parse(thread.updatedAt) >= Date.parse(since));
  const newestFirst = call.query.get("direction") === "asc" ? found : found.toReversed();
  return page(call, newestFirst, (slice) => slice.map((thread) => issueJson(call.sim, repo, thread)));
}

const LabelName = z.union([z.string(), z.object({ name: z.string() }).transform((label) => label.name)]);

const IssueRequest = z.object({
  title: z.union([z.string().min(1), z.number().transform(String)]),
  body: z.string().nullable().default(null),
  labels: z.array(LabelName).default([]),
});

async function postIssue(call: Call): Promise<Reply> {
  const { sim, actor } = call;
  const repo = openRepo(call, { app: { issues: "write" }, person: "read", writes: true });
  const request = readBody(call, IssueRequest);
  const author = authorOf(sim, actor);
  const viaApp = actor.kind === "installation";
  // In turn, so that a pull request that is being opened keeps the number its head stands under.
  const opened = { repo, author, viaApp, title: request.title, body: request.body };
  const thread = await sim.inTurn(repo, async () => addThread(sim, opened, null));
  // Labels of those who may not set them are dropped without a word.
  const labels = mayTriage(call, repo) ? attachLabels(sim, { repo, thread }, request.labels) : [];
  emitThread(sim, { repo, thread, sender: author, action: "opened" });
  announceLabels(sim, { repo, thread, sender: author }, labels);
  return created(issueJson(sim, repo, thread));
}

function mayTriage({ actor }: Call, repo: Repo): boolean {
  if (actor.kind !== "person") return true;
  const level = levelOf(repo, actor.user);
  return level === "admin" || level === "write";
}

function getIssue(call: Call): Reply {
  const { repo, thread } = openThread(call, "read");
  return ok(issueJson(call.sim, repo, thread));
}

const IssueChange = z.object({
  title: z.string().min(1).optional(),
  body: z.string().nullable().optional(),
  state: z.enum(["open", "closed"]).optional(),
  state_reason: z.enum(["completed", "not_planned", "reopened", "duplicate"]).nullable().optional(),
  labels: z.array(LabelName).optional(),
});

function patchIssue(call: Call): Reply {
  const { sim } = call;
  const { repo, thread } = openThread(call, "write");
  requireAuthorOrWriter(call, repo, thread);
  const change = readBody(call, IssueChange);
  const sender = authorOf(sim, call.actor);
  editText(call, { repo, thread }, change);
  if (change.labels) setLabels(sim, { repo, thread, sender }, change.labels);
  if (change.state)
    setState(sim, { repo, thread, sender }, { state: change.state, reason: change.state_reason ?? null });
  return ok(issueJson(sim, repo, thread));
}

export function requireAuthorOrWriter(call: Call, repo: Repo, thread: Thread): void {
  if (call.actor.kind === "person" && thread.author === call.actor.user) return;
  if (!mayTriage(call, repo)) throw new GitHubError(403, "Must have write rights to Repository.");
}

/** Sends one "edited" with what stood there before. */
export function editText(
  call: Call,
  { repo, thread }: { readonly repo: Repo; readonly thread: Thread },
  change: { readonly title?: string | undefined; readonly body?: string | null | undefined },
): void {
  const changes: Record<string, { from: string }> = {};
  if (change.title !== undefined && change.title !== thread.title) {
    changes["title"] = { from: thread.title };
    thread.title = change.title;
  }
  if (change.body !== undefined && change.body !== thread.body) {
    changes["body"] = { from: thread.body ?? "" };
    thread.body = change.body;
  }
  if (Object.keys(changes).length === 0) return;
  thread.updatedAt = call.sim.time();
  const sender = authorOf(call.sim, call.actor);
  emitThread(call.sim, { repo, thread, sender, action: "edited" }, { changes });
}

function labelsReply(call: Call, repo: Repo, thread: Thread): Reply {
  return ok(thread.labels.map((label) => labelJson(call.sim, repo, label)));
}

function getLabels(call: Call): Reply {
  const { repo, thread } = openThread(call, "read");
  return page(call, thread.labels, (slice) => slice.map((label) => labelJson(call.sim, repo, label)));
}

/** Either { labels: [...] } or the bare list. */
const LabelsRequest = z.union([
  z.object({ labels: z.array(LabelName) }).transform((request) => request.labels),
  z.array(LabelName),
]);

function postLabels(call: Call): Reply {
  const { repo, thread } = openThread(call, "write", "write");
  addLabels(call.sim, { repo, thread, sender: authorOf(call.sim, call.actor) }, readBody(call, LabelsRequest));
  return labelsReply(call, repo, thread);
}

function putLabels(call: Call): Reply {
  const { repo, thread } = openThread(call, "write", "write");
  setLabels(call.sim, { repo, thread, sender: authorOf(call.sim, call.actor) }, readBody(call, LabelsRequest));
  return labelsReply(call, repo, thread);
}

function deleteLabel(call: Call): Reply {
  const { repo, thread } = openThread(call, "write", "write");
  const sender = authorOf(call.sim, call.actor);
  if (!removeLabel(call.sim, { repo, thread, sender }, call.params["name"] ?? "")) {
    throw new GitHubError(404, "Label does not exist");
  }
  return labelsReply(call, repo, thread);
}

function postAssignees(call: Call): Reply {
  const { repo, thread } = openThread(call, "write", "write");
  const { assignees } = readBody(call, z.object({ assignees: z.array(z.string()) }));
  for (const login of assignees) {
    const account = call.sim.account(login);
    if (account && !thread.assignees.includes(account)) thread.assignees.push(account);
  }
  return created(issueJson(call.sim, repo, thread));
}
