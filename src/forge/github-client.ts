/** Octokit as the App and as each installation, with every wait bounded. The only file that imports `octokit`. */
import { createPrivateKey } from "node:crypto";
import { App, Octokit, RequestError } from "octokit";
import { TransientError, UserError } from "../failure.ts";
import type { Fence } from "./forge.ts";

export type Client = Octokit;

export type GitHubOptions = {
  readonly appId: number;
  readonly privateKey: string;
  /** REST root: https://api.github.com, or https://HOST/api/v3. */
  readonly apiUrl: string;
  readonly log?: { readonly warn: (facts: object, message: string) => void };
};

export type Clients = {
  /** Signs as the App itself: only /app is open to it. */
  readonly app: Client;
  /** Asks with an installation's own short-lived token, renewed when it ends. */
  readonly installation: (id: number) => Promise<Client>;
  /** Where people look at repositories, and git fetches them from. */
  readonly webUrl: string;
  readonly appId: number;
};

/** One request; GitHub itself gives up after 10 s. */
const REQUEST_MS_MAX = 30_000;
/** After 1, 4 and 9 s; what fails for longer is the queue's to try again. */
const RETRIES_MAX = 3;
/** GitHub asks for a minute after a secondary limit. A limit that lasts longer ends the attempt, it does not hold it. */
const LIMIT_WAIT_S_MAX = 61;
/** Installations kept at hand; the oldest is made anew when it comes back. */
const INSTALLATIONS_MAX = 200;

/** Throws UserError when the key is none; speaks to nobody. */
export function openClients(options: GitHubOptions): Clients {
  const { appId, privateKey, apiUrl } = options;
  assertKey(privateKey);
  const open = (throttleId: string) =>
    new App({ appId, privateKey, Octokit: octokitFor(options, throttleId), log: logOf(options) });
  const app = open("app");
  const kept = new Map<number, Promise<Client>>();
  return {
    app: app.octokit,
    webUrl: webUrlOf(apiUrl),
    appId,
    installation: (id) => {
      const known = kept.get(id);
      if (known) return known;
      const oldest = kept.keys().next();
      if (kept.size >= INSTALLATIONS_MAX && !oldest.done) kept.delete(oldest.value);
      // An App of its own: GitHub's limits are each installation's, and so must be the pace.
      const client = open(`installation-${id}`).getInstallationOctokit(id);
      kept.set(id, client);
      return client;
    },
  };
}

/** Octokit finds out only when it signs, in words that differ from one cause to the next. */
function assertKey(privateKey: string): void {
  try {
    createPrivateKey(privateKey);
  } catch (error) {
    throw new UserError("PRIVATE_KEY is not a private key. Download one in the GitHub App's settings (a .pem file).", {
      cause: error,
    });
  }
}

function octokitFor(options: GitHubOptions, throttleId: string) {
  const Base = Octokit.defaults({
    baseUrl: options.apiUrl,
    userAgent: "pullwright",
    log: logOf(options),
    request: { fetch: openFetch(null) },
    retry: { retries: RETRIES_MAX },
    throttle: {
      id: throttleId,
      // GitHub asks for a second between writes. A server of one's own has no limits unless they are switched on.
      enabled: /^https:\/\/api\.(?:github\.com|[a-z0-9-]+\.ghe\.com)$/.test(options.apiUrl),
      onRateLimit: isWaitShort,
      onSecondaryRateLimit: isWaitShort,
    },
  });
  return class extends Base {
    constructor(...args: ConstructorParameters<typeof Base>) {
      super(...args);
      this.hook.before("request", ({ method, url, request }) => {
        // Asked again after a lost answer, these would make a second one: the caller looks for the first instead.
        if (request && method === "POST" && !/\/(?:access_tokens|reactions|graphql)$/.test(url)) request.retries = 0;
      });
    }
  };
}

/** For octokit's `request.fetch`: below its retries and its pace, so that the fence is asked when a request leaves, however often. */
export function openFetch(fence: Fence | null): (url: string, init: RequestInit) => Promise<Response> {
  return async (url, init) => {
    if (fence !== null && init.method !== "GET" && init.method !== "HEAD") {
      await fence().catch((reason: unknown) => Promise.reject(new Barred("the fence was closed", { cause: reason })));
    }
    return fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_MS_MAX) });
  };
}

/** Any other error of fetch is a failing server to octokit, which asks again; one of this name it hands on. */
class Barred extends Error {
  override readonly name = "AbortError";
}

function isWaitShort(waitS: number, _request: unknown, _octokit: unknown, retries: number): boolean {
  return waitS <= LIMIT_WAIT_S_MAX && retries < 1;
}

/** Octokit would write to the console. Its words name the request's path, never a token. */
function logOf({ log }: GitHubOptions) {
  const warn = (message: unknown): void => log?.warn({ from: "octokit" }, String(message));
  return { debug: () => {}, info: () => {}, warn, error: warn };
}

/** https://api.github.com -> https://github.com, https://api.TENANT.ghe.com -> https://TENANT.ghe.com, https://HOST/api/v3 -> https://HOST. */
export function webUrlOf(apiUrl: string): string {
  const url = new URL(apiUrl);
  return `${url.protocol}//${url.host.replace(/^api\./, "")}`;
}

/** What is being done, for the message: "GitHub did not let the App <doing>". `needs` is the permission that it takes. */
export type Ask = { readonly doing: string; readonly needs: string };

/** Calls GitHub; what goes wrong becomes a UserError that says how to mend it, or a TransientError. */
export async function ask<T>(about: Ask, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw explain(about, error);
  }
}

/** Whether GitHub answered that there is no such thing. */
export function isNotFound(error: unknown): boolean {
  return error instanceof RequestError && (error.status === 404 || error.status === 410);
}

/** Whether GitHub keeps this from us: not for now, as a limit would, but as long as our permissions are what they are. */
export function isForbidden(error: unknown): boolean {
  return error instanceof RequestError && error.status === 403 && !isLimited(error);
}

/** What GitHub said when it refused a request as invalid, or null. */
export function readRefusal(error: unknown): string | null {
  return error instanceof RequestError && error.status === 422 ? error.message : null;
}

function explain({ doing, needs }: Ask, error: unknown): unknown {
  if (error instanceof Barred) return error.cause;
  if (error instanceof RequestError) return explainStatus({ doing, needs }, error);
  const type = readGraphqlType(error);
  if (type === "FORBIDDEN") return lacks({ doing, needs }, error);
  if (type === "NOT_FOUND") return missing(doing, error);
  if (type !== null) return new TransientError(`GitHub failed to ${doing} (${type})`, { cause: error });
  return error;
}

function explainStatus({ doing, needs }: Ask, error: RequestError): Error {
  const { status } = error;
  if (isLimited(error)) return new TransientError(`GitHub's rate limit was reached (${doing})`, { cause: error });
  if (status >= 500 || status === 408) return new TransientError(`GitHub failed to ${doing}`, { cause: error });
  if (status === 401) {
    return new UserError("GitHub does not accept the App's key. Check APP_ID and PRIVATE_KEY.", { cause: error });
  }
  if (status === 403 && /suspended/i.test(error.message)) {
    return new UserError("The App's installation is suspended. An owner can unsuspend it.", { cause: error });
  }
  if (status === 403) return lacks({ doing, needs: readAccepted(error) ?? needs }, error);
  if (status === 404 || status === 410) return missing(doing, error);
  return new UserError(`GitHub refused to ${doing}: ${error.message}`, { cause: error });
}

function lacks({ doing, needs }: Ask, cause: unknown): UserError {
  return new UserError(
    `GitHub did not let the App ${doing}: it lacks the permission \`${needs}\`. ` +
      "Grant it in the App's settings under *Permissions & events*, then accept it for this installation.",
    { cause },
  );
}

function missing(doing: string, cause: unknown): UserError {
  return new UserError(
    `GitHub could not ${doing}: it is gone, or the App is not installed on the repository (any more).`,
    { cause },
  );
}

/** Both kinds of limit come as 403 or 429; only the headers and the words tell them from a missing permission. */
function isLimited(error: RequestError): boolean {
  if (error.status === 429) return true;
  const headers = error.response?.headers ?? {};
  const isOut = headers["x-ratelimit-remaining"] === "0" || headers["retry-after"] !== undefined;
  return error.status === 403 && (isOut || /rate limit/i.test(error.message));
}

/** GitHub names what would have been enough, such as "issues=write; pull_requests=write". */
function readAccepted(error: RequestError): string | null {
  const accepted = error.response?.headers["x-accepted-github-permissions"];
  return typeof accepted === "string" && /^[a-z_=;, ]+$/.test(accepted) ? accepted.replaceAll("=", ": ") : null;
}

/** The type of GraphQL's first error, null when it is another error. */
function readGraphqlType(error: unknown): string | null {
  const errors = error instanceof Error && "errors" in error && Array.isArray(error.errors) ? error.errors : [];
  const first: unknown = errors[0];
  const hasType = typeof first === "object" && first !== null && "type" in first && typeof first.type === "string";
  return hasType ? String(first.type) : null;
}
