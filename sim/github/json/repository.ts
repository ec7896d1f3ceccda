/** A repository as the API, the webhooks and the push event show it. */
import type { components } from "@octokit/openapi-types";
import type { Repo } from "../records.ts";
import { nodeId, type Sim } from "../sim.ts";
import { noreplyEmail, userJson } from "./accounts.ts";

type Schemas = components["schemas"];
/** `custom_properties` is in every answer and not in this schema. */
export type RepositoryJson = Schemas["repository"] & { readonly custom_properties: Readonly<Record<string, unknown>> };

export function repoApiUrl(sim: Sim, repo: Repo): string {
  return `${sim.apiUrl}/repos/${repo.fullName}`;
}

export function repoHtmlUrl(sim: Sim, repo: Repo): string {
  return `${sim.url}/${repo.fullName}`;
}

function repoUrls(sim: Sim, repo: Repo) {
  const api = repoApiUrl(sim, repo);
  const html = repoHtmlUrl(sim, repo);
  const host = new URL(sim.url).host;
  return {
    url: api,
    html_url: html,
    archive_url: `${api}/{archive_format}{/ref}`,
    assignees_url: `${api}/assignees{/user}`,
    blobs_url: `${api}/git/blobs{/sha}`,
    branches_url: `${api}/branches{/branch}`,
    collaborators_url: `${api}/collaborators{/collaborator}`,
    comments_url: `${api}/comments{/number}`,
    commits_url: `${api}/commits{/sha}`,
    compare_url: `${api}/compare/{base}...{head}`,
    contents_url: `${api}/contents/{+path}`,
    contributors_url: `${api}/contributors`,
    deployments_url: `${api}/deployments`,
    downloads_url: `${api}/downloads`,
    events_url: `${api}/events`,
    forks_url: `${api}/forks`,
    git_commits_url: `${api}/git/commits{/sha}`,
    git_refs_url: `${api}/git/refs{/sha}`,
    git_tags_url: `${api}/git/tags{/sha}`,
    hooks_url: `${api}/hooks`,
    issue_comment_url: `${api}/issues/comments{/number}`,
    issue_events_url: `${api}/issues/events{/number}`,
    issues_url: `${api}/issues{/number}`,
    keys_url: `${api}/keys{/key_id}`,
    labels_url: `${api}/labels{/name}`,
    languages_url: `${api}/languages`,
    merges_url: `${api}/merges`,
    milestones_url: `${api}/milestones{/number}`,
    notifications_url: `${api}/notifications{?since,all,participating}`,
    pulls_url: `${api}/pulls{/number}`,
    releases_url: `${api}/releases{/id}`,
    stargazers_url: `${api}/stargazers`,
    statuses_url: `${api}/statuses/{sha}`,
    subscribers_url: `${api}/subscribers`,
    subscription_url: `${api}/subscription`,
    tags_url: `${api}/tags`,
    teams_url: `${api}/teams`,
    trees_url: `${api}/git/trees{/sha}`,
    git_url: `git://${host}/${repo.fullName}.git`,
    ssh_url: `git@${host}:${repo.fullName}.git`,
    clone_url: `${html}.git`,
    svn_url: html,
  };
}

export function repositoryJson(sim: Sim, repo: Repo): RepositoryJson {
  const open = repo.threads.filter((thread) => thread.state === "open").length;
  const forks = sim.repos.filter((other) => other.forkOf === repo).length;
  return {
    id: repo.id,
    node_id: nodeId("R", repo.id),
    name: repo.name,
    full_name: repo.fullName,
    private: repo.isPrivate,
    owner: userJson(sim, repo.owner),
    description: null,
    fork: repo.forkOf !== null,
    ...repoUrls(sim, repo),
    created_at: repo.createdAt,
    updated_at: repo.pushedAt,
    pushed_at: repo.pushedAt,
    homepage: null,
    size: 0,
    stargazers_count: 0,
    watchers_count: 0,
    language: null,
    has_issues: true,
    has_projects: true,
    has_downloads: true,
    has_wiki: true,
    has_pages: false,
    has_discussions: false,
    forks_count: forks,
    mirror_url: null,
    archived: repo.isArchived,
    disabled: false,
    open_issues_count: open,
    license: null,
    allow_forking: true,
    is_template: false,
    web_commit_signoff_required: false,
    topics: [],
    custom_properties: {},
    visibility: repo.isPrivate ? "private" : "public",
    forks,
    open_issues: open,
    watchers: 0,
    default_branch: repo.defaultBranch,
  } satisfies RepositoryJson;
}

/** The head and base of a pull request say more than a webhook's `repository`. */
export function pullRepositoryJson(sim: Sim, repo: Repo): RepositoryJson {
  return { ...repositoryJson(sim, repo), ...MERGE_SETTINGS };
}

const MERGE_SETTINGS = {
  allow_squash_merge: true,
  allow_merge_commit: true,
  allow_rebase_merge: true,
  allow_auto_merge: false,
  delete_branch_on_merge: false,
  allow_update_branch: false,
  use_squash_pr_title_as_default: false,
  squash_merge_commit_message: "COMMIT_MESSAGES",
  squash_merge_commit_title: "COMMIT_OR_PR_TITLE",
  merge_commit_message: "PR_TITLE",
  merge_commit_title: "MERGE_MESSAGE",
} satisfies Partial<RepositoryJson>;

export function fullRepositoryJson(
  sim: Sim,
  repo: Repo,
  permissions: { admin: boolean; push: boolean; pull: boolean },
): Schemas["full-repository"] {
  const base = pullRepositoryJson(sim, repo);
  const parent = repo.forkOf ? repositoryJson(sim, repo.forkOf) : null;
  const { temp_clone_token: _token, ...rest } = base;
  return {
    ...rest,
    has_discussions: false,
    pushed_at: repo.pushedAt,
    created_at: repo.createdAt,
    updated_at: repo.pushedAt,
    permissions: { ...permissions, maintain: permissions.admin, triage: permissions.push },
    subscribers_count: 1,
    network_count: base.forks_count,
    ...(parent ? { parent, source: parent } : {}),
  } satisfies Schemas["full-repository"];
}

/** The push event is older than the rest: Unix times, an HTML `url`, an owner with a name. */
export function pushRepositoryJson(sim: Sim, repo: Repo): Readonly<Record<string, unknown>> {
  const seconds = (time: string) => Math.floor(Date.parse(time) / 1000);
  return {
    ...repositoryJson(sim, repo),
    url: repoHtmlUrl(sim, repo),
    owner: { name: repo.owner.login, email: noreplyEmail(repo.owner), ...userJson(sim, repo.owner) },
    created_at: seconds(repo.createdAt),
    pushed_at: seconds(repo.pushedAt),
    stargazers: 0,
    master_branch: repo.defaultBranch,
  };
}
