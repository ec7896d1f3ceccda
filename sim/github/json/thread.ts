/** Issues, their labels, comments and reactions as the API and the webhooks show them. */
import type { components } from "@octokit/openapi-types";
import { levelOf } from "../access.ts";
import { isPull, nodeId, type Sim } from "../sim.ts";
import {
  REACTIONS,
  type Account,
  type Comment,
  type Label,
  type Reaction,
  type Repo,
  type Thread,
} from "../records.ts";
import { appJson, userJson } from "./accounts.ts";
import { repoApiUrl, repoHtmlUrl } from "./repository.ts";

type Schemas = components["schemas"];
export type Association = Schemas["author-association"];

/** GitHub counts an organization's people as MEMBER; here everyone invited is a COLLABORATOR. */
export function associationOf(repo: Repo, account: Account): Association {
  if (account.id === repo.owner.id) return "OWNER";
  if (repo.collaborators.has(account.login.toLowerCase()) && levelOf(repo, account) !== "none") return "COLLABORATOR";
  const contributed = repo.threads.some((thread) => thread.author === account && thread.pull?.merged);
  return contributed ? "CONTRIBUTOR" : "NONE";
}

export function labelJson(sim: Sim, repo: Repo, label: Label): Schemas["label"] {
  return {
    id: label.id,
    node_id: nodeId("LA", label.id),
    url: `${repoApiUrl(sim, repo)}/labels/${encodeURIComponent(label.name)}`,
    name: label.name,
    color: label.color,
    default: false,
    description: label.description,
  } satisfies Schemas["label"];
}

export function reactionJson(sim: Sim, reaction: Reaction): Schemas["reaction"] {
  return {
    id: reaction.id,
    node_id: nodeId("REA", reaction.id),
    user: userJson(sim, reaction.user),
    content: reaction.content,
    created_at: reaction.createdAt,
  } satisfies Schemas["reaction"];
}

export function rollupJson(url: string, reactions: readonly Reaction[]): Schemas["reaction-rollup"] {
  const counts = new Map(REACTIONS.map((content) => [content, 0]));
  for (const { content } of reactions) counts.set(content, (counts.get(content) ?? 0) + 1);
  const count = (content: Reaction["content"]) => counts.get(content) ?? 0;
  return {
    url: `${url}/reactions`,
    total_count: reactions.length,
    "+1": count("+1"),
    "-1": count("-1"),
    laugh: count("laugh"),
    hooray: count("hooray"),
    confused: count("confused"),
    heart: count("heart"),
    rocket: count("rocket"),
    eyes: count("eyes"),
  } satisfies Schemas["reaction-rollup"];
}

export function threadHtmlUrl(sim: Sim, repo: Repo, thread: Thread): string {
  return `${repoHtmlUrl(sim, repo)}/${thread.pull ? "pull" : "issues"}/${thread.number}`;
}

export function issueJson(sim: Sim, repo: Repo, thread: Thread) {
  const url = `${repoApiUrl(sim, repo)}/issues/${thread.number}`;
  return {
    url,
    repository_url: repoApiUrl(sim, repo),
    labels_url: `${url}/labels{/name}`,
    comments_url: `${url}/comments`,
    events_url: `${url}/events`,
    html_url: threadHtmlUrl(sim, repo, thread),
    id: thread.id,
    node_id: nodeId(thread.pull ? "PR" : "I", thread.pull?.id ?? thread.id),
    number: thread.number,
    title: thread.title,
    user: userJson(sim, thread.author),
    labels: thread.labels.map((label) => labelJson(sim, repo, label)),
    state: thread.state,
    locked: false,
    assignee: thread.assignees[0] ? userJson(sim, thread.assignees[0]) : null,
    assignees: thread.assignees.map((account) => userJson(sim, account)),
    milestone: null,
    comments: repo.comments.filter((comment) => comment.thread === thread).length,
    created_at: thread.createdAt,
    updated_at: thread.updatedAt,
    closed_at: thread.closedAt,
    author_association: associationOf(repo, thread.author),
    active_lock_reason: null,
    ...(isPull(thread) ? { draft: thread.pull.draft, pull_request: pullLinks(sim, repo, thread) } : {}),
    body: thread.body,
    closed_by: thread.closedBy ? userJson(sim, thread.closedBy) : null,
    reactions: rollupJson(url, thread.reactions),
    timeline_url: `${url}/timeline`,
    performed_via_github_app: thread.viaApp ? appJson(sim) : null,
    state_reason: thread.stateReason,
  } satisfies Schemas["issue"];
}

function pullLinks(sim: Sim, repo: Repo, thread: Thread) {
  const html = threadHtmlUrl(sim, repo, thread);
  return {
    url: `${repoApiUrl(sim, repo)}/pulls/${thread.number}`,
    html_url: html,
    diff_url: `${html}.diff`,
    patch_url: `${html}.patch`,
    merged_at: thread.pull?.merged?.at ?? null,
  };
}

export function commentJson(sim: Sim, repo: Repo, comment: Comment) {
  const api = repoApiUrl(sim, repo);
  const url = `${api}/issues/comments/${comment.id}`;
  return {
    url,
    html_url: `${threadHtmlUrl(sim, repo, comment.thread)}#issuecomment-${comment.id}`,
    issue_url: `${api}/issues/${comment.thread.number}`,
    id: comment.id,
    node_id: nodeId("IC", comment.id),
    user: userJson(sim, comment.author),
    created_at: comment.createdAt,
    updated_at: comment.updatedAt,
    author_association: associationOf(repo, comment.author),
    body: comment.body,
    reactions: rollupJson(url, comment.reactions),
    performed_via_github_app: comment.viaApp ? appJson(sim) : null,
  } satisfies Schemas["issue-comment"];
}
