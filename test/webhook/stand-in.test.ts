/** The whole door with the stand-in for GitHub before it: what people do there becomes decisions here. */
import { Octokit } from "octokit";
import { pino } from "pino";
import { expect, test, vi } from "vitest";
import { startGitHub } from "../../sim/github/github.ts";
import { pullwrightApp, type Delivery } from "../../src/webhook/app.ts";
import { startWebhookServer } from "../../src/webhook/server.ts";
import { RULES } from "../trigger/builders.ts";

const SHOP = { owner: "acme", repo: "shop" };

test("what people do on GitHub is decided, and GitHub is asked nothing for it", async () => {
  await using github = await startGitHub({
    seed: {
      users: [{ login: "acme", type: "Organization" }, { login: "ada" }],
      repositories: [{ ...SHOP, name: "shop", content: { "a.txt": "a\n" }, collaborators: { ada: "write" } }],
    },
  });
  const accepted: Delivery[] = [];
  const log = pino({ level: "silent" });
  const server = await startWebhookServer({
    ...{ appId: github.appId, privateKey: github.privateKey, secret: github.webhookSecret, apiUrl: github.apiUrl },
    ...{ host: "127.0.0.1", port: 0, webhookPath: "/hooks", webhookProxyUrl: null, log },
    app: pullwrightApp({ rules: RULES, log, accept: async (delivery) => void accepted.push(delivery) }),
  });
  try {
    github.setWebhookUrl(`${server.url}/hooks`);
    const ada = new Octokit({ auth: github.tokenFor("ada"), baseUrl: github.apiUrl, throttle: { enabled: false } });
    await ada.rest.issues.create({ ...SHOP, title: "Broken", labels: ["agent"] });
    const change = { login: "ada", message: "x", from: "main", files: { "a.txt": "b\n" } };
    await github.commitFiles("acme/shop", "change", change);
    await ada.rest.pulls.create({ ...SHOP, title: "Change", head: "change", base: "main" });
    await ada.rest.issues.createComment({ ...SHOP, issue_number: 2, body: "/agent fix it" });
    await github.settled();
    await vi.waitFor(() => expect(accepted.map(({ name }) => name)).toContain("issue_comment.created"));
  } finally {
    await server.close();
  }
  const started = accepted.flatMap(({ decision }) => (decision.kind === "start" ? [decision.request] : []));
  expect(
    started.map(({ goal, thread, asker, instruction }) => [goal, thread.number, asker.login, instruction]),
  ).toEqual([
    ["implement", 1, "ada", ""],
    ["review", 2, "ada", ""],
    ["fix", 2, "ada", "it"],
  ]);
  expect(github.deliveries.every(({ statusCode }) => statusCode === 200)).toBe(true);
  expect(github.requests.filter(({ actor }) => actor.startsWith("app"))).toEqual([]);
});
