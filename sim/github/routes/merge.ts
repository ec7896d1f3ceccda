/** The merge button. */
import { z } from "zod";
import { openRepo } from "../access.ts";
import { authorOf } from "../auth.ts";
import { askGit, branchTip, commitTree, git } from "../git.ts";
import { noreplyEmail } from "../json/accounts.ts";
import { readCommits } from "../json/code.ts";
import { applyPush } from "../pushes.ts";
import type { Account, PullThread, Repo } from "../records.ts";
import { GitHubError, noContent, notFound, ok, readBody, type Call, type Reply } from "../reply.ts";
import type { Route } from "../router.ts";
import { setMerged } from "../threads.ts";
import { openPull } from "./pulls.ts";

const AT = "/repos/:owner/:repo/pulls/:number/merge";

export const mergeRoutes: readonly Route[] = [
  { method: "GET", pattern: AT, answer: getMerged },
  { method: "PUT", pattern: AT, answer: merge },
];

function getMerged(call: Call): Reply {
  if (!openPull(call, "read").thread.pull.merged) throw notFound();
  return noContent();
}

const MergeRequest = z.object({
  sha: z.string().optional(),
  merge_method: z.enum(["merge", "squash", "rebase"]).default("merge"),
  commit_title: z.string().optional(),
  commit_message: z.string().default(""),
});

async function merge(call: Call): Promise<Reply> {
  const { repo, thread } = openPull(call, "write");
  openRepo(call, { app: { contents: "write" }, person: "write", writes: true });
  const request = readBody(call, MergeRequest);
  const sender = authorOf(call.sim, call.actor);
  return call.sim.inTurn(repo, async () => {
    if (request.sha && request.sha !== thread.pull.headSha) {
      throw new GitHubError(409, "Head branch was modified. Review and try the merge again.");
    }
    if (thread.state === "closed" || thread.pull.draft) throw new GitHubError(405, "Pull Request is not mergeable");
    const base = await branchTip(repo.gitDir, thread.pull.baseRef);
    const commits = await readCommits(repo, [`${thread.pull.baseSha}..${thread.pull.headSha}`]);
    const sha = await writeMerge(repo, { thread, sender, base: base ?? thread.pull.baseSha, request });
    const ref = `refs/heads/${thread.pull.baseRef}`;
    await git(repo.gitDir, ["update-ref", ref, sha]);
    // First, so that the push below does not take it for a merge by hand.
    setMerged(call.sim, { repo, thread, sender }, { sha, messages: commits.map((commit) => commit.message) });
    await applyPush(call.sim, { repo, sender }, [{ ref, before: base ?? thread.pull.baseSha, after: sha }]);
    return ok({ sha, merged: true, message: "Pull Request successfully merged" });
  });
}

type Merge = {
  readonly thread: PullThread;
  readonly sender: Account;
  readonly base: string;
  readonly request: z.output<typeof MergeRequest>;
};

/** A rebase is written as one commit too: what tests look at is the tree and the number of parents. */
async function writeMerge(repo: Repo, { thread, sender, base, request }: Merge): Promise<string> {
  const tree = await askGit(repo.gitDir, ["merge-tree", "--write-tree", base, thread.pull.headSha]);
  if (tree === null) throw new GitHubError(405, "Pull Request is not mergeable");
  const isMerge = request.merge_method === "merge";
  const from = `${thread.pull.headRepo.owner.login}/${thread.pull.headRef}`;
  const title =
    request.commit_title ??
    (isMerge ? `Merge pull request #${thread.number} from ${from}` : `${thread.title} (#${thread.number})`);
  return commitTree(repo.gitDir, {
    tree,
    parents: isMerge ? [base, thread.pull.headSha] : [base],
    message: `${title}\n\n${request.commit_message || (isMerge ? thread.title : "")}`.trimEnd(),
    name: sender.login,
    email: noreplyEmail(sender),
  });
}
