/** Pushes one commit to one branch, never over someone else's work: the remote branch must be where we last saw or left it. */
import { z } from "zod";
import { UserError } from "../failure.ts";
import type { GitAccess, Written } from "../forge/forge.ts";
import type { Publication } from "../publication.ts";
import { git, GitError, gitOverNetwork, requireSafeRef } from "../workspace/git.ts";
import type { Mirror } from "../workspace/mirror.ts";

type Push = Extract<Publication, { kind: "push" }>;

/** Written before each push: the branch the task took and every commit it ever meant to put there. */
const PushRecord = z.object({ branch: z.string(), commits: z.array(z.string()) });
export type PushRecord = z.infer<typeof PushRecord>;

export type Pushing = {
  readonly mirror: Mirror;
  readonly access: GitAccess;
  /** Appended to a branch name that is already taken by someone else. */
  readonly fallbackSuffix: string;
  readonly earlier: unknown;
  readonly intend: (record: PushRecord) => Promise<void>;
  readonly assertCurrent: () => Promise<void>;
};

/** Resolves to the branch pushed (`ref`) and where to see the commit. Throws UserError when the branch has moved. */
export async function pushCommit(push: Push, pushing: Pushing): Promise<Written> {
  const earlier = PushRecord.nullable().parse(pushing.earlier);
  const { branch, found } = await chooseBranch(push, pushing, earlier);
  const url = `${pushing.access.url.replace(/\.git$/, "")}/commit/${push.commit}`;
  await pushing.intend({ branch, commits: [...(earlier?.commits ?? []), push.commit] });
  if (found === push.commit) return { ref: branch, url };
  await pushing.assertCurrent();
  // An empty expectation means "must not exist": the branch may have been made since we looked.
  const lease = `--force-with-lease=refs/heads/${branch}:${found ?? ""}`;
  try {
    await git(
      { gitDir: pushing.mirror.gitDir, workTree: null },
      ["push", "--quiet", lease, "--end-of-options", pushing.access.url, `${push.commit}:refs/heads/${branch}`],
      { access: pushing.access },
    );
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    await explainRefusal(push, pushing, { branch, found }, error);
  }
  return { ref: branch, url };
}

/**
 * Why a push failed, told from what the forge answers now and never from git's text, which an attacker can shape.
 * Returns only when the commit arrived after all (the answer was lost). An unreachable forge throws TransientError.
 */
async function explainRefusal(push: Push, pushing: Pushing, choice: Choice, error: GitError): Promise<void> {
  const now = await readRemote(pushing, choice.branch);
  if (now === push.commit) return;
  if (now !== choice.found) throw moved(choice.branch);
  throw new UserError(
    `GitHub refused the push to \`${choice.branch}\`. A ruleset or branch protection may forbid it, or the change touches ` +
      "workflow files, for which I have no permission. The work is below as a patch.",
    { cause: error },
  );
}

function moved(branch: string): UserError {
  return new UserError(
    `The branch \`${branch}\` moved while I was working, so nothing was pushed. The work is below as a patch; ` +
      "ask again to redo it on the new head.",
  );
}

type Choice = { readonly branch: string; readonly found: string | null };

async function chooseBranch(push: Push, pushing: Pushing, earlier: PushRecord | null): Promise<Choice> {
  const { to } = push;
  const isOurs = (sha: string) => sha === push.commit || (earlier?.commits.includes(sha) ?? false);
  if (to.kind === "pull-head") {
    const branch = requireSafeRef(to.branch);
    const found = await readRemote(pushing, branch);
    if (found === to.expected || (found !== null && isOurs(found))) return { branch, found };
    throw moved(branch);
  }
  for (const branch of earlier ? [earlier.branch] : [to.branch, `${to.branch}-${pushing.fallbackSuffix}`]) {
    const found = await readRemote(pushing, requireSafeRef(branch));
    if (found === null || isOurs(found)) return { branch, found };
  }
  throw new UserError(
    `The branch \`${to.branch}\` exists and is not mine, so nothing was pushed. Delete or rename it and ask again.`,
  );
}

/** The commit a branch of the forge points to now, null when there is none. */
async function readRemote(pushing: Pushing, branch: string): Promise<string | null> {
  const place = { gitDir: pushing.mirror.gitDir, workTree: null };
  const args = ["ls-remote", "--refs", "--end-of-options", pushing.access.url, `refs/heads/${branch}`];
  const line = await gitOverNetwork(place, args, { access: pushing.access });
  return /^([0-9a-f]{40,64})\t/.exec(line)?.[1] ?? null;
}
