/** The listener: reads a request, lets a planned failure have it, authenticates, routes, answers with GitHub's headers, logs. */
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { nameOf, readActor, type Actor } from "./auth.ts";
import type { Failures } from "./failures.ts";
import { answerGit, readGitRequest } from "./git-http.ts";
import { answerLfs } from "./lfs-http.ts";
import { GitHubError, notFound, type Reply } from "./reply.ts";
import { createRouter, type Router } from "./router.ts";
import { appRoutes } from "./routes/app.ts";
import { checkRoutes } from "./routes/checks.ts";
import { codeRoutes } from "./routes/code.ts";
import { commentRoutes } from "./routes/comments.ts";
import { issueRoutes } from "./routes/issues.ts";
import { mergeRoutes } from "./routes/merge.ts";
import { pullRoutes } from "./routes/pulls.ts";
import { repoRoutes } from "./routes/repos.ts";
import { reviewCommentRoutes } from "./routes/review-comments.ts";
import { reviewRoutes } from "./routes/reviews.ts";
import { ruleRoutes } from "./routes/rules.ts";
import { type Sim } from "./sim.ts";

/** GitHub refuses larger API requests too. */
const BODY_BYTES_MAX = 10_000_000;
const HOURLY_LIMIT = 5000;
const HOUR_S = 3600;

export type RequestLog = {
  readonly method: string;
  /** Path and query as asked, "/api/v3" included. */
  readonly path: string;
  readonly status: number;
  /** A login, "app SLUG" or "anonymous". */
  readonly actor: string;
};

export type GraphqlAnswer = (sim: Sim, actor: Actor, body: unknown) => Promise<Reply>;
type Parts = {
  readonly sim: Sim;
  readonly failures: Failures;
  readonly log: RequestLog[];
  readonly graphql: GraphqlAnswer;
  /** What GET /_sim/state shows. */
  readonly state: () => unknown;
};
type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly url: URL };

export function createListener(parts: Parts): (request: IncomingMessage, response: ServerResponse) => void {
  // Order matters: "/issues/comments" would else be an issue called "comments".
  const router = createRouter([
    ...appRoutes,
    ...commentRoutes,
    ...issueRoutes,
    ...reviewCommentRoutes,
    ...reviewRoutes,
    ...mergeRoutes,
    ...pullRoutes,
    ...checkRoutes,
    ...codeRoutes,
    ...ruleRoutes,
    ...repoRoutes,
  ]);
  const meter = createMeter(parts.sim);
  return (request, response) => {
    const url = new URL(request.url ?? "/", parts.sim.url);
    answer({ ...parts, router, meter }, { request, response, url }).catch((error: unknown) => {
      // A defect of the stand-in: say so where whoever wrote the test will see it.
      console.error("sim/github:", request.method, request.url, error);
      if (!response.headersSent) response.writeHead(500);
      response.end(JSON.stringify({ message: "sim/github failed", error: String(error) }));
    });
  };
}

type Server = Parts & { readonly router: Router; readonly meter: Meter };

async function answer(server: Server, exchange: Exchange): Promise<void> {
  const { request, response, url } = exchange;
  const method = request.method ?? "GET";
  await server.failures.playInterlude(method, url.pathname);
  const failure = server.failures.take(method, url.pathname);
  const log = (status: number, actor: string) =>
    server.log.push({ method, path: url.pathname + url.search, status, actor });
  if (failure?.when === "before") {
    request.resume();
    log(failure.status, "failNext");
    return fail(response, failure);
  }
  const git = readGitRequest(url);
  if (git) {
    const finish = () => (failure ? void response.socket?.destroy() : void response.end());
    const actor = await answerGit(server.sim, git, { request, response, finish });
    log(response.statusCode, nameOf(server.sim, actor));
    return;
  }
  const asker = await answerLfs(server.sim, exchange);
  if (asker) return void log(response.statusCode, nameOf(server.sim, asker));
  const { reply, actor } = await answerApi(server, { method, url, request });
  const name = actor ? nameOf(server.sim, actor) : "anonymous";
  log(failure?.status ?? reply.status, name);
  if (failure) return fail(response, failure);
  write(response, { reply, request, limits: server.meter(name) });
}

function fail(response: ServerResponse, failure: ReturnType<Failures["take"]> & {}): void {
  if (failure.dropConnection) {
    response.socket?.destroy();
    return;
  }
  response.writeHead(failure.status, { "content-type": "application/json; charset=utf-8", ...failure.headers });
  response.end(JSON.stringify(failure.body));
}

type Asked = { readonly method: string; readonly url: URL; readonly request: IncomingMessage };

async function answerApi(
  server: Server,
  asked: Asked,
): Promise<{ readonly reply: Reply; readonly actor: Actor | null }> {
  let actor: Actor | null = null;
  try {
    const body = await readJson(asked.request);
    if (asked.url.pathname === "/_sim/state") return { reply: { status: 200, body: server.state() }, actor };
    actor = readActor(server.sim, asked.request.headers.authorization);
    if (asked.url.pathname === "/api/graphql") return { reply: await server.graphql(server.sim, actor, body), actor };
    return { reply: await route(server, { ...asked, actor, body }), actor };
  } catch (error) {
    if (error instanceof GitHubError) return { reply: { status: error.status, body: error.body }, actor };
    throw error;
  }
}

async function route(
  { sim, router }: Server,
  { method, url, request, actor, body }: Asked & { readonly actor: Actor; readonly body: unknown },
): Promise<Reply> {
  if (!url.pathname.startsWith("/api/v3/")) throw notFound();
  const asked = url.pathname.slice("/api/v3".length);
  const path = byName(sim, asked);
  if (path === "/rate_limit") return rateLimit(sim);
  const match = router(method, path);
  if (!match) throw notFound();
  return match.answer({
    sim,
    actor,
    params: match.params,
    query: url.searchParams,
    accept: request.headers.accept ?? "",
    body,
    url: sim.apiUrl + byId(sim, path),
  });
}

/** Every door under /repos/OWNER/NAME also stands under /repositories/ID, which outlives a rename. */
function byName(sim: Sim, path: string): string {
  const match = /^\/repositories\/(\d+)(\/.*)?$/.exec(path);
  const repo = sim.repos.find((one) => one.id === Number(match?.[1]));
  return match && repo ? `/repos/${repo.fullName}${match[2] ?? ""}` : path;
}

/** GitHub's Link headers name the repository by id, whatever was asked. */
function byId(sim: Sim, path: string): string {
  const [, owner = "", name = "", rest = ""] = /^\/repos\/([^/]+)\/([^/]+)(\/.*)?$/.exec(path) ?? [];
  const repo = sim.repo(owner, name);
  return repo ? `/repositories/${repo.id}${rest}` : path;
}

function rateLimit(sim: Sim): Reply {
  const core = { limit: HOURLY_LIMIT, used: 0, remaining: HOURLY_LIMIT, reset: Math.floor(sim.now() / 1000) + HOUR_S };
  return { status: 200, body: { resources: { core, graphql: core }, rate: core } };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new GitHubError(413, "Payload too large");
    chunks.push(chunk);
  }
  if (size === 0) return null;
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new GitHubError(400, "Problems parsing JSON");
    throw error;
  }
}

type Meter = (actor: string) => Readonly<Record<string, string>>;

/** Counts requests per hour and actor; it tells, and never refuses: failNext does that. */
function createMeter(sim: Sim): Meter {
  const used = new Map<string, number>();
  const reset = String(Math.floor(sim.now() / 1000) + HOUR_S);
  return (actor) => {
    const count = (used.get(actor) ?? 0) + 1;
    used.set(actor, count);
    return {
      "x-ratelimit-limit": String(HOURLY_LIMIT),
      "x-ratelimit-used": String(count),
      "x-ratelimit-remaining": String(Math.max(0, HOURLY_LIMIT - count)),
      "x-ratelimit-reset": reset,
      "x-ratelimit-resource": "core",
    };
  };
}

type Written = {
  readonly reply: Reply;
  readonly request: IncomingMessage;
  readonly limits: Readonly<Record<string, string>>;
};

function write(response: ServerResponse, { reply, request, limits }: Written): void {
  const isEmpty = reply.status === 204;
  const body =
    reply.type && reply.body instanceof Uint8Array
      ? reply.body
      : reply.type
        ? String(reply.body)
        : JSON.stringify(reply.body);
  const headers: Record<string, string> = {
    ...limits,
    "x-github-media-type": "github.v3; format=json",
    "x-github-request-id": createHash("sha1").update(`${Math.random()}`).digest("hex").slice(0, 20).toUpperCase(),
    ...reply.headers,
  };
  if (reply.status === 200 && request.method === "GET") {
    const etag = `W/"${createHash("sha256").update(body).digest("hex")}"`;
    headers["etag"] = etag;
    headers["cache-control"] = "private, max-age=60, s-maxage=60";
    if (request.headers["if-none-match"] === etag) {
      response.writeHead(304, headers);
      response.end();
      return;
    }
  }
  if (!isEmpty) headers["content-type"] = reply.type ?? "application/json; charset=utf-8";
  response.writeHead(reply.status, headers);
  response.end(isEmpty ? undefined : body);
}
