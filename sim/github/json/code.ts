/** What git holds, as the API shows it: commits, files of a diff, refs, check runs on a commit. */
import type { components } from "@octokit/openapi-types";
import type { FileDiff } from "../diff.ts";
import { git } from "../git.ts";
import type { CheckRun, Repo } from "../records.ts";
import { nodeId, type Sim } from "../sim.ts";
import { appJson, noreplyEmail, userJson } from "./accounts.ts";
import { repoApiUrl, repoHtmlUrl } from "./repository.ts";

type Schemas = components["schemas"];

export function fileJson(sim: Sim, repo: Repo, { file, head }: { file: FileDiff; head: string }) {
  const path = file.path.split("/").map(encodeURIComponent).join("/");
  return {
    sha: file.blob,
    filename: file.path,
    status: file.status,
    additions: file.additions,
    deletions: file.deletions,
    changes: file.additions + file.deletions,
    blob_url: `${repoHtmlUrl(sim, repo)}/blob/${head}/${path}`,
    raw_url: `${repoHtmlUrl(sim, repo)}/raw/${head}/${path}`,
    contents_url: `${repoApiUrl(sim, repo)}/contents/${path}?ref=${head}`,
    ...(file.patch === null ? {} : { patch: file.patch }),
    ...(file.previousPath === null ? {} : { previous_filename: file.previousPath }),
  } satisfies Schemas["diff-entry"];
}

export type CommitFacts = {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly author: Signature;
  readonly committer: Signature;
};

type Signature = { readonly name: string; readonly email: string; readonly date: string };

const FORMAT = ["%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B"].join("%x00");

/** `range` as `git log` takes it; oldest first, as GitHub lists the commits of a pull request. */
export async function readCommits(repo: Repo, range: readonly string[]): Promise<readonly CommitFacts[]> {
  const text = await git(repo.gitDir, ["log", "-z", "--reverse", `--format=${FORMAT}%x00`, ...range, "--"]);
  const fields = text.split("\0");
  const width = 11; // Ten fields, and the NUL that -z puts after each commit.
  return Array.from({ length: Math.floor(fields.length / width) }, (_, index) => {
    const [sha = "", tree = "", parents = "", an = "", ae = "", ad = "", cn = "", ce = "", cd = "", message = ""] =
      fields.slice(index * width, (index + 1) * width);
    return {
      sha,
      tree,
      parents: parents.split(" ").filter(Boolean),
      message: message.trimEnd(),
      author: { name: an, email: ae, date: toUtc(ad) },
      committer: { name: cn, email: ce, date: toUtc(cd) },
    };
  });
}

function toUtc(time: string): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
}

export function commitJson(sim: Sim, repo: Repo, commit: CommitFacts) {
  const api = repoApiUrl(sim, repo);
  const url = `${api}/commits/${commit.sha}`;
  return {
    sha: commit.sha,
    node_id: nodeId("C", Number.parseInt(commit.sha.slice(0, 8), 16)),
    url,
    html_url: `${repoHtmlUrl(sim, repo)}/commit/${commit.sha}`,
    comments_url: `${url}/comments`,
    commit: {
      url: `${api}/git/commits/${commit.sha}`,
      author: commit.author,
      committer: commit.committer,
      message: commit.message,
      comment_count: 0,
      tree: { sha: commit.tree, url: `${api}/git/trees/${commit.tree}` },
      verification: { verified: false, reason: "unsigned", payload: null, signature: null, verified_at: null },
    },
    author: accountJson(sim, commit.author.email),
    committer: accountJson(sim, commit.committer.email),
    parents: commit.parents.map((sha) => ({
      sha,
      url: `${api}/commits/${sha}`,
      html_url: `${repoHtmlUrl(sim, repo)}/commit/${sha}`,
    })),
  } satisfies Schemas["commit"];
}

function accountJson(sim: Sim, email: string) {
  const account = sim.accounts.find((one) => noreplyEmail(one) === email);
  return account ? userJson(sim, account) : null;
}

/** A commit as the push event lists it. */
export function pushCommitJson(
  sim: Sim,
  repo: Repo,
  { commit, files }: { commit: CommitFacts; files: readonly FileDiff[] },
) {
  const person = (signature: Signature) => ({
    name: signature.name,
    email: signature.email,
    username: sim.accounts.find((one) => noreplyEmail(one) === signature.email)?.login ?? signature.name,
    date: signature.date,
  });
  const paths = (status: FileDiff["status"]) => files.filter((file) => file.status === status).map((file) => file.path);
  return {
    id: commit.sha,
    tree_id: commit.tree,
    distinct: true,
    message: commit.message,
    timestamp: commit.committer.date,
    url: `${repoHtmlUrl(sim, repo)}/commit/${commit.sha}`,
    author: person(commit.author),
    committer: person(commit.committer),
    added: paths("added"),
    removed: paths("removed"),
    modified: paths("modified"),
  };
}

export function refJson(sim: Sim, repo: Repo, { ref, sha }: { ref: string; sha: string }) {
  const api = repoApiUrl(sim, repo);
  return {
    ref,
    node_id: Buffer.from(`REF:${repo.id}:${ref}`).toString("base64url"),
    url: `${api}/git/${ref}`,
    object: { type: "commit", sha, url: `${api}/git/commits/${sha}` },
  } satisfies Schemas["git-ref"];
}

export function checkRunJson(sim: Sim, repo: Repo, run: CheckRun): Schemas["check-run"] {
  const url = `${repoApiUrl(sim, repo)}/check-runs/${run.id}`;
  return {
    id: run.id,
    name: run.name,
    node_id: nodeId("CR", run.id),
    head_sha: run.headSha,
    external_id: run.externalId,
    url,
    html_url: `${repoHtmlUrl(sim, repo)}/runs/${run.id}`,
    details_url: run.detailsUrl ?? `${repoHtmlUrl(sim, repo)}/runs/${run.id}`,
    status: run.status,
    conclusion: run.conclusion,
    started_at: run.startedAt,
    completed_at: run.completedAt,
    output: { ...run.output, annotations_count: 0, annotations_url: `${url}/annotations` },
    check_suite: { id: run.suiteId },
    app: appJson(sim),
    pull_requests: repo.threads.flatMap((thread) => {
      if (thread.pull?.headSha !== run.headSha || thread.state !== "open" || thread.pull.headRepo !== repo) return [];
      const end = { id: repo.id, url: repoApiUrl(sim, repo), name: repo.name };
      return [
        {
          id: thread.pull.id,
          number: thread.number,
          url: `${repoApiUrl(sim, repo)}/pulls/${thread.number}`,
          head: { ref: thread.pull.headRef, sha: thread.pull.headSha, repo: end },
          base: { ref: thread.pull.baseRef, sha: thread.pull.baseSha, repo: end },
        },
      ];
    }),
  } satisfies Schemas["check-run"];
}
