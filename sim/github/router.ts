/** Patterns such as "/repos/:owner/:repo/issues/:number" to the functions that answer them; `:path*` takes the rest. */
import type { Call, Reply } from "./reply.ts";

export type Route = {
  readonly method: string;
  readonly pattern: string;
  readonly answer: (call: Call) => Reply | Promise<Reply>;
};

export type Match = { readonly answer: Route["answer"]; readonly params: Readonly<Record<string, string>> };
export type Router = (method: string, path: string) => Match | null;

export function createRouter(routes: readonly Route[]): Router {
  const compiled = routes.map((route) => ({ ...route, regexp: compile(route.pattern) }));
  return (method, path) => {
    for (const route of compiled) {
      if (route.method !== method) continue;
      const groups = route.regexp.exec(path);
      if (!groups) continue;
      const params = Object.entries(groups.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]);
      return { answer: route.answer, params: Object.fromEntries(params) };
    }
    return null;
  };
}

function compile(pattern: string): RegExp {
  const source = pattern
    .replaceAll(".", "\\.")
    .replaceAll(/:(\w+)\*/g, "(?<$1>.+)")
    .replaceAll(/:(\w+)/g, "(?<$1>[^/]+)");
  return new RegExp(`^${source}$`);
}
