/** Users, the App and its installations as the API shows them. */
import type { components } from "@octokit/openapi-types";
import type { Account, Installation, Level, Permissions } from "../records.ts";
import { nodeId, type Sim } from "../sim.ts";

type Schemas = components["schemas"];
export type UserJson = Schemas["simple-user"];

const APP_EVENTS = [
  "check_run",
  "check_suite",
  "issue_comment",
  "issues",
  "pull_request",
  "pull_request_review",
  "pull_request_review_comment",
  "pull_request_review_thread",
  "push",
];

export function userJson(sim: Sim, account: Account): UserJson {
  // A bot's login has brackets, which GitHub writes percent-encoded in URLs.
  const url = `${sim.apiUrl}/users/${encodeURIComponent(account.login)}`;
  const page = account.type === "Bot" ? `apps/${account.login.replace(/\[bot\]$/, "")}` : account.login;
  return {
    login: account.login,
    id: account.id,
    node_id: nodeId(account.type === "Organization" ? "O" : account.type === "Bot" ? "BOT" : "U", account.id),
    avatar_url: `${sim.url}/avatars/u/${account.id}?v=4`,
    gravatar_id: "",
    url,
    html_url: `${sim.url}/${page}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type: account.type,
    user_view_type: "public",
    site_admin: false,
  } satisfies UserJson;
}

export function publicUserJson(sim: Sim, account: Account): Schemas["public-user"] {
  const { name: _name, email: _email, ...simple } = userJson(sim, account);
  return {
    ...simple,
    name: account.login,
    company: null,
    blog: "",
    location: null,
    email: null,
    hireable: null,
    bio: null,
    twitter_username: null,
    public_repos: sim.repos.filter((repo) => repo.owner === account && !repo.isPrivate).length,
    public_gists: 0,
    followers: 0,
    following: 0,
    created_at: account.createdAt,
    updated_at: account.createdAt,
  } satisfies Schemas["public-user"];
}

export function noreplyEmail(account: Account): string {
  return `${account.id}+${account.login}@users.noreply.github.com`;
}

export function permissionJson(
  sim: Sim,
  account: Account,
  level: Level,
): Schemas["repository-collaborator-permission"] {
  const canPush = level === "write" || level === "admin";
  const canPull = level !== "none";
  return {
    permission: level,
    role_name: level,
    user: {
      ...userJson(sim, account),
      permissions: {
        admin: level === "admin",
        maintain: level === "admin",
        push: canPush,
        triage: canPush,
        pull: canPull,
      },
      role_name: level,
    },
  } satisfies Schemas["repository-collaborator-permission"];
}

export type AppJson = NonNullable<Schemas["integration"]>;

export function appJson(sim: Sim): AppJson {
  const { app } = sim;
  return {
    id: app.id,
    client_id: `Iv1.${app.id.toString(16).padStart(16, "0")}`,
    slug: app.slug,
    node_id: nodeId("A", app.id),
    owner: userJson(sim, app.owner),
    name: app.slug,
    description: "",
    external_url: "https://example.com",
    html_url: `${sim.url}/apps/${app.slug}`,
    created_at: app.createdAt,
    updated_at: app.createdAt,
    permissions: permissionsJson(app.permissions),
    events: APP_EVENTS,
  } satisfies AppJson;
}

export function installationJson(sim: Sim, installation: Installation): Schemas["installation"] {
  const api = `${sim.apiUrl}/app/installations/${installation.id}`;
  return {
    id: installation.id,
    account: userJson(sim, installation.account),
    repository_selection: installation.selection,
    access_tokens_url: `${api}/access_tokens`,
    repositories_url: `${sim.apiUrl}/installation/repositories`,
    html_url: `${sim.url}/settings/installations/${installation.id}`,
    app_id: sim.app.id,
    app_slug: sim.app.slug,
    target_id: installation.account.id,
    target_type: installation.account.type,
    permissions: permissionsJson(sim.app.permissions),
    events: APP_EVENTS,
    created_at: installation.createdAt,
    updated_at: installation.createdAt,
    single_file_name: null,
    has_multiple_single_files: false,
    single_file_paths: [],
    suspended_by: null,
    suspended_at: installation.suspendedAt,
  } satisfies Schemas["installation"];
}

/** Absent and undefined are one thing here; JSON drops both. */
export function permissionsJson(permissions: Permissions): Record<string, "read" | "write"> {
  return Object.fromEntries(Object.entries(permissions).filter(([, grant]) => grant !== undefined));
}
