/** Check runs: the part of ForgeWriter that speaks about a commit. */
import type { RepoRef } from "../repo-event.ts";
import type { ForgeWriter, NewCheck, Written } from "./forge.ts";
import { ask } from "./github-client.ts";
import { readPages } from "./github-reader.ts";
import type { Desk } from "./github-writer.ts";

const WRITE = { doing: "write the check run", needs: "checks: write" };

type CheckWriter = Pick<ForgeWriter, "findCheck" | "createCheck" | "updateCheck">;

export function createCheckWriter(open: (repo: RepoRef) => Promise<Desk>, appId: number): CheckWriter {
  return {
    findCheck: async (repo, headSha, externalId) => {
      const { client, at, webUrl } = await open(repo);
      const runs = await ask({ doing: "read the check runs", needs: "checks: read" }, () =>
        readPages(
          client.paginate.iterator(client.rest.checks.listForRef, {
            ...at,
            ref: headSha,
            app_id: appId,
            filter: "all",
            per_page: 100,
          }),
        ),
      );
      const run = runs.find((one) => one.external_id === externalId && one.app?.id === appId);
      return run ? written(run, webUrl) : null;
    },
    createCheck: async (repo, check) => {
      const { client, at, webUrl } = await open(repo);
      const { data } = await ask(WRITE, () =>
        client.rest.checks.create({
          ...at,
          head_sha: check.headSha,
          external_id: check.externalId,
          ...readBody(check),
        }),
      );
      return written(data, webUrl);
    },
    updateCheck: async (repo, ref, check) => {
      const { client, at, webUrl } = await open(repo);
      const { data } = await ask(WRITE, () =>
        client.rest.checks.update({ ...at, check_run_id: Number(ref), ...readBody(check) }),
      );
      return written(data, webUrl);
    },
  };
}

function readBody({ name, state, title, summary }: NewCheck) {
  const status =
    state === "in_progress"
      ? ({ status: "in_progress" } as const)
      : ({ status: "completed", conclusion: state } as const);
  return { name, ...status, output: { title, summary } };
}

function written(
  { id, html_url: url }: { readonly id: number; readonly html_url: string | null },
  webUrl: string,
): Written {
  return { ref: String(id), url: url ?? `${webUrl}/runs/${id}` };
}
