/** The web server: Probot's, which checks each delivery's signature before anything of ours sees it. Never without a secret. */
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { Logger } from "pino";
import { Probot, Server } from "probot";
import { UserError } from "../failure.ts";

/** Answers a request and says true, or leaves it to the next one. */
export type Route = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export type WebhookServerOptions = {
  readonly appId: number;
  readonly privateKey: string;
  readonly secret: string;
  readonly apiUrl: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly webhookPath: string;
  /** A smee.io channel that relays deliveries to a machine GitHub cannot reach. */
  readonly webhookProxyUrl: string | null;
  readonly app: (app: Probot) => void;
  readonly routes?: readonly Route[];
  readonly log: Logger;
};

export type WebhookServer = { readonly url: string; readonly port: number; readonly close: () => Promise<void> };

/** GitHub sends no delivery above 25 MB; the body is read before its signature can be checked, so more is not read at all. */
const BODY_BYTES_MAX = 25 * 1024 * 1024;
/** What is still being answered, such as a live page, gets this long when the server closes. */
const CLOSE_MS_MAX = 2_000;

export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  // Probot would fall back to the secret "development", which anyone can sign with.
  if (options.secret.trim() === "") {
    throw new UserError(
      "The webhook secret is empty, so anyone could send events. Set WEBHOOK_SECRET to the App's secret.",
    );
  }
  const { appId, privateKey, secret, apiUrl, host, webhookPath, log } = options;
  const server = new Server({
    host,
    port: options.port === 0 ? await findFreePort(host) : options.port,
    webhookPath,
    webhookProxy: options.webhookProxyUrl ?? undefined,
    enableStaticFiles: false,
    log: quietLog(log),
    Probot: Probot.defaults({ appId, privateKey, secret, baseUrl: apiUrl }),
  });
  await server.load(options.app);
  for (const route of [...(options.routes ?? []), answerHealth]) server.addHandler(route);
  const http = await listen(server, options);
  http.prependListener("request", (request: IncomingMessage) => {
    if (readPath(request) === webhookPath) limitBody(request);
  });
  return { url: `http://${server.host}:${server.port}`, port: server.port, close: () => close(server, http) };
}

async function listen(server: Server, { host, port }: WebhookServerOptions): Promise<HttpServer> {
  try {
    return await server.start();
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    throw new UserError(
      `The server cannot listen on ${host}:${port} (${error.code}). Set HOST or PORT to another one.`,
      {
        cause: error,
      },
    );
  }
}

async function close(server: Server, http: HttpServer): Promise<void> {
  const timer = setTimeout(() => http.closeAllConnections(), CLOSE_MS_MAX);
  try {
    await server.stop();
  } finally {
    clearTimeout(timer);
  }
}

/** Alive, no more: a composition root that knows of a database answers this path itself, in a route of its own. */
function answerHealth(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method !== "GET" || readPath(request) !== "/healthz") return false;
  response.writeHead(200, { "content-type": "text/plain" }).end("ok\n");
  return true;
}

function readPath(request: IncomingMessage): string | undefined {
  return request.url?.split("?")[0];
}

/** Only where Probot reads the body at once: for a reader that comes later the first chunks would be gone. */
function limitBody(request: IncomingMessage): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) request.destroy(new Error("the request body is too large"));
  });
}

/**
 * Probot's own lines (each request, each start) only when someone debugs. Its errors carry the whole delivery, a private
 * repository's words included: of an error only what went wrong is logged.
 */
function quietLog(log: Logger): Logger {
  const level = log.isLevelEnabled("debug") || !log.isLevelEnabled("warn") ? log.level : "warn";
  return log.child({}, { level, serializers: { err: describeError } });
}

function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const causes = error instanceof AggregateError ? error.errors : error.cause === undefined ? [] : [error.cause];
  return { type: error.name, message: error.message, causes: causes.map(describeError) };
}

/** Probot takes port 0 for "none given" and listens on 3000. */
async function findFreePort(host: string): Promise<number> {
  const probe = createServer().listen(0, host);
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has an address with a port");
  return address.port;
}
