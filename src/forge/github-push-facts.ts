/** Why GitHub may have refused a push, as its API tells it: installation, permission, archive, protection, rulesets. It writes nothing. */
import type { RepoRef } from "../repo-event.ts";
import type { PushFacts } from "./forge.ts";
import { ask, isForbidden, isNotFound, type Client, type Clients } from "./github-client.ts";

const GONE = { kind: "gone" } as const;

/** Throws TransientError when GitHub does not answer; a door that is closed to us leaves its fact out. */
export async function readPushFacts(clients: Clients, repo: RepoRef, branch: string): Promise<PushFacts> {
  const at = { owner: repo.owner, repo: repo.name };
  const about = { doing: "tell what the App may do", needs: "metadata: read" };
  const installation = await ask(about, () =>
    orNull(async () => (await clients.app.rest.apps.getRepoInstallation(at)).data),
  );
  if (installation === null) return GONE;
  if (installation.suspended_at) return { kind: "suspended" };
  const client = await clients.installation(installation.id);
  return ask(about, async () => {
    const known = await orNull(async () => (await client.rest.repos.get(at)).data);
    if (known === null) return GONE;
    return {
      kind: "there",
      mayWrite: installation.permissions.contents === "write",
      isReadOnly: known.archived === true || known.disabled === true,
      isProtected: await isProtected(client, at, branch),
      rules: await readRules(client, at, branch),
    };
  });
}

type At = { readonly owner: string; readonly repo: string };

/** A branch that is yet to be made has no protection that can be asked for, though a pattern may wait for it. */
async function isProtected(client: Client, at: At, branch: string): Promise<boolean> {
  return (await orShut(async () => (await client.rest.repos.getBranch({ ...at, branch })).data.protected)) ?? false;
}

/** Active rules of all levels; a server from before there were rulesets has no such door. */
async function readRules(client: Client, at: At, branch: string): Promise<readonly string[]> {
  const rules = await orShut(
    async () => (await client.rest.repos.getBranchRules({ ...at, branch, per_page: 100 })).data,
  );
  return [...new Set((rules ?? []).map(({ type }) => type))].sort();
}

async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** A fact that a missing permission keeps from us is left out: the permission itself is told by the installation. */
async function orShut<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await orNull(read);
  } catch (error) {
    if (isForbidden(error)) return null;
    throw error;
  }
}
