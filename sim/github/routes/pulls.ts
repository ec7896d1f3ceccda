/** Pull requests: opening, finding, changing, and what their diff holds. */
import { z } from "zod";
import { openRepo, levelOf, type Need } from "../access.ts";
import { authorOf } from "../auth.ts";
import { readDiff, readDiffText } from "../diff.ts";
import { emitThread } from "../events.ts";
import { branchTip, git } from "../git.ts";
import { commitJson, fileJson, readCommits } from "../json/code.ts";
import { pullJson, pullSimpleJson } from "../json/pull.ts";
import { readStats, writePullRef } from "../pushes.ts";
import type { PullThread, Repo } from "../records.ts";
import {
  created,
  GitHubError,
  notFound,
  ok,
  page,
  readBody,
  validationFailed,
  type Call,
  type Reply,
} from "../reply.ts";
import type { Route } from "../router.ts";
import { isPull, type Sim } from "../sim.ts";
import { addThread, nextNumber, setState } from "../threads.ts";
import { editText, requireAuthorOrWriter } from "./issues.ts";

const AT = "/repos/:owner/:repo/pulls";

export const pullRoutes: readonly Route[] = [
  { method: "GET", pattern: AT, answer: listPulls },
  { method: "POST", pattern: AT, answer: postPull },
  { method: "GET", pattern: `${AT}/:number`, answer: getPull },
  { method: "PATCH", pattern: `${AT}/:number`, answer: patchPull },
  { method: "GET", pattern: `${AT}/:number/files`, answer: listFiles },
  { method: "GET", pattern: `${AT}/:number/commits`, answer: listCommits },
];

const READ_PULLS: Need = { app: { pull_requests: "read" }, person: "read", writes: false };
const WRITE_PULLS: Need = { app: { pull_requests: "write" }, person: "read", writes: true };

export function openPull(call: Call, grant: "read" | "write"): { readonly repo: Repo; readonly thread: PullThread } {
  const repo = openRepo(call, grant === "read" ? READ_PULLS : WRITE_PULLS);
  const thread = repo.threads.filter(isPull).find((one) => one.number === Number(call.params["number"]));
  if (!thread) throw notFound();
  return { repo, thread };
}

/** `head` is "owner:branch"; without an owner GitHub ignores the filter. */
function listPulls(call: Call): Reply {
  const repo = openRepo(call, READ_PULLS);
  const { query } = call;
  const state = query.get("state") ?? "open";
  const head = query.get("head")?.includes(":") ? query.get("head") : null;
  const base = query.get("base");
  const found = repo.threads
    .filter(isPull)
    .filter((thread) => state === "all" || thread.state === state)
    .filter(({ pull }) => head === null || `${pull.headRepo.owner.login}:${pull.headRef}` === head)
    .filter(({ pull }) => base === null || pull.baseRef === base);
  const ordered = query.get("direction") === "asc" ? found : found.toReversed();
  return page(call, ordered, (slice) => slice.map((thread) => pullSimpleJson(call.sim, repo, thread)));
}

const PullRequest = z.object({
  title: z.string().min(1),
  head: z.string().min(1),
  base: z.string().min(1),
  body: z.string().nullable().default(null),
  draft: z.boolean().default(false),
  maintainer_can_modify: z.boolean().default(true),
});

async function postPull(call: Call): Promise<Reply> {
  const { sim, actor } = call;
  const repo = openRepo(call, WRITE_PULLS);
  const request = readBody(call, PullRequest);
  const head = await findHead(call, repo, request.head);
  const baseSha = await branchTip(repo.gitDir, request.base);
  if (!baseSha) throw validationFailed({ resource: "PullRequest", field: "base", code: "invalid" });
  return sim.inTurn(repo, async () => {
    refuseDuplicate(repo, head, request.base);
    const number = nextNumber(repo);
    await writePullRef(repo, number, head);
    const stats = await readStats(repo, baseSha, head.sha);
    if (stats.commits === 0) {
      await git(repo.gitDir, ["update-ref", "-d", `refs/pull/${number}/head`]);
      const names =
        head.repo === repo ? [request.base, head.ref] : [`${repo.owner.login}:${request.base}`, request.head];
      throw validationFailed({
        resource: "PullRequest",
        code: "custom",
        message: `No commits between ${names.join(" and ")}`,
      });
    }
    const author = authorOf(sim, actor);
    const thread = addThread(
      sim,
      { repo, author, viaApp: actor.kind === "installation", title: request.title, body: request.body },
      {
        id: sim.nextId(),
        headRepo: head.repo,
        headRef: head.ref,
        headSha: head.sha,
        baseRef: request.base,
        baseSha,
        draft: request.draft,
        merged: null,
        stats,
        maintainerCanModify: head.repo !== repo && request.maintainer_can_modify,
      },
    );
    emitThread(sim, { repo, thread, sender: author, action: "opened" });
    return created(pullJson(sim, repo, thread));
  });
}

type Head = { readonly repo: Repo; readonly ref: string; readonly sha: string };

async function findHead(call: Call, repo: Repo, text: string): Promise<Head> {
  const invalid = () => validationFailed({ resource: "PullRequest", field: "head", code: "invalid" });
  const colon = text.indexOf(":");
  const [owner, ref] = colon < 0 ? [repo.owner.login, text] : [text.slice(0, colon), text.slice(colon + 1)];
  const headRepo = findFork(call.sim, repo, owner);
  const sha = headRepo ? await branchTip(headRepo.gitDir, ref) : null;
  if (!headRepo || !sha) throw invalid();
  const { actor } = call;
  if (actor.kind === "person" && !["admin", "write"].includes(levelOf(headRepo, actor.user))) {
    throw new GitHubError(403, "Must have write rights to Repository.");
  }
  return { repo: headRepo, ref, sha };
}

function findFork(sim: Sim, repo: Repo, owner: string): Repo | null {
  const wanted = owner.toLowerCase();
  if (repo.owner.login.toLowerCase() === wanted) return repo;
  return (
    sim.repos.find((one) => one.owner.login.toLowerCase() === wanted && (one.forkOf === repo || repo.forkOf === one)) ??
    null
  );
}

function refuseDuplicate(repo: Repo, head: Head, base: string): void {
  const isSame = repo.threads
    .filter(isPull)
    .some(
      ({ state, pull }) =>
        state === "open" && pull.headRepo === head.repo && pull.headRef === head.ref && pull.baseRef === base,
    );
  if (!isSame) return;
  const message = `A pull request already exists for ${head.repo.owner.login}:${head.ref}.`;
  throw validationFailed({ resource: "PullRequest", code: "custom", message });
}

async function getPull(call: Call): Promise<Reply> {
  const { repo, thread } = openPull(call, "read");
  if (/\.diff\b/.test(call.accept)) {
    const body = await readDiffText(repo.gitDir, thread.pull.baseSha, thread.pull.headSha);
    return { status: 200, body, type: "application/vnd.github.v3.diff; charset=utf-8" };
  }
  return ok(pullJson(call.sim, repo, thread));
}

const PullChange = z.object({
  title: z.string().min(1).optional(),
  body: z.string().nullable().optional(),
  state: z.enum(["open", "closed"]).optional(),
  base: z.string().optional(),
});

async function patchPull(call: Call): Promise<Reply> {
  const { sim } = call;
  const { repo, thread } = openPull(call, "write");
  requireAuthorOrWriter(call, repo, thread);
  const change = readBody(call, PullChange);
  if (change.base && change.base !== thread.pull.baseRef) await changeBase(repo, thread, change.base);
  editText(call, { repo, thread }, change);
  if (change.state) setState(sim, { repo, thread, sender: authorOf(sim, call.actor) }, { state: change.state });
  return ok(pullJson(sim, repo, thread));
}

async function changeBase(repo: Repo, thread: PullThread, base: string): Promise<void> {
  const sha = await branchTip(repo.gitDir, base);
  if (!sha) throw validationFailed({ resource: "PullRequest", field: "base", code: "invalid" });
  thread.pull.baseRef = base;
  thread.pull.baseSha = sha;
  thread.pull.stats = await readStats(repo, sha, thread.pull.headSha);
}

async function listFiles(call: Call): Promise<Reply> {
  const { repo, thread } = openPull(call, "read");
  const head = thread.pull.headSha;
  const files = await readDiff(repo.gitDir, thread.pull.baseSha, head);
  return page(call, files, (slice) => slice.map((file) => fileJson(call.sim, repo, { file, head })));
}

async function listCommits(call: Call): Promise<Reply> {
  const { repo, thread } = openPull(call, "read");
  const commits = await readCommits(repo, [`${thread.pull.baseSha}..${thread.pull.headSha}`]);
  return page(call, commits, (slice) => slice.map((commit) => commitJson(call.sim, repo, commit)));
}
