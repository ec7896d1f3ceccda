/** Deliveries that ask for no task but say that a mirror will be wanted soon: a push to the default branch, an installation. */
import { z } from "zod";
import type { MirrorWish } from "../repo-event.ts";

/** An organisation may install the App on thousands of repositories; the others are mirrored when they are first asked for. */
const INSTALLED_MAX = 20;

const id = z.number().int().positive();
const Installation = z.object({ id });

const Push = z.object({
  ref: z.string(),
  deleted: z.boolean(),
  installation: Installation,
  repository: z.object({
    ...{ id, name: z.string().min(1), default_branch: z.string().min(1) },
    owner: z.object({ login: z.string().min(1) }),
  }),
});
const Installed = z.array(z.object({ id, full_name: z.string().regex(/^[^/]+\/[^/]+$/) }));
const Created = z.object({ installation: Installation, repositories: Installed });
const Added = z.object({ installation: Installation, repositories_added: Installed });

/** `name` is the event's with its action. A payload that is malformed has no wish. */
export function readMirrorWishes(name: string, payload: unknown): readonly MirrorWish[] {
  switch (name) {
    case "push":
      return readPush(payload);
    case "installation.created": {
      const { data } = Created.safeParse(payload);
      return data ? readInstalled(data.installation.id, data.repositories) : [];
    }
    case "installation_repositories.added": {
      const { data } = Added.safeParse(payload);
      return data ? readInstalled(data.installation.id, data.repositories_added) : [];
    }
    default:
      return [];
  }
}

function readPush(payload: unknown): readonly MirrorWish[] {
  const { data } = Push.safeParse(payload);
  if (!data || data.deleted || data.ref !== `refs/heads/${data.repository.default_branch}`) return [];
  const { installation, repository } = data;
  const repo = { installationId: installation.id, id: repository.id, owner: repository.owner.login };
  return [
    { repo: { ...repo, name: repository.name }, defaultBranch: repository.default_branch, onlyWhereMirrored: true },
  ];
}

function readInstalled(installationId: number, repositories: z.infer<typeof Installed>): readonly MirrorWish[] {
  return repositories.slice(0, INSTALLED_MAX).map((repository) => {
    const [owner = "", name = ""] = repository.full_name.split("/");
    const repo = { installationId, id: repository.id, owner, name };
    // An installation's delivery does not say it.
    return { repo, defaultBranch: null, onlyWhereMirrored: false };
  });
}
