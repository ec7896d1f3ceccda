/** Git's smart HTTP at /OWNER/NAME.git through the real `git http-backend`, behind the same tokens as the API. */
import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { refuse, type Need } from "./access.ts";
import { authorOf, readActor, type Actor } from "./auth.ts";
import { gitEnvironment, readRefs } from "./git.ts";
import { applyPush, diffRefs } from "./pushes.ts";
import type { Repo } from "./records.ts";
import { GitHubError } from "./reply.ts";
import type { Sim } from "./sim.ts";
import { hookEnvironment, hooksDir } from "./update-hook.ts";

const GIT_PATH = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/;

const FETCH: Need = { app: { contents: "read" }, person: "read", writes: false };
const PUSH: Need = { app: { contents: "write" }, person: "write", writes: true };

/** Partial clone and fetch by SHA, as github.com serves them; refs/pull/* may be read and never written. */
const BACKEND_CONFIG = {
  "http.receivepack": "true",
  "http.uploadpack": "true",
  "uploadpack.allowFilter": "true",
  "uploadpack.allowAnySHA1InWant": "true",
  "receive.hideRefs": "refs/pull",
  "receive.fsckObjects": "true",
};

export type GitRequest = {
  readonly owner: string;
  readonly name: string;
  readonly verb: string;
  readonly isPush: boolean;
  readonly url: URL;
};

export function readGitRequest(url: URL): GitRequest | null {
  const match = GIT_PATH.exec(url.pathname);
  if (!match) return null;
  const [, owner = "", name = "", verb = ""] = match;
  const isPush = verb === "git-receive-pack" || url.searchParams.get("service") === "git-receive-pack";
  return { owner: decodeURIComponent(owner), name: decodeURIComponent(name), verb, isPush, url };
}

/** Answers the request; `finish` ends the response, or cuts it off for a planned failure. Returns who asked, for the log. */
export async function answerGit(
  sim: Sim,
  git: GitRequest,
  { request, response, finish }: { request: IncomingMessage; response: ServerResponse; finish: () => void },
): Promise<Actor> {
  const entered = enterGit(sim, git, request.headers.authorization);
  if (entered.kind === "refused") {
    response.writeHead(entered.status, {
      "content-type": "text/plain",
      ...(entered.location === undefined ? {} : { location: entered.location }),
      ...(entered.status === 401 ? { "www-authenticate": 'Basic realm="GitHub"' } : {}),
    });
    request.resume();
    response.end(entered.message);
    return { kind: "nobody" };
  }
  const { repo, actor } = entered;
  const run = () => runBackend({ repo, git, actor, request, response });
  if (git.verb !== "git-receive-pack") {
    await run();
    finish();
    return actor;
  }
  await sim.inTurn(repo, async () => {
    const before = await readRefs(repo.gitDir);
    await run();
    await applyPush(sim, { repo, sender: authorOf(sim, actor) }, diffRefs(before, await readRefs(repo.gitDir)));
  });
  // Only now: when `git push` is back, pull requests have followed. GitHub itself is a moment later.
  finish();
  return actor;
}

type Entered =
  | { readonly kind: "entered"; readonly repo: Repo; readonly actor: Actor }
  | { readonly kind: "refused"; readonly status: number; readonly message: string; readonly location?: string };

/** Who asks, and for which repository; else how github.com refuses. */
export function enterGit(sim: Sim, git: GitRequest, authorization: string | undefined): Entered {
  try {
    const actor = readActor(sim, authorization);
    const repo = sim.repo(git.owner, git.name);
    const refusal = repo
      ? refuse(sim, actor, { repo, need: git.isPush ? PUSH : FETCH })
      : new GitHubError(404, "Repository not found.");
    if (repo && !refusal && isFormer(repo, git)) {
      const location = `${sim.url}/${repo.fullName}.git/${git.verb}${git.url.search}`;
      return { ...refused(301, "Moved Permanently"), location };
    }
    if (repo && !refusal) return { kind: "entered", repo, actor };
    // To someone without a name a private repository looks like one that asks for a password.
    if (actor.kind === "nobody") return refused(401, "Authentication required.");
    if (refusal?.status === 404) return refused(404, "Repository not found.");
    if (repo?.isArchived && refusal?.status === 403)
      return refused(403, "This repository was archived so it is read-only.");
    const who = actor.kind === "app" ? sim.app.slug : authorOf(sim, actor).login;
    return refused(refusal?.status ?? 403, `Permission to ${git.owner}/${git.name}.git denied to ${who}.`);
  } catch (error) {
    if (error instanceof GitHubError) return refused(401, "Invalid username or token.");
    throw error;
  }
}

function isFormer(repo: Repo, { owner, name }: GitRequest): boolean {
  return repo.fullName.toLowerCase() !== `${owner}/${name}`.toLowerCase();
}

function refused(status: number, message: string): Extract<Entered, { kind: "refused" }> {
  return { kind: "refused", status, message: `${message}\n` };
}

type Backend = {
  readonly repo: Repo;
  readonly git: GitRequest;
  readonly actor: Actor;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
};

/** CGI: headers first, then the body, which is passed on as it comes. Leaves the response open. */
async function runBackend({ repo, git, actor, request, response }: Backend): Promise<void> {
  const child = spawn("git", ["http-backend"], {
    env: cgiEnvironment({ repo, git, actor, request }),
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve());
  });
  child.stdin.on("error", () => {}); // The backend may answer before it has read everything.
  request.on("error", () => child.kill());
  request.pipe(child.stdin);
  child.stderr.resume();
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    if (head === null) {
      response.write(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) continue;
    writeHead(response, head.subarray(0, end).toString("latin1"));
    if (head.length > end + 4) response.write(head.subarray(end + 4));
    head = null;
  }
  await ended;
  if (head !== null && !response.headersSent) response.writeHead(500);
}

function writeHead(response: ServerResponse, head: string): void {
  let status = 200;
  for (const line of head.split("\r\n")) {
    const colon = line.indexOf(":");
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    if (name.toLowerCase() === "status") status = Number(value.slice(0, 3));
    else response.setHeader(name, value);
  }
  response.writeHead(status);
}

function cgiEnvironment({ repo, git, actor, request }: Omit<Backend, "response">): Record<string, string> {
  const optional = {
    CONTENT_TYPE: request.headers["content-type"],
    CONTENT_LENGTH: request.headers["content-length"],
    HTTP_CONTENT_ENCODING: request.headers["content-encoding"],
    GIT_PROTOCOL: request.headers["git-protocol"],
  };
  return {
    ...gitEnvironment({ ...BACKEND_CONFIG, "core.hooksPath": hooksDir(repo) }),
    ...hookEnvironment(repo, actor),
    GIT_PROJECT_ROOT: repo.gitDir,
    PATH_INFO: `/${git.verb}`,
    GIT_HTTP_EXPORT_ALL: "1",
    REQUEST_METHOD: request.method ?? "GET",
    QUERY_STRING: git.url.search.slice(1),
    REMOTE_USER: "sim",
    REMOTE_ADDR: "127.0.0.1",
    ...Object.fromEntries(
      Object.entries(optional).flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])),
    ),
  };
}
