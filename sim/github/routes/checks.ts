/** Check runs. Only an App may write them. */
import { z } from "zod";
import { openRepo } from "../access.ts";
import { resolveCommit } from "../git.ts";
import { checkRunJson } from "../json/code.ts";
import type { CheckRun, Repo } from "../records.ts";
import { created, GitHubError, notFound, ok, page, readBody, type Call, type Reply } from "../reply.ts";
import type { Route } from "../router.ts";

const AT = "/repos/:owner/:repo";

export const checkRoutes: readonly Route[] = [
  { method: "POST", pattern: `${AT}/check-runs`, answer: postRun },
  { method: "GET", pattern: `${AT}/check-runs/:id`, answer: getRun },
  { method: "PATCH", pattern: `${AT}/check-runs/:id`, answer: patchRun },
  { method: "GET", pattern: `${AT}/commits/:ref/check-runs`, answer: listRuns },
];

const Output = z.object({ title: z.string(), summary: z.string(), text: z.string().optional() });
const status = z.enum(["queued", "in_progress", "completed"]);
const conclusion = z.enum(["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"]);

const RunChange = z.object({
  name: z.string().min(1).optional(),
  external_id: z.string().optional(),
  details_url: z.string().optional(),
  status: status.optional(),
  conclusion: conclusion.optional(),
  started_at: z.string().optional(),
  completed_at: z.string().optional(),
  output: Output.optional(),
});

const RunRequest = RunChange.extend({ name: z.string().min(1), head_sha: z.string() });

function openForWriting(call: Call): Repo {
  if (call.actor.kind === "person") throw new GitHubError(403, "You must authenticate via a GitHub App.");
  return openRepo(call, { app: { checks: "write" }, person: "admin", writes: true });
}

async function postRun(call: Call): Promise<Reply> {
  const { sim } = call;
  const repo = openForWriting(call);
  const request = readBody(call, RunRequest);
  if (!(await resolveCommit(repo.gitDir, request.head_sha))) {
    throw new GitHubError(422, `No commit found for SHA: ${request.head_sha}`);
  }
  const suite = repo.checkRuns.find((run) => run.headSha === request.head_sha)?.suiteId ?? sim.nextId();
  const run: CheckRun = {
    id: sim.nextId(),
    suiteId: suite,
    name: request.name,
    headSha: request.head_sha,
    externalId: "",
    detailsUrl: null,
    status: "queued",
    conclusion: null,
    startedAt: sim.time(),
    completedAt: null,
    output: { title: null, summary: null, text: null },
  };
  change(call, run, request);
  repo.checkRuns.push(run);
  return created(checkRunJson(sim, repo, run));
}

/** A conclusion completes the run by itself; completing without one is refused. */
function change(call: Call, run: CheckRun, request: z.output<typeof RunChange>): void {
  if (request.status === "completed" && !request.conclusion) {
    throw new GitHubError(
      422,
      'Invalid request.\n\nMissing required property "conclusion" when status is "completed".',
    );
  }
  run.externalId = request.external_id ?? run.externalId;
  run.detailsUrl = request.details_url ?? run.detailsUrl;
  run.startedAt = request.started_at ?? run.startedAt;
  if (request.output) run.output = { ...request.output, text: request.output.text ?? null };
  if (request.conclusion) {
    run.status = "completed";
    run.conclusion = request.conclusion;
    run.completedAt = request.completed_at ?? call.sim.time();
  } else if (request.status) {
    run.status = request.status;
    run.conclusion = null;
    run.completedAt = null;
  }
}

function findRun(call: Call, repo: Repo): CheckRun {
  const run = repo.checkRuns.find((one) => one.id === Number(call.params["id"]));
  if (!run) throw notFound();
  return run;
}

function getRun(call: Call): Reply {
  const repo = openRepo(call, { app: { checks: "read" }, person: "read", writes: false });
  return ok(checkRunJson(call.sim, repo, findRun(call, repo)));
}

function patchRun(call: Call): Reply {
  const repo = openForWriting(call);
  const run = findRun(call, repo);
  change(call, run, readBody(call, RunChange));
  return ok(checkRunJson(call.sim, repo, run));
}

/** Newest first; by default the latest of each name, as on GitHub. */
async function listRuns(call: Call): Promise<Reply> {
  const repo = openRepo(call, { app: { checks: "read" }, person: "read", writes: false });
  const sha = await resolveCommit(repo.gitDir, call.params["ref"] ?? "");
  if (!sha) throw new GitHubError(422, `No commit found for SHA: ${call.params["ref"]}`);
  const name = call.query.get("check_name");
  const wanted = call.query.get("status");
  const appId = call.query.get("app_id");
  const all = repo.checkRuns
    .filter((run) => run.headSha === sha && (name === null || run.name === name))
    .filter((run) => wanted === null || run.status === wanted)
    .filter(() => appId === null || Number(appId) === call.sim.app.id)
    .toReversed();
  const isLatest = (run: CheckRun, at: number) => all.findIndex((one) => one.name === run.name) === at;
  const found = call.query.get("filter") === "all" ? all : all.filter(isLatest);
  return page(call, found, (slice) => ({
    total_count: found.length,
    check_runs: slice.map((run) => checkRunJson(call.sim, repo, run)),
  }));
}
