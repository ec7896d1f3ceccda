import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { App, Octokit } from "octokit";
import { expect, test } from "vitest";
import { takeDelivery } from "../../src/run/take-delivery.ts";
import { readDelivery } from "../../src/webhook/app.ts";
import { resolveCommit } from "../../src/workspace/mirror.ts";
import { AT, REPO } from "../github.ts";
import { RULES } from "../trigger/builders.ts";
import { World } from "../world.ts";

const FOLLOWED_MS = 30_000;
const SILENT = { conversations: [{ name: "never", turns: [{ text: "Never asked." }] }] };

async function repositoryOf({ github }: World) {
  const { appId, privateKey } = github;
  const app = new App({ appId, privateKey, Octokit: Octokit.defaults({ baseUrl: github.apiUrl }) });
  const installationId = (await app.octokit.rest.apps.getRepoInstallation(AT)).data.id;
  const { id } = (await (await app.getInstallationOctokit(installationId)).rest.repos.get(AT)).data;
  return { installationId, id };
}

test("an installation is mirrored before anybody asks, a push moves the mirrors there are, and neither is a task", async () => {
  await using world = await World.open({
    wire: "anthropic",
    script: SILENT,
    files: { "a.txt": "one\n" },
  });
  const { github, settings, store } = world;
  const mirrors = join(settings.dataDir, "mirrors");
  const push = (text: string) =>
    github.commitFiles(REPO, "main", { login: "ada", message: text, files: { "a.txt": `${text}\n` } });
  const follows = async (sha: string, gitDir: string) => {
    await world.until(FOLLOWED_MS, async () => {
      const tip = existsSync(gitDir) ? await resolveCommit({ gitDir }, "refs/heads/main").catch(() => null) : null;
      return tip === sha ? tip : null;
    });
  };
  const unknown = await push("two");
  await github.settled();

  const { installationId, id } = await repositoryOf(world);
  const payload = { action: "created", installation: { id: installationId }, repositories: [{ id, full_name: REPO }] };
  await takeDelivery(store.queue, readDelivery({ guid: "g", event: "installation", payload }, RULES), Date.now);
  const gitDir = join(mirrors, `${id}.git`);
  await follows(unknown, gitDir);
  // One worker does one after the other: the push before it made no mirror of its own.
  expect((await readdir(mirrors)).filter((name) => name.endsWith(".git"))).toEqual([`${id}.git`]);
  await follows(await push("three"), gitDir);
  const said = await store.database.query(
    "SELECT event, decision, reason FROM pullwright.deliveries ORDER BY received_at",
  );
  const ignored = (event: string) => ({ event, decision: "ignore", reason: "only mirrors follow" });
  expect(said).toEqual([ignored("push"), ignored("installation.created"), ignored("push")]);
  expect(await store.database.query("SELECT id FROM pullwright.tasks")).toEqual([]);
});
