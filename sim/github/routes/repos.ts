/** Users, repositories and their people; labels of a repository. */
import { z } from "zod";
import { levelOf, notAccessible, openRepo, READ_METADATA } from "../access.ts";
import { permissionJson, publicUserJson } from "../json/accounts.ts";
import { fullRepositoryJson } from "../json/repository.ts";
import { labelJson } from "../json/thread.ts";
import type { Account, Repo } from "../records.ts";
import {
  created,
  GitHubError,
  notFound,
  ok,
  page,
  readBody,
  validationFailed,
  type Call,
  type Reply,
} from "../reply.ts";
import type { Route } from "../router.ts";
import { createLabel, findLabel } from "../threads.ts";

export const repoRoutes: readonly Route[] = [
  { method: "GET", pattern: "/user", answer: getSelf },
  { method: "GET", pattern: "/user/:id", answer: getUserById },
  { method: "GET", pattern: "/users/:login", answer: getUser },
  { method: "GET", pattern: "/repos/:owner/:repo", answer: getRepo },
  { method: "GET", pattern: "/repos/:owner/:repo/collaborators", answer: listCollaborators },
  { method: "GET", pattern: "/repos/:owner/:repo/collaborators/:login/permission", answer: getPermission },
  { method: "GET", pattern: "/repos/:owner/:repo/labels", answer: listLabels },
  { method: "POST", pattern: "/repos/:owner/:repo/labels", answer: postLabel },
];

function getSelf(call: Call): Reply {
  if (call.actor.kind === "person") return ok(publicUserJson(call.sim, call.actor.user));
  if (call.actor.kind === "installation") throw notAccessible();
  throw new GitHubError(401, "Requires authentication");
}

function getUserById(call: Call): Reply {
  return user(call, call.sim.accounts.find((one) => one.id === Number(call.params["id"])) ?? null);
}

function getUser(call: Call): Reply {
  return user(call, call.sim.account(call.params["login"] ?? ""));
}

function user(call: Call, account: Account | null): Reply {
  if (!account) throw notFound();
  return ok(publicUserJson(call.sim, account));
}

function getRepo(call: Call): Reply {
  const repo = openRepo(call, READ_METADATA);
  return ok(fullRepositoryJson(call.sim, repo, rightsOf(call, repo)));
}

function rightsOf(call: Call, repo: Repo): { admin: boolean; push: boolean; pull: boolean } {
  const { actor } = call;
  if (actor.kind === "person") {
    const level = levelOf(repo, actor.user);
    return { admin: level === "admin", push: level === "admin" || level === "write", pull: true };
  }
  // Installation tokens see false here whatever they may do.
  return { admin: false, push: false, pull: actor.kind === "installation" && actor.repos.includes(repo) };
}

/** Only those who may write may ask about people. */
const READ_PEOPLE = { app: { metadata: "read" }, person: "write", writes: false } as const;

function listCollaborators(call: Call): Reply {
  const repo = openRepo(call, READ_PEOPLE);
  const people = call.sim.accounts.filter(
    (one) => one.id === repo.owner.id || repo.collaborators.has(one.login.toLowerCase()),
  );
  return page(
    call,
    people.map((one) => permissionJson(call.sim, one, levelOf(repo, one)).user),
  );
}

/** An unknown user is 404; a known one always has an answer: "read" on a public repository, "none" on a private one. */
function getPermission(call: Call): Reply {
  const repo = openRepo(call, READ_PEOPLE);
  if (call.actor.kind === "nobody") throw new GitHubError(401, "Requires authentication");
  if (call.actor.kind === "installation" && !call.actor.repos.includes(repo)) throw notAccessible();
  const account = call.sim.account(call.params["login"] ?? "");
  if (!account) throw new GitHubError(404, `${call.params["login"]} is not a user`);
  // For a bot as for anyone uninvited: an App's rights are not a collaborator's.
  return ok(permissionJson(call.sim, account, levelOf(repo, account)));
}

function listLabels(call: Call): Reply {
  const repo = openRepo(call, { app: { issues: "read", pull_requests: "read" }, person: "read", writes: false });
  return page(
    call,
    repo.labels.map((label) => labelJson(call.sim, repo, label)),
  );
}

const LabelRequest = z.object({
  name: z.string().min(1),
  color: z
    .string()
    .regex(/^[0-9a-f]{6}$/i)
    .default("ededed"),
  description: z.string().nullable().default(null),
});

function postLabel(call: Call): Reply {
  const repo = openRepo(call, { app: { issues: "write", pull_requests: "write" }, person: "write", writes: true });
  const request = readBody(call, LabelRequest);
  if (findLabel(repo.labels, request.name)) {
    throw validationFailed({ resource: "Label", code: "already_exists", field: "name" });
  }
  return created(labelJson(call.sim, repo, createLabel(call.sim, repo, request)));
}
