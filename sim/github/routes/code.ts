/** What git holds, over the API: contents, commits, branches, refs, comparisons. */
import { z } from "zod";
import { openRepo, type Need } from "../access.ts";
import { authorOf } from "../auth.ts";
import { mergeBase, readDiff } from "../diff.ts";
import { askGit, branchTip, git, gitBytes, resolveCommit, ZERO_SHA } from "../git.ts";
import { commitJson, fileJson, readCommits, refJson } from "../json/code.ts";
import { repoApiUrl, repoHtmlUrl } from "../json/repository.ts";
import { applyPush } from "../pushes.ts";
import type { Repo } from "../records.ts";
import { created, GitHubError, noContent, notFound, ok, page, readBody, type Call, type Reply } from "../reply.ts";
import type { Route } from "../router.ts";
import { isProtected } from "./rules.ts";

const AT = "/repos/:owner/:repo";

export const codeRoutes: readonly Route[] = [
  { method: "GET", pattern: `${AT}/contents`, answer: getContents },
  { method: "GET", pattern: `${AT}/contents/:path*`, answer: getContents },
  { method: "GET", pattern: `${AT}/branches`, answer: listBranches },
  { method: "GET", pattern: `${AT}/branches/:branch*`, answer: getBranch },
  { method: "GET", pattern: `${AT}/git/ref/:ref*`, answer: getRef },
  { method: "GET", pattern: `${AT}/git/refs/:ref*`, answer: getRef },
  { method: "GET", pattern: `${AT}/git/matching-refs/:ref*`, answer: listMatchingRefs },
  { method: "POST", pattern: `${AT}/git/refs`, answer: postRef },
  { method: "DELETE", pattern: `${AT}/git/refs/:ref*`, answer: deleteRef },
  { method: "GET", pattern: `${AT}/compare/:range*`, answer: compare },
  { method: "GET", pattern: `${AT}/commits`, answer: listCommits },
  { method: "GET", pattern: `${AT}/commits/:ref*`, answer: getCommit },
];

const READ: Need = { app: { contents: "read" }, person: "read", writes: false };
const WRITE: Need = { app: { contents: "write" }, person: "write", writes: true };

async function getContents(call: Call): Promise<Reply> {
  const repo = openRepo(call, READ);
  const path = (call.params["path"] ?? "").replace(/\/$/, "");
  const ref = call.query.get("ref") ?? repo.defaultBranch;
  const commit = await resolveCommit(repo.gitDir, ref);
  if (!commit) throw new GitHubError(404, `No commit found for the ref ${ref}`);
  const place = { repo, commit, ref };
  const [type = "", sha = ""] = (await typeOf(repo, commit, path)) ?? [];
  if (type === "tree") return ok(await readFolder(call, place, path));
  if (type !== "blob") throw notFound();
  const bytes = await gitBytes(repo.gitDir, ["cat-file", "blob", sha]);
  if (/\.raw\b/.test(call.accept)) {
    return { status: 200, body: bytes, type: "application/vnd.github.raw; charset=utf-8" };
  }
  const content = bytes.toString("base64").replaceAll(/.{60}/g, "$&\n");
  return ok({
    ...entryJson(call, place, { path, type: "file", sha, size: bytes.length }),
    content,
    encoding: "base64",
  });
}

async function typeOf(repo: Repo, commit: string, path: string): Promise<readonly [string, string] | null> {
  const sha = await askGit(repo.gitDir, ["rev-parse", "--verify", "--quiet", `${commit}:${path}`]);
  return sha ? [(await git(repo.gitDir, ["cat-file", "-t", sha])).trim(), sha] : null;
}

type Place = { readonly repo: Repo; readonly commit: string; readonly ref: string };
type Entry = { readonly path: string; readonly type: "file" | "dir"; readonly sha: string; readonly size: number };

async function readFolder(call: Call, place: Place, path: string) {
  const listing = await git(place.repo.gitDir, ["ls-tree", "-z", "--long", `${place.commit}:${path}`]);
  return listing
    .split("\0")
    .filter(Boolean)
    .map((line) => {
      const [facts = "", name = ""] = line.split("\t");
      const [, type, sha = "", size = ""] = facts.split(/\s+/);
      const full = path === "" ? name : `${path}/${name}`;
      return entryJson(call, place, {
        path: full,
        type: type === "tree" ? "dir" : "file",
        sha,
        size: Number(size) || 0,
      });
    });
}

function entryJson(call: Call, { repo, ref }: Place, entry: Entry) {
  const path = entry.path.split("/").map(encodeURIComponent).join("/");
  const url = `${repoApiUrl(call.sim, repo)}/contents/${path}?ref=${encodeURIComponent(ref)}`;
  const kind = entry.type === "dir" ? "tree" : "blob";
  const gitUrl = `${repoApiUrl(call.sim, repo)}/git/${kind}s/${entry.sha}`;
  const html = `${repoHtmlUrl(call.sim, repo)}/${kind}/${ref}/${path}`;
  return {
    name: entry.path.split("/").at(-1) ?? "",
    path: entry.path,
    sha: entry.sha,
    size: entry.size,
    url,
    html_url: html,
    git_url: gitUrl,
    download_url: entry.type === "dir" ? null : `${repoHtmlUrl(call.sim, repo)}/raw/${ref}/${path}`,
    type: entry.type,
    _links: { self: url, git: gitUrl, html },
  };
}

async function listBranches(call: Call): Promise<Reply> {
  const repo = openRepo(call, READ);
  const text = await git(repo.gitDir, ["for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads"]);
  const branches = text.split("\n").filter(Boolean);
  return page(call, branches, (slice) =>
    slice.map((line) => ({
      name: line.slice(41),
      commit: { sha: line.slice(0, 40), url: `${repoApiUrl(call.sim, repo)}/commits/${line.slice(0, 40)}` },
      protected: isProtected(repo, line.slice(41)),
    })),
  );
}

async function getBranch(call: Call): Promise<Reply> {
  const repo = openRepo(call, READ);
  const name = call.params["branch"] ?? "";
  const sha = await branchTip(repo.gitDir, name);
  const [commit] = sha ? await readCommits(repo, ["--max-count=1", sha]) : [];
  if (!commit) throw new GitHubError(404, "Branch not found");
  const url = `${repoApiUrl(call.sim, repo)}/branches/${name}`;
  const html = `${repoHtmlUrl(call.sim, repo)}/tree/${name}`;
  return ok({
    name,
    commit: commitJson(call.sim, repo, commit),
    _links: { self: url, html },
    protected: isProtected(repo, name),
    protection: {
      enabled: isProtected(repo, name),
      required_status_checks: { enforcement_level: "off", contexts: [], checks: [] },
    },
    protection_url: `${url}/protection`,
  });
}

async function getRef(call: Call): Promise<Reply> {
  const repo = openRepo(call, READ);
  const ref = `refs/${call.params["ref"]}`;
  const sha = await askGit(repo.gitDir, ["rev-parse", "--verify", "--quiet", "--end-of-options", ref]);
  if (!sha) throw notFound();
  return ok(refJson(call.sim, repo, { ref, sha }));
}

async function listMatchingRefs(call: Call): Promise<Reply> {
  const repo = openRepo(call, READ);
  const prefix = `refs/${call.params["ref"]}`;
  const text = await git(repo.gitDir, ["for-each-ref", "--format=%(objectname) %(refname)"]);
  const refs = text
    .split("\n")
    .filter((line) => line.slice(41).startsWith(prefix))
    .map((line) => ({ sha: line.slice(0, 40), ref: line.slice(41) }));
  return page(call, refs, (slice) => slice.map((ref) => refJson(call.sim, repo, ref)));
}

async function postRef(call: Call): Promise<Reply> {
  const repo = openRepo(call, WRITE);
  const { ref, sha } = readBody(call, z.object({ ref: z.string().regex(/^refs\/(heads|tags)\/.+/), sha: z.string() }));
  const sender = authorOf(call.sim, call.actor);
  return call.sim.inTurn(repo, async () => {
    if (!(await resolveCommit(repo.gitDir, sha))) {
      throw new GitHubError(422, "Object does not exist");
    }
    if (await askGit(repo.gitDir, ["rev-parse", "--verify", "--quiet", ref])) {
      throw new GitHubError(422, "Reference already exists");
    }
    await git(repo.gitDir, ["update-ref", ref, sha, ZERO_SHA]);
    await applyPush(call.sim, { repo, sender }, [{ ref, before: ZERO_SHA, after: sha }]);
    return created(refJson(call.sim, repo, { ref, sha }));
  });
}

async function deleteRef(call: Call): Promise<Reply> {
  const repo = openRepo(call, WRITE);
  const ref = `refs/${call.params["ref"]}`;
  const sender = authorOf(call.sim, call.actor);
  return call.sim.inTurn(repo, async () => {
    const before = await askGit(repo.gitDir, ["rev-parse", "--verify", "--quiet", "--end-of-options", ref]);
    if (!before || ref.startsWith("refs/pull/")) throw new GitHubError(422, "Reference does not exist");
    await git(repo.gitDir, ["update-ref", "-d", ref]);
    await applyPush(call.sim, { repo, sender }, [{ ref, before, after: ZERO_SHA }]);
    return noContent();
  });
}

async function compare(call: Call): Promise<Reply> {
  const repo = openRepo(call, READ);
  const [from = "", to = ""] = (call.params["range"] ?? "").split("...");
  const [base, head] = await Promise.all([resolveCommit(repo.gitDir, from), resolveCommit(repo.gitDir, to)]);
  const common = base && head ? await mergeBase(repo.gitDir, base, head) : null;
  if (!base || !head || !common) throw notFound();
  const commits = await readCommits(repo, [`${base}..${head}`]);
  const behind = Number(await git(repo.gitDir, ["rev-list", "--count", `${head}..${base}`]));
  const files = await readDiff(repo.gitDir, base, head);
  const [baseCommit, commonCommit] = await Promise.all([oneCommit(call, repo, base), oneCommit(call, repo, common)]);
  const status = commits.length === 0 ? (behind === 0 ? "identical" : "behind") : behind === 0 ? "ahead" : "diverged";
  const range = `compare/${from}...${to}`;
  return ok({
    url: `${repoApiUrl(call.sim, repo)}/${range}`,
    html_url: `${repoHtmlUrl(call.sim, repo)}/${range}`,
    permalink_url: `${repoHtmlUrl(call.sim, repo)}/${range}`,
    diff_url: `${repoHtmlUrl(call.sim, repo)}/${range}.diff`,
    patch_url: `${repoHtmlUrl(call.sim, repo)}/${range}.patch`,
    base_commit: baseCommit,
    merge_base_commit: commonCommit,
    status,
    ahead_by: commits.length,
    behind_by: behind,
    total_commits: commits.length,
    commits: commits.map((commit) => commitJson(call.sim, repo, commit)),
    files: files.map((file) => fileJson(call.sim, repo, { file, head })),
  });
}

async function oneCommit(call: Call, repo: Repo, sha: string) {
  const [commit] = await readCommits(repo, ["--max-count=1", sha]);
  if (!commit) throw notFound();
  return commitJson(call.sim, repo, commit);
}

async function listCommits(call: Call): Promise<Reply> {
  const repo = openRepo(call, READ);
  const sha = await resolveCommit(repo.gitDir, call.query.get("sha") ?? repo.defaultBranch);
  if (!sha) throw notFound();
  const commits = (await readCommits(repo, [sha])).toReversed();
  return page(call, commits, (slice) => slice.map((commit) => commitJson(call.sim, repo, commit)));
}

async function getCommit(call: Call): Promise<Reply> {
  const repo = openRepo(call, READ);
  const sha = await resolveCommit(repo.gitDir, call.params["ref"] ?? "");
  if (!sha) throw new GitHubError(422, `No commit found for SHA: ${call.params["ref"]}`);
  const commit = await oneCommit(call, repo, sha);
  const parent = commit.parents[0]?.sha;
  const files = parent ? await readDiff(repo.gitDir, parent, sha) : [];
  const additions = files.reduce((sum, file) => sum + file.additions, 0);
  const deletions = files.reduce((sum, file) => sum + file.deletions, 0);
  return ok({
    ...commit,
    stats: { additions, deletions, total: additions + deletions },
    files: files.map((file) => fileJson(call.sim, repo, { file, head: sha })),
  });
}
