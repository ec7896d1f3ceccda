/** Who we are on GitHub, asked once; and how to tell our own words from another's. */
import type { Actor } from "../repo-event.ts";
import { ask, type Client, type Clients } from "./github-client.ts";

export type Identity = { readonly name: string; readonly email: string };

export type Self = {
  readonly slug: () => Promise<string>;
  readonly identity: (client: Client) => Promise<Identity>;
  /** Whether the App wrote it. No person's login can hold the brackets of "slug[bot]". */
  readonly wrote: (text: Signed) => Promise<boolean>;
};

/** A comment or a review, as far as its author goes. */
export type Signed = {
  readonly user?: { readonly login: string } | null | undefined;
  readonly performed_via_github_app?: { readonly id: number } | null | undefined;
};

export function openSelf({ app, appId, webUrl }: Clients): Self {
  const slug = once(async () => {
    const { data } = await ask({ doing: "tell the App its name", needs: "metadata: read" }, () =>
      app.rest.apps.getAuthenticated(),
    );
    return data?.slug ?? "";
  });
  const identity = onceFor(async (client: Client) => {
    const name = `${await slug()}[bot]`;
    const about = { doing: "tell the App its user", needs: "metadata: read" };
    const { data } = await ask(about, () => client.rest.users.getByUsername({ username: name }));
    // The address under which GitHub shows commits as the App's.
    return { name, email: `${data.id}+${name}@users.noreply.${new URL(webUrl).hostname}` };
  });
  return {
    slug,
    identity,
    wrote: async ({ user, performed_via_github_app: via }) =>
      via?.id === appId || user?.login === `${await slug()}[bot]`,
  };
}

/** Permissions by name, such as `contents: write`, and the events that are delivered. */
export type Grants = { readonly permissions: Readonly<Record<string, string>>; readonly events: readonly string[] };

export async function readGrants({ app }: Clients): Promise<Grants> {
  const { data } = await ask({ doing: "tell the App its permissions", needs: "metadata: read" }, () =>
    app.rest.apps.getAuthenticated(),
  );
  const permissions = Object.entries(data?.permissions ?? {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return { permissions: Object.fromEntries(permissions), events: data?.events ?? [] };
}

/** Whose account is gone is null in the API and this user on the page. */
const GHOST: Actor = { id: 10137, login: "ghost", isBot: false };

export function readActor(
  user: { readonly id: number; readonly login: string; readonly type: string } | null | undefined,
): Actor {
  return user ? { id: user.id, login: user.login, isBot: user.type === "Bot" } : GHOST;
}

/** Asks until there is an answer, and never again after that. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  const ask = onceFor(read);
  return () => ask(undefined);
}

function onceFor<A, T>(read: (argument: A) => Promise<T>): (argument: A) => Promise<T> {
  let known: Promise<T> | null = null;
  return (argument) => {
    known ??= read(argument).catch((error: unknown) => {
      known = null;
      throw error;
    });
    return known;
  };
}
