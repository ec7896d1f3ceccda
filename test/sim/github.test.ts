/** The stand-in GitHub held to what the real one does, with the real octokit. */
import { createHmac } from "node:crypto";
import { App, Octokit } from "octokit";
import { expect, test } from "vitest";
import { startGitHub, type GitHub, type GitHubSeed } from "../../sim/github/github.ts";
import { startReceiver } from "../../sim/github/receiver.ts";

const REPO = { owner: "acme", repo: "shop" };
const AT = "acme/shop";

const SEED = {
  users: [{ login: "acme" }, { login: "ada" }, { login: "rob" }, { login: "eve" }],
  repositories: [
    {
      owner: "acme",
      name: "shop",
      content: {
        "README.md": "# Shop\n\nOne\nTwo\nThree\nFour\nFive\nSix\nSeven\nEight\nNine\n",
        "src/cart.ts": "export {};\n",
      },
      collaborators: { ada: "write", rob: "read" },
    },
    { owner: "acme", name: "vault", private: true, collaborators: { ada: "admin" } },
    { owner: "eve", name: "shop", fork_of: "acme/shop", installed: false },
  ],
} satisfies GitHubSeed;

/** The throttling plugin waits a second between writes, as real GitHub asks. */
function clientFor(github: GitHub) {
  return Octokit.defaults({ baseUrl: github.apiUrl, throttle: { enabled: false }, retry: { enabled: false } });
}

function as(github: GitHub, login: string): Octokit {
  return new (clientFor(github))({ auth: github.tokenFor(login) });
}

function appOf(github: GitHub): App {
  return new App({ appId: github.appId, privateKey: github.privateKey, Octokit: clientFor(github) });
}

async function asBot(github: GitHub): Promise<Octokit> {
  const app = appOf(github);
  const { data } = await app.octokit.rest.apps.getRepoInstallation(REPO);
  return app.getInstallationOctokit(data.id);
}

/** What a request was refused with. */
async function refusal(request: Promise<unknown>): Promise<{ status: number; message: string; errors: unknown }> {
  const error: unknown = await request.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error) || !("status" in error) || !("response" in error)) throw new Error("was not refused");
  const { data } = error.response as { data: { message: string; errors?: unknown } };
  return { status: Number(error.status), message: data.message, errors: data.errors };
}

async function openPull(github: GitHub, octokit?: Octokit) {
  await github.commitFiles(AT, "fix", {
    files: { "src/cart.ts": "export const cart = [];\n" },
    login: "ada",
    message: "Fix",
  });
  const client = octokit ?? as(github, "ada");
  return (await client.rest.pulls.create({ ...REPO, head: "fix", base: "main", title: "Fix the cart" })).data;
}

test("the App signs in, finds its installation and gets a token narrowed to one repository and permission", async () => {
  await using github = await startGitHub({ seed: SEED });
  const app = appOf(github);
  const { data: self } = await app.octokit.rest.apps.getAuthenticated();
  expect(self?.slug).toBe("pullwright");
  const { data: installation } = await app.octokit.rest.apps.getRepoInstallation(REPO);
  const { data: token } = await app.octokit.rest.apps.createInstallationAccessToken({
    installation_id: installation.id,
    repositories: ["shop"],
    permissions: { contents: "read" },
  });
  expect(token.token).toMatch(/^ghs_\w{36}$/);
  expect(token.permissions).toEqual({ contents: "read", metadata: "read" });
  expect(token.repositories?.map((repo) => repo.full_name)).toEqual([AT]);
  const client = new (clientFor(github))({ auth: token.token });
  expect(await refusal(client.rest.issues.create({ ...REPO, title: "No" }))).toMatchObject({
    status: 403,
    message: "Resource not accessible by integration",
  });
  expect((await refusal(client.rest.repos.get({ owner: "acme", repo: "vault" }))).status).toBe(404);
});

test("an installation is refused repositories and permissions it does not have", async () => {
  await using github = await startGitHub({ seed: SEED });
  const { octokit } = appOf(github);
  const { data: installation } = await octokit.rest.apps.getRepoInstallation(REPO);
  const ask = (narrow: object) =>
    refusal(octokit.rest.apps.createInstallationAccessToken({ installation_id: installation.id, ...narrow }));
  expect((await ask({ repositories: ["nowhere"] })).status).toBe(422);
  expect((await ask({ permissions: { members: "read" } })).status).toBe(422);
  expect((await refusal(octokit.rest.apps.getRepoInstallation({ owner: "eve", repo: "shop" }))).status).toBe(404);
});

test("a token expires after an hour, and a forged or foreign JWT opens nothing", async () => {
  let now = Date.now();
  await using github = await startGitHub({ seed: SEED, now: () => now });
  await using other = await startGitHub({ seed: SEED });
  const { octokit } = appOf(github);
  const { data: installation } = await octokit.rest.apps.getRepoInstallation(REPO);
  const { data } = await octokit.rest.apps.createInstallationAccessToken({ installation_id: installation.id });
  const client = new (clientFor(github))({ auth: data.token });
  expect((await client.rest.repos.get(REPO)).status).toBe(200);
  now += 3_600_001;
  expect(await refusal(client.rest.repos.get(REPO))).toMatchObject({ status: 401, message: "Bad credentials" });
  const forged = new App({ appId: github.appId, privateKey: other.privateKey, Octokit: clientFor(github) });
  expect((await refusal(forged.octokit.rest.apps.getAuthenticated())).status).toBe(401);
});

test("permission is read for strangers of a public repository, none on a private one, 404 for nobody", async () => {
  await using github = await startGitHub({ seed: SEED });
  const bot = await asBot(github);
  const ask = async (repo: string, username: string) =>
    (await bot.rest.repos.getCollaboratorPermissionLevel({ owner: "acme", repo, username })).data;
  expect(await ask("shop", "ada")).toMatchObject({ permission: "write", role_name: "write", user: { login: "ada" } });
  expect((await ask("shop", "acme")).permission).toBe("admin");
  expect((await ask("shop", "eve")).permission).toBe("read");
  expect((await ask("vault", "eve")).permission).toBe("none");
  expect((await ask("shop", "pullwright[bot]")).permission).toBe("read");
  expect((await refusal(ask("shop", "mallory"))).status).toBe(404);
});

test("people write as far as their level goes, and see no private repository of others", async () => {
  await using github = await startGitHub({ seed: SEED });
  const { data: issue } = await as(github, "eve").rest.issues.create({ ...REPO, title: "Broken", labels: ["agent"] });
  expect(issue).toMatchObject({ number: 1, author_association: "NONE", labels: [] });
  const label = { ...REPO, issue_number: 1, labels: ["agent"] };
  expect((await refusal(as(github, "rob").rest.issues.addLabels(label))).status).toBe(403);
  expect((await as(github, "ada").rest.issues.addLabels(label)).data.map((one) => one.name)).toEqual(["agent"]);
  expect((await refusal(as(github, "eve").rest.repos.get({ owner: "acme", repo: "vault" }))).status).toBe(404);
});

test("a comment by the App is the bot's, is edited in place, and reactions answer 201 then 200", async () => {
  await using github = await startGitHub({ seed: SEED });
  await as(github, "rob").rest.issues.create({ ...REPO, title: "Broken", body: "It is." });
  const bot = await asBot(github);
  const { data: comment } = await bot.rest.issues.createComment({ ...REPO, issue_number: 1, body: "On it" });
  expect(comment).toMatchObject({
    user: { login: "pullwright[bot]", type: "Bot", url: `${github.apiUrl}/users/pullwright%5Bbot%5D` },
    performed_via_github_app: { slug: "pullwright" },
  });
  await bot.rest.issues.updateComment({ ...REPO, comment_id: comment.id, body: "Done" });
  expect(github.comments(AT, 1).map((one) => one.body)).toEqual(["Done"]);
  const eyes = { ...REPO, content: "eyes" } as const;
  expect((await bot.rest.reactions.createForIssue({ ...eyes, issue_number: 1 })).status).toBe(201);
  expect((await bot.rest.reactions.createForIssue({ ...eyes, issue_number: 1 })).status).toBe(200);
  expect((await bot.rest.reactions.createForIssueComment({ ...eyes, comment_id: comment.id })).status).toBe(201);
  expect((await bot.rest.reactions.createForIssueComment({ ...eyes, comment_id: comment.id })).status).toBe(200);
  expect((await bot.rest.users.getByUsername({ username: "pullwright[bot]" })).data.type).toBe("Bot");
  const { data: user } = await bot.request("GET /user/{account_id}", { account_id: 1002 });
  expect(user.login).toBe("ada");
});

test("a second pull request for the same head, one without commits and one from nowhere are refused with 422", async () => {
  await using github = await startGitHub({ seed: SEED });
  const pull = await openPull(github);
  expect(pull).toMatchObject({ number: 1, commits: 1, additions: 1, deletions: 1, changed_files: 1, mergeable: true });
  const ada = as(github, "ada");
  const create = (head: string) => refusal(ada.rest.pulls.create({ ...REPO, head, base: "main", title: "Again" }));
  expect(await create("fix")).toEqual({
    status: 422,
    message: "Validation Failed",
    errors: [{ resource: "PullRequest", code: "custom", message: "A pull request already exists for acme:fix." }],
  });
  expect((await create("main")).errors).toMatchObject([{ message: "No commits between main and main" }]);
  expect((await create("nowhere")).errors).toEqual([{ resource: "PullRequest", field: "head", code: "invalid" }]);
  const found = await ada.rest.pulls.list({ ...REPO, head: "acme:fix", state: "all" });
  expect(found.data.map((one) => one.number)).toEqual([1]);
  expect((await ada.rest.pulls.listFiles({ ...REPO, pull_number: 1 })).data).toMatchObject([
    { filename: "src/cart.ts", status: "modified", patch: "@@ -1 +1 @@\n-export {};\n+export const cart = [];" },
  ]);
});

test("a pull request from a fork keeps the fork as its head, and its head can be read from the base repository", async () => {
  await using github = await startGitHub({ seed: SEED });
  const sha = await github.commitFiles("eve/shop", "tidy", {
    files: { "NEW.md": "new\n" },
    login: "eve",
    message: "Tidy",
  });
  const eve = as(github, "eve");
  const { data: pull } = await eve.rest.pulls.create({ ...REPO, head: "eve:tidy", base: "main", title: "Tidy" });
  expect(pull.head).toMatchObject({ sha, label: "eve:tidy", repo: { full_name: "eve/shop", fork: true } });
  const ref = await eve.rest.git.getRef({ ...REPO, ref: `pull/${pull.number}/head` });
  expect(ref.data.object.sha).toBe(sha);
});

test("a review with one comment off the diff is refused whole; on the diff it stands with its hunk", async () => {
  await using github = await startGitHub({ seed: SEED });
  await github.commitFiles(AT, "fix", {
    files: { "README.md": "# Shop\n\nOne\nTwo\nThree!\nFour\nFive\nSix\nSeven\nEight\nNine\n" },
    login: "ada",
    message: "Shout",
  });
  await as(github, "ada").rest.pulls.create({ ...REPO, head: "fix", base: "main", title: "Shout" });
  const bot = await asBot(github);
  const review = (comments: object[], more: object = {}) =>
    bot.rest.pulls.createReview({
      ...REPO,
      pull_number: 1,
      event: "COMMENT",
      body: "Look",
      comments: comments as never,
      ...more,
    });
  const good = { path: "README.md", line: 5, side: "RIGHT", body: "Why?" };
  expect(await refusal(review([good, { path: "README.md", line: 11, body: "Off" }]))).toEqual({
    status: 422,
    message: "Unprocessable Entity",
    errors: [
      "Pull request review thread line must be part of the diff and Pull request review thread diff hunk can't be blank",
    ],
  });
  expect((await refusal(review([{ ...good, path: "nowhere" }]))).status).toBe(422);
  expect((await refusal(review([good], { commit_id: "0".repeat(40) }))).status).toBe(422);
  expect(github.reviews(AT)).toEqual([]);
  await review([good, { path: "README.md", start_line: 4, line: 6, body: "These" }]);
  expect(github.reviewComments(AT)).toMatchObject([
    { line: 5, start_line: null, position: 5, diff_hunk: "@@ -2,7 +2,7 @@\n \n One\n Two\n-Three\n+Three!" },
    { line: 6, start_line: 4, start_side: "RIGHT" },
  ]);
  await github.commitFiles(AT, "fix", {
    files: { "README.md": "# Shop\n\nZero\nOne\nTwo\nThree?\nFour\nFive\nSix\nSeven\nEight\nNine\n" },
    login: "ada",
    message: "Ask",
  });
  expect(github.reviewComments(AT).map((one) => one.line)).toEqual([null, 7]);
});

test("nobody approves their own pull request", async () => {
  await using github = await startGitHub({ seed: SEED });
  const bot = await asBot(github);
  await openPull(github, bot);
  const approve = { ...REPO, pull_number: 1, event: "APPROVE" } as const;
  expect(await refusal(bot.rest.pulls.createReview(approve))).toMatchObject({
    status: 422,
    errors: ["Can not approve your own pull request"],
  });
  expect((await as(github, "ada").rest.pulls.createReview(approve)).data.state).toBe("APPROVED");
});

test("a reply joins its thread, reacts like any comment, and the thread is resolved over GraphQL", async () => {
  await using github = await startGitHub({ seed: SEED });
  const pull = await openPull(github);
  const { data: root } = await as(github, "rob").rest.pulls.createReviewComment({
    ...REPO,
    pull_number: 1,
    commit_id: pull.head.sha,
    path: "src/cart.ts",
    line: 1,
    body: "Empty?",
  });
  const bot = await asBot(github);
  const { data: reply } = await bot.rest.pulls.createReplyForReviewComment({
    ...REPO,
    pull_number: 1,
    comment_id: root.id,
    body: "Yes",
  });
  expect(reply).toMatchObject({ in_reply_to_id: root.id, path: "src/cart.ts", line: 1 });
  const plus = { ...REPO, comment_id: root.id, content: "+1" } as const;
  expect((await bot.rest.reactions.createForPullRequestReviewComment(plus)).status).toBe(201);
  expect((await bot.rest.reactions.createForPullRequestReviewComment(plus)).status).toBe(200);
  type Threads = { repository: { pullRequest: { reviewThreads: { nodes: { id: string; isResolved: boolean }[] } } } };
  const query = `query ($owner: String!, $repo: String!, $number: Int!, $after: String) {
    repository(owner: $owner, name: $repo) { pullRequest(number: $number) {
      reviewThreads(first: 50, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id isResolved comments(first: 1) { nodes { databaseId } } }
      } } } }`;
  const { repository } = await bot.graphql<Threads>(query, { ...REPO, number: 1 });
  const [thread] = repository.pullRequest.reviewThreads.nodes;
  expect(thread).toMatchObject({ isResolved: false, comments: { nodes: [{ databaseId: root.id }] } });
  const mutation = `mutation ($id: ID!) { resolveReviewThread(input: { threadId: $id }) { thread { isResolved } } }`;
  expect(await bot.graphql(mutation, { id: thread?.id })).toEqual({
    resolveReviewThread: { thread: { isResolved: true } },
  });
  expect(github.resolvedThreads(AT)).toEqual([root.id]);
  await expect(bot.graphql("query { nonsense }")).rejects.toThrow("nonsense");
  await expect(as(github, "eve").graphql(mutation, { id: thread?.id })).rejects.toMatchObject({
    errors: [{ type: "FORBIDDEN" }],
  });
});

test("check runs are the App's alone, and are found again by commit and name", async () => {
  await using github = await startGitHub({ seed: SEED });
  const pull = await openPull(github);
  const bot = await asBot(github);
  const run = { ...REPO, name: "review", head_sha: pull.head.sha };
  expect((await refusal(as(github, "acme").rest.checks.create(run))).status).toBe(403);
  const { data } = await bot.rest.checks.create({ ...run, status: "in_progress", external_id: "task-1" });
  await bot.rest.checks.update({
    ...REPO,
    check_run_id: data.id,
    conclusion: "neutral",
    output: { title: "Done", summary: "ok" },
  });
  const found = await bot.rest.checks.listForRef({ ...REPO, ref: pull.head.sha, check_name: "review" });
  expect(found.data).toMatchObject({
    total_count: 1,
    check_runs: [{ id: data.id, external_id: "task-1", status: "completed", conclusion: "neutral" }],
  });
});

test("merging closes the issue the pull request says it fixes", async () => {
  await using github = await startGitHub({ seed: SEED });
  const ada = as(github, "ada");
  await ada.rest.issues.create({ ...REPO, title: "Broken" });
  await openPull(github);
  await ada.rest.pulls.update({ ...REPO, pull_number: 2, body: "Fixes #1" });
  const { data } = await ada.rest.pulls.merge({ ...REPO, pull_number: 2 });
  expect((await ada.rest.repos.getBranch({ ...REPO, branch: "main" })).data.commit.sha).toBe(data.sha);
  expect(github.issues(AT)).toMatchObject([{ number: 1, state: "closed", state_reason: "completed" }]);
  expect(github.pulls(AT)).toMatchObject([{ number: 2, state: "closed", merged: true }]);
});

test("lists come in pages with Link headers, and an unchanged answer is a 304", async () => {
  await using github = await startGitHub({ seed: SEED });
  const ada = as(github, "ada");
  await ada.rest.issues.create({ ...REPO, title: "Long" });
  for (let at = 0; at < 5; at += 1) await ada.rest.issues.createComment({ ...REPO, issue_number: 1, body: `${at}` });
  const first = await ada.rest.issues.listComments({ ...REPO, issue_number: 1, per_page: 2 });
  expect(first.headers.link).toMatch(/\/repositories\/\d+\/issues\/1\/comments\?per_page=2&page=2>; rel="next"/);
  const all = await ada.paginate(ada.rest.issues.listComments, { ...REPO, issue_number: 1, per_page: 2 });
  expect(all.map((comment) => comment.body)).toEqual(["0", "1", "2", "3", "4"]);
  const again = ada.rest.issues.listComments({
    ...REPO,
    issue_number: 1,
    per_page: 2,
    headers: { "if-none-match": first.headers.etag },
  });
  await expect(again).rejects.toMatchObject({ status: 304 });
  expect(first.headers["x-ratelimit-limit"]).toBe("5000");
});

test("a delivery is signed, logged, and redelivered under the same GUID only when someone asks", async () => {
  await using github = await startGitHub({ seed: SEED });
  await using receiver = await startReceiver();
  github.setWebhookUrl(receiver.url);
  receiver.answerWith(503);
  await as(github, "ada").rest.issues.create({ ...REPO, title: "Broken", labels: ["agent"] });
  await github.settled();
  expect(github.deliveries.map(({ event, action, status }) => [event, action, status])).toEqual([
    ["issues", "opened", "Invalid HTTP Response: 503"],
    ["issues", "labeled", "Invalid HTTP Response: 503"],
  ]);
  receiver.answerWith(202);
  const { octokit } = appOf(github);
  const { data: log } = await octokit.rest.apps.listWebhookDeliveries();
  const failed = log.find((delivery) => delivery.action === "labeled");
  await octokit.rest.apps.redeliverWebhookDelivery({ delivery_id: failed?.id ?? 0 });
  await github.settled();
  const { data: after } = await octokit.rest.apps.listWebhookDeliveries();
  expect(after[0]).toMatchObject({ guid: failed?.guid, redelivery: true, status: "OK", status_code: 202 });
  const last = receiver.received.at(-1);
  const digest = createHmac("sha256", github.webhookSecret)
    .update(last?.body ?? "")
    .digest("hex");
  expect(last?.headers).toMatchObject({
    "x-hub-signature-256": `sha256=${digest}`,
    "x-github-event": "issues",
    "x-github-delivery": failed?.guid,
    "x-github-hook-installation-target-type": "integration",
    "x-github-hook-installation-target-id": String(github.appId),
  });
  expect(last?.headers["user-agent"]).toMatch(/^GitHub-Hookshot\//);
  const { data: whole } = await octokit.rest.apps.getWebhookDelivery({ delivery_id: after[0]?.id ?? 0 });
  expect(whole.request.payload).toEqual(JSON.parse(last?.body ?? ""));
});

test("a planned failure comes once, and one planned for after loses only the answer", async () => {
  await using github = await startGitHub({ seed: SEED });
  const ada = as(github, "ada");
  github.failNext({ method: "POST", path: /\/issues$/, status: 502, headers: { "retry-after": "1" } });
  expect((await refusal(ada.rest.issues.create({ ...REPO, title: "One" }))).status).toBe(502);
  expect(github.issues(AT)).toEqual([]);
  github.failNext({ method: "POST", path: /\/issues$/, when: "after", dropConnection: true });
  await expect(ada.rest.issues.create({ ...REPO, title: "Two" })).rejects.toThrow();
  expect(github.issues(AT).map((issue) => issue.title)).toEqual(["Two"]);
  await ada.rest.issues.create({ ...REPO, title: "Three" });
  expect(github.requests.filter(({ method }) => method === "POST").map(({ status }) => status)).toEqual([
    502, 500, 201,
  ]);
});

test("contents, comparison and the repository by id are served from git", async () => {
  await using github = await startGitHub({ seed: SEED });
  await openPull(github);
  const bot = await asBot(github);
  const { data: file } = await bot.rest.repos.getContent({ ...REPO, path: "src/cart.ts", ref: "fix" });
  const content = "content" in file ? Buffer.from(file.content, "base64").toString() : "";
  expect(content).toBe("export const cart = [];\n");
  const raw = await bot.rest.repos.getContent({ ...REPO, path: "src/cart.ts", mediaType: { format: "raw" } });
  expect(raw.data).toBe("export {};\n");
  const { data: folder } = await bot.rest.repos.getContent({ ...REPO, path: "" });
  expect(Array.isArray(folder) && folder.map((entry) => [entry.name, entry.type])).toEqual([
    ["README.md", "file"],
    ["src", "dir"],
  ]);
  const { data: comparison } = await bot.rest.repos.compareCommitsWithBasehead({ ...REPO, basehead: "main...fix" });
  expect(comparison).toMatchObject({ status: "ahead", ahead_by: 1, files: [{ filename: "src/cart.ts" }] });
  const { data: repo } = await bot.rest.repos.get(REPO);
  const byId = await bot.request("GET /repositories/{id}", { id: repo.id });
  expect(byId.data.full_name).toBe(AT);
  expect((await refusal(bot.rest.repos.getContent({ ...REPO, path: "nowhere" }))).status).toBe(404);
});
