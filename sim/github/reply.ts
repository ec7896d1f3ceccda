/** Answers in GitHub's words: JSON bodies, error shapes, pages with Link headers. */
import type { z } from "zod";
import type { Actor } from "./auth.ts";
import type { Sim } from "./sim.ts";

export type Reply = {
  readonly status: number;
  /** JSON, unless `type` says otherwise and this is text. */
  readonly body: unknown;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** One request to the API, authenticated but not yet authorised. */
export type Call = {
  readonly sim: Sim;
  readonly actor: Actor;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly body: unknown;
  /** Absolute and without a query, for Link headers. */
  readonly url: string;
};

export class GitHubError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, message: string, errors?: readonly unknown[]) {
    super(message);
    this.name = "GitHubError";
    this.status = status;
    this.body = {
      message,
      ...(errors ? { errors } : {}),
      documentation_url: "https://docs.github.com/rest",
      status: String(status),
    };
  }
}

export function notFound(): GitHubError {
  return new GitHubError(404, "Not Found");
}

export function validationFailed(...errors: readonly unknown[]): GitHubError {
  return new GitHubError(422, "Validation Failed", errors);
}

export function unprocessable(...errors: readonly string[]): GitHubError {
  return new GitHubError(422, "Unprocessable Entity", errors);
}

export function ok(body: unknown): Reply {
  return { status: 200, body };
}

export function created(body: unknown): Reply {
  return { status: 201, body };
}

export function noContent(): Reply {
  return { status: 204, body: null };
}

/** The request's body as the schema has it, or GitHub's 422. */
export function readBody<T extends z.ZodType>(call: Call, schema: T): z.output<T> {
  const parsed = schema.safeParse(call.body ?? {});
  if (parsed.success) return parsed.data;
  const first = parsed.error.issues.map((issue) => `For '${issue.path.join(".") || "body"}', ${issue.message}`);
  throw new GitHubError(422, `Invalid request.\n\n${first.join("\n")}`);
}

/** One page of a list with the Link header GitHub would send; `wrap` for answers such as { total_count, check_runs }. */
export function page<T>(
  call: Call,
  items: readonly T[],
  wrap: (slice: readonly T[]) => unknown = (slice) => slice,
): Reply {
  const perPage = Math.min(100, Math.max(1, readWhole(call.query.get("per_page"), 30)));
  const at = Math.max(1, readWhole(call.query.get("page"), 1));
  const last = Math.max(1, Math.ceil(items.length / perPage));
  const link = (target: number, rel: string) => {
    const query = new URLSearchParams(call.query);
    query.set("page", String(target));
    return `<${call.url}?${query}>; rel="${rel}"`;
  };
  const links = [
    ...(at > 1 ? [link(at - 1, "prev")] : []),
    ...(at < last ? [link(at + 1, "next"), link(last, "last")] : []),
    ...(at > 1 ? [link(1, "first")] : []),
  ];
  return {
    status: 200,
    body: wrap(items.slice((at - 1) * perPage, at * perPage)),
    ...(links.length > 0 ? { headers: { link: links.join(", ") } } : {}),
  };
}

function readWhole(text: string | null, fallback: number): number {
  return text !== null && /^\d+$/.test(text) ? Number(text) : fallback;
}
