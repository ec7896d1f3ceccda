/** The App's own doors: its installations, their tokens, and the log of its deliveries. */
import { z } from "zod";
import { notAccessible } from "../access.ts";
import { appJson, installationJson, permissionsJson } from "../json/accounts.ts";
import { pullRepositoryJson } from "../json/repository.ts";
import type { Installation, Permissions, Repo } from "../records.ts";
import { created, GitHubError, noContent, notFound, ok, page, readBody, type Call, type Reply } from "../reply.ts";
import type { Route } from "../router.ts";
import { PermissionMap } from "../seed.ts";
import { randomToken, TOKEN_LIFE_MS } from "../sim.ts";
import type { Delivery } from "../webhooks.ts";

export const appRoutes: readonly Route[] = [
  { method: "GET", pattern: "/app", answer: (call) => asApp(call, () => ok(appJson(call.sim))) },
  { method: "GET", pattern: "/app/installations", answer: listInstallations },
  { method: "GET", pattern: "/app/installations/:id", answer: getInstallation },
  { method: "POST", pattern: "/app/installations/:id/access_tokens", answer: createToken },
  { method: "GET", pattern: "/repos/:owner/:repo/installation", answer: getRepoInstallation },
  { method: "GET", pattern: "/users/:login/installation", answer: getUserInstallation },
  { method: "GET", pattern: "/app/hook/config", answer: getHookConfig },
  { method: "PATCH", pattern: "/app/hook/config", answer: patchHookConfig },
  { method: "GET", pattern: "/app/hook/deliveries", answer: listDeliveries },
  { method: "GET", pattern: "/app/hook/deliveries/:id", answer: getDelivery },
  { method: "POST", pattern: "/app/hook/deliveries/:id/attempts", answer: redeliver },
  { method: "GET", pattern: "/installation/repositories", answer: listRepositories },
  { method: "DELETE", pattern: "/installation/token", answer: revokeToken },
];

function asApp(call: Call, answer: () => Reply): Reply {
  if (call.actor.kind !== "app") throw new GitHubError(401, "A JSON web token could not be decoded");
  return answer();
}

function listInstallations(call: Call): Reply {
  return asApp(call, () =>
    page(
      call,
      call.sim.installations.map((one) => installationJson(call.sim, one)),
    ),
  );
}

function findInstallation(call: Call): Installation {
  const found = call.sim.installations.find((one) => one.id === Number(call.params["id"]));
  if (!found) throw notFound();
  return found;
}

function getInstallation(call: Call): Reply {
  return asApp(call, () => ok(installationJson(call.sim, findInstallation(call))));
}

function getRepoInstallation(call: Call): Reply {
  return asApp(call, () => {
    const repo = call.sim.repo(call.params["owner"] ?? "", call.params["repo"] ?? "");
    const installation = repo ? call.sim.installationOf(repo) : null;
    if (!installation) throw notFound();
    return ok(installationJson(call.sim, installation));
  });
}

function getUserInstallation(call: Call): Reply {
  return asApp(call, () => {
    const login = (call.params["login"] ?? "").toLowerCase();
    const installation = call.sim.installations.find((one) => one.account.login.toLowerCase() === login);
    if (!installation) throw notFound();
    return ok(installationJson(call.sim, installation));
  });
}

const TokenRequest = z.object({
  repositories: z.array(z.string()).optional(),
  repository_ids: z.array(z.number().int()).optional(),
  permissions: z.record(z.string(), z.string()).optional(),
});

function createToken(call: Call): Reply {
  return asApp(call, () => {
    const { sim } = call;
    const installation = findInstallation(call);
    if (installation.suspendedAt) throw new GitHubError(403, "This installation has been suspended");
    const request = readBody(call, TokenRequest);
    const repos = narrowRepos(installation, request);
    const permissions = narrowPermissions(sim.app.permissions, request.permissions);
    const token = randomToken("ghs_");
    const expiresAt = sim.now() + TOKEN_LIFE_MS;
    sim.tokens.set(token, { kind: "installation", installation, repos, permissions, expiresAt });
    const isNarrow = request.repositories !== undefined || request.repository_ids !== undefined;
    return created({
      token,
      expires_at: sim.time(expiresAt),
      permissions: permissionsJson(permissions),
      repository_selection: isNarrow ? "selected" : installation.selection,
      ...(isNarrow ? { repositories: repos.map((repo) => pullRepositoryJson(sim, repo)) } : {}),
    });
  });
}

/** GitHub refuses the whole request when one repository is not part of the installation. */
function narrowRepos(installation: Installation, request: z.output<typeof TokenRequest>): readonly Repo[] {
  const { repositories: names, repository_ids: ids } = request;
  if (!names && !ids) return installation.repos;
  const wanted = [
    ...(names ?? []).map((name) => installation.repos.find((repo) => repo.name.toLowerCase() === name.toLowerCase())),
    ...(ids ?? []).map((id) => installation.repos.find((repo) => repo.id === id)),
  ];
  return wanted.map((repo) => {
    if (repo) return repo;
    throw new GitHubError(
      422,
      "There is at least one repository that does not exist or is not accessible to the parent installation.",
    );
  });
}

function narrowPermissions(held: Permissions, wanted: Readonly<Record<string, string>> | undefined): Permissions {
  if (!wanted) return held;
  const parsed = PermissionMap.safeParse(wanted);
  const isHeld =
    parsed.success &&
    Object.entries(parsed.data).every(([name, grant]) => {
      const has = Object.entries(held).find(([key]) => key === name)?.[1];
      return has === "write" || has === grant;
    });
  if (!parsed.success || !isHeld) {
    throw new GitHubError(422, "The permissions requested are not granted to this installation.");
  }
  return { metadata: "read", ...parsed.data };
}

function listRepositories(call: Call): Reply {
  const { sim, actor } = call;
  if (actor.kind !== "installation")
    throw new GitHubError(
      403,
      "You must authenticate with an installation access token in order to list repositories for an installation.",
    );
  const selection = actor.installation.selection;
  return page(call, actor.repos, (repos) => ({
    total_count: actor.repos.length,
    repository_selection: selection,
    repositories: repos.map((repo) => pullRepositoryJson(sim, repo)),
  }));
}

function revokeToken(call: Call): Reply {
  const { sim, actor } = call;
  if (actor.kind !== "installation") throw notAccessible();
  for (const [text, token] of sim.tokens) if (token === actor) sim.tokens.delete(text);
  return noContent();
}

function hookConfig(call: Call) {
  return { content_type: "json", insecure_ssl: "0", secret: "********", url: call.sim.hooks.url ?? "" };
}

function getHookConfig(call: Call): Reply {
  return asApp(call, () => ok(hookConfig(call)));
}

function patchHookConfig(call: Call): Reply {
  return asApp(call, () => {
    const { url } = readBody(call, z.object({ url: z.url().optional() }));
    if (url) call.sim.hooks.setUrl(url);
    return ok(hookConfig(call));
  });
}

function deliveryJson(delivery: Delivery) {
  return {
    id: delivery.id,
    guid: delivery.guid,
    delivered_at: delivery.deliveredAt,
    redelivery: delivery.redelivery,
    duration: delivery.durationS,
    status: delivery.status ?? "pending",
    status_code: delivery.statusCode,
    event: delivery.event,
    action: delivery.action,
    installation_id: delivery.installationId,
    repository_id: delivery.repositoryId,
    throttled_at: null,
  };
}

/** Newest first; the cursor is the id of the last delivery of the page before. `status` is "success" or "failure", by status code. */
function listDeliveries(call: Call): Reply {
  return asApp(call, () => {
    const perPage = Math.min(100, Math.max(1, Number(call.query.get("per_page") ?? 30) || 30));
    const before = Number((call.query.get("cursor") ?? "").replace(/^v1_/, "")) || Number.POSITIVE_INFINITY;
    const status = call.query.get("status");
    const isAsked = ({ statusCode }: Delivery) => !status || (statusCode < 300 ? "success" : "failure") === status;
    const older = call.sim.hooks.log.filter((one) => one.id < before && isAsked(one)).toReversed();
    const slice = older.slice(0, perPage);
    const last = slice.at(-1);
    const hasMore = older.length > slice.length && last !== undefined;
    const next = `<${call.url}?per_page=${perPage}&cursor=v1_${last?.id}${status ? `&status=${status}` : ""}>; rel="next"`;
    return { status: 200, body: slice.map(deliveryJson), ...(hasMore ? { headers: { link: next } } : {}) };
  });
}

function getDelivery(call: Call): Reply {
  return asApp(call, () => {
    const delivery = call.sim.hooks.log.find((one) => one.id === Number(call.params["id"]));
    if (!delivery) throw notFound();
    return ok({
      ...deliveryJson(delivery),
      url: call.sim.hooks.url ?? "",
      request: { headers: delivery.headers, payload: delivery.payload },
      response: { headers: delivery.response?.headers ?? null, payload: delivery.response?.payload ?? null },
    });
  });
}

function redeliver(call: Call): Reply {
  return asApp(call, () => {
    if (!call.sim.hooks.redeliver(Number(call.params["id"]))) throw notFound();
    return { status: 202, body: {} };
  });
}
