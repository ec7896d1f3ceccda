/** What every forge keeps, held against the stand-in for GitHub with the real octokit. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Octokit } from "octokit";
import { expect, test } from "vitest";
import { startGitHub, type GitHub, type GitHubSeed } from "../../sim/github/github.ts";
import { TransientError, UserError } from "../../src/failure.ts";
import { openClients } from "../../src/forge/github-client.ts";
import { openForge } from "../../src/forge/github.ts";
import type { PublicText } from "../../src/publication.ts";
import { publicText } from "../../src/policy/redact.ts";
import type { RepoRef } from "../../src/repo-event.ts";

const AT = "acme/shop";

const SEED = {
  users: [
    { login: "acme", type: "Organization" },
    { login: "ada" },
    { login: "rob" },
    { login: "eve" },
    { login: "adm" },
  ],
  repositories: [
    {
      owner: "acme",
      name: "shop",
      private: true,
      content: { "a.txt": "one\ntwo\nthree\n" },
      collaborators: { ada: "write", rob: "read", adm: "admin" },
    },
    { owner: "acme", name: "open", content: { "a.txt": "a\n" }, collaborators: { ada: "write", rob: "read" } },
  ],
} satisfies GitHubSeed;

async function openWorld(seed: GitHubSeed = SEED) {
  const github = await startGitHub({ seed });
  const options = { appId: github.appId, privateKey: github.privateKey, apiUrl: github.apiUrl };
  const { app } = openClients(options);
  const refOf = async (name: string): Promise<RepoRef> => {
    const { data } = await app.rest.apps.getRepoInstallation({ owner: "acme", repo: name });
    const { data: repo } = await as(github, "ada").rest.repos.get({ owner: "acme", repo: name });
    return { installationId: data.id, id: repo.id, owner: "acme", name, defaultBranch: "main" };
  };
  return {
    github,
    refOf,
    repo: await refOf("shop"),
    ...openForge(options),
    [Symbol.asyncDispose]: () => github.close(),
  };
}

function as(github: GitHub, login: string): Octokit {
  return new Octokit({
    auth: github.tokenFor(login),
    baseUrl: github.apiUrl,
    throttle: { enabled: false },
    retry: { enabled: false },
  });
}

async function idOf(github: GitHub, login: string): Promise<number> {
  return (await as(github, "ada").rest.users.getByUsername({ username: login })).data.id;
}

const words = (text: string): PublicText => publicText(text, { secrets: [] });
const SHOP = { owner: "acme", repo: "shop" };
const MARK = "<!-- pullwright:task:progress -->";
// As publish/ appends it, after redaction.
const marked = (text: string): PublicText => `${words(text)}\n\n${MARK}` as PublicText;

/** Issue 1, and pull request 2 of ada's branch that changes line 2 of a.txt. */
async function openThreads(github: GitHub) {
  await as(github, "ada").rest.issues.create({ ...SHOP, title: "Broken", body: "It is." });
  const files = { "a.txt": "one\n2\nthree\n" };
  const headSha = await github.commitFiles(AT, "change", { login: "ada", message: "Change", from: "main", files });
  await as(github, "ada").rest.pulls.create({ ...SHOP, title: "Change", body: "Two", head: "change", base: "main" });
  return { headSha, issue: { kind: "issue", number: 1 }, pull: { kind: "pull", number: 2 } } as const;
}

test("a person's permission is asked by id, and unknown is none", async () => {
  await using world = await openWorld();
  const open = await world.refOf("open");
  const ask = async (login: string, repo = world.repo) =>
    world.reader.permission(repo, await idOf(world.github, login));
  expect(await ask("adm")).toBe("admin");
  expect(await ask("ada")).toBe("write");
  expect(await ask("rob")).toBe("read");
  expect(await ask("eve")).toBe("none");
  expect(await ask("ada", open)).toBe("write");
  // Everyone may read a public repository; that is no right.
  expect(await ask("eve", open)).toBe("none");
  expect(await world.reader.permission(world.repo, 999_999)).toBe("none");
});

test("a login that now belongs to someone else gives no right", async () => {
  await using world = await openWorld();
  const [ada, rob] = [await idOf(world.github, "ada"), await idOf(world.github, "rob")];
  const body = { id: rob, login: "ada", type: "User" };
  world.github.failNext({ path: new RegExp(`/user/${rob}$`), status: 200, body });
  expect(await world.reader.permission(world.repo, rob)).toBe("none");
  expect(await world.reader.permission(world.repo, ada)).toBe("write");
});

test("a permission that cannot be asked is no answer", async () => {
  await using world = await openWorld();
  const ada = await idOf(world.github, "ada");
  world.github.failNext({
    path: /permission$/,
    status: 403,
    body: { message: "Resource not accessible by integration" },
  });
  await expect(world.reader.permission(world.repo, ada)).rejects.toThrow(UserError);
});

test("comments come in order, with what their authors may do", async () => {
  await using world = await openWorld();
  const { issue, pull } = await openThreads(world.github);
  await as(world.github, "ada").rest.issues.createComment({ ...SHOP, issue_number: 1, body: "mine" });
  await as(world.github, "rob").rest.issues.createComment({ ...SHOP, issue_number: 1, body: "his" });
  await world.writer.createComment(world.repo, { kind: "conversation", thread: issue }, words("ours"));
  expect(await world.reader.comments(world.repo, issue)).toMatchObject([
    { author: { login: "ada", isBot: false }, isInsider: true, body: "mine" },
    { author: { login: "rob", isBot: false }, isInsider: false, body: "his" },
    { author: { login: "pullwright[bot]", isBot: true }, isInsider: false, body: "ours" },
  ]);
  await as(world.github, "rob").rest.pulls.createReview({
    ...SHOP,
    pull_number: 2,
    event: "COMMENT",
    body: "A review",
  });
  expect(await world.reader.comments(world.repo, pull)).toMatchObject([
    { author: { login: "rob" }, isInsider: false, body: "A review" },
  ]);
});

test("a pull request is read with where its head lives", async () => {
  await using world = await openWorld();
  const { headSha } = await openThreads(world.github);
  expect(await world.reader.pull(world.repo, 2)).toEqual({
    number: 2,
    title: "Change",
    body: "Two",
    author: { id: await idOf(world.github, "ada"), login: "ada", isBot: false },
    state: "open",
    isDraft: false,
    baseBranch: "main",
    baseSha: expect.stringMatching(/^[0-9a-f]{40}$/),
    headBranch: "change",
    headSha,
    isFork: false,
  });
  await expect(world.reader.pull(world.repo, 99)).rejects.toThrow(/GitHub could not read the pull request: it is gone/);
});

test("reactions are made once on everything that can carry one", async () => {
  await using world = await openWorld();
  await openThreads(world.github);
  const { data: comment } = await as(world.github, "ada").rest.issues.createComment({
    ...SHOP,
    issue_number: 1,
    body: "x",
  });
  const target = { kind: "comment", comment: { kind: "conversation", id: comment.id } } as const;
  const first = await world.writer.react(world.repo, target, "eyes");
  expect(await world.writer.react(world.repo, target, "eyes")).toEqual(first);
  const thread = await world.writer.react(world.repo, { kind: "thread", number: 2 }, "+1");
  expect(thread.url).toBe(`${world.github.url}/acme/shop/issues/2`);
  expect(world.github.reactions(AT).map(({ content, login }) => `${login} ${content}`)).toEqual(
    expect.arrayContaining(["pullwright[bot] eyes", "pullwright[bot] +1"]),
  );
});

test("our own comment is found by its marker, another's with the same marker is not", async () => {
  await using world = await openWorld();
  const { issue } = await openThreads(world.github);
  const place = { kind: "conversation", thread: issue } as const;
  await as(world.github, "rob").rest.issues.createComment({ ...SHOP, issue_number: 1, body: MARK });
  expect(await world.writer.findComment(world.repo, place, MARK)).toBeNull();
  const made = await world.writer.createComment(world.repo, place, marked("Working"));
  expect(await world.writer.findComment(world.repo, place, MARK)).toEqual(made);
  expect(await world.writer.updateComment(world.repo, place, made.ref, marked("Done"))).toEqual(made);
  expect(world.github.comments(AT, 1).map(({ body }) => body)).toEqual([MARK, `Done\n\n${MARK}`]);
});

test("a comment that someone deleted is written anew", async () => {
  await using world = await openWorld();
  const { issue } = await openThreads(world.github);
  const place = { kind: "conversation", thread: issue } as const;
  const made = await world.writer.createComment(world.repo, place, words("Working"));
  await as(world.github, "adm").rest.issues.deleteComment({ ...SHOP, comment_id: Number(made.ref) });
  const again = await world.writer.updateComment(world.repo, place, made.ref, words("Done"));
  expect(again.ref).not.toBe(made.ref);
  expect(world.github.comments(AT, 1).map(({ body }) => body)).toEqual(["Done"]);
});

test("a comment whose answer was lost is made once and found again", async () => {
  await using world = await openWorld();
  const { issue } = await openThreads(world.github);
  const place = { kind: "conversation", thread: issue } as const;
  world.github.failNext({ method: "POST", path: /issues\/1\/comments$/, status: 502, when: "after" });
  await expect(world.writer.createComment(world.repo, place, marked("Working"))).rejects.toThrow(TransientError);
  expect(world.github.comments(AT, 1)).toHaveLength(1);
  expect(await world.writer.findComment(world.repo, place, MARK)).not.toBeNull();
});

test("one review holds all remarks, and its threads can be read, answered and resolved", async () => {
  await using world = await openWorld();
  const { headSha } = await openThreads(world.github);
  const review = {
    pull: 2,
    headSha,
    body: marked("Two remarks"),
    comments: [
      { path: "a.txt", startLine: 2, line: 2, body: words("This line") },
      { path: "a.txt", startLine: 1, line: 3, body: words("These lines") },
    ],
  };
  const made = await world.writer.createReview(world.repo, review);
  expect(await world.writer.findReview(world.repo, 2, MARK)).toEqual(made);
  expect(await world.writer.findReview(world.repo, 2, "<!-- another -->")).toBeNull();
  expect(world.github.reviews(AT, 2)).toMatchObject([{ state: "COMMENTED", commit_id: headSha }]);
  expect(world.github.reviewComments(AT, 2)).toMatchObject([
    { line: 2, start_line: null, side: "RIGHT" },
    { line: 3, start_line: 1, side: "RIGHT" },
  ]);

  const root = world.github.reviewComments(AT, 2)[0]?.id ?? 0;
  const place = { kind: "review-thread", pull: 2, rootCommentId: root } as const;
  const reply = await world.writer.createComment(world.repo, place, marked("Fixed"));
  expect(await world.writer.findComment(world.repo, place, MARK)).toEqual(reply);
  expect(await world.writer.updateComment(world.repo, place, reply.ref, words("Fixed at last"))).toEqual(reply);
  expect(await world.reader.reviewThread(world.repo, 2, root)).toMatchObject({
    path: "a.txt",
    line: 2,
    diffHunk: expect.stringContaining("@@"),
    comments: [{ body: "This line" }, { body: "Fixed at last" }],
  });
  const comment = { kind: "review-thread", id: root, rootId: root } as const;
  await world.writer.react(world.repo, { kind: "comment", comment }, "eyes");

  const resolved = await world.writer.resolveThread(world.repo, 2, root);
  expect(resolved.url).toBe(`${world.github.url}/acme/shop/pull/2#discussion_r${root}`);
  expect(await world.writer.resolveThread(world.repo, 2, root)).toEqual(resolved);
  expect(world.github.resolvedThreads(AT)).toEqual([root]);
  await expect(world.writer.resolveThread(world.repo, 2, 1)).rejects.toThrow("The review thread to resolve is gone.");
});

test("a thread beyond the first page is found too", async () => {
  await using world = await openWorld();
  const { headSha } = await openThreads(world.github);
  const remark = { path: "a.txt", startLine: 2, line: 2, body: words("x") };
  await world.writer.createReview(world.repo, {
    pull: 2,
    headSha,
    body: words("Many"),
    comments: Array(130).fill(remark),
  });
  const last = world.github.reviewComments(AT, 2).at(-1)?.id ?? 0;
  await world.writer.resolveThread(world.repo, 2, last);
  expect(world.github.resolvedThreads(AT)).toEqual([last]);
  expect((await world.reader.reviewThread(world.repo, 2, last)).comments).toHaveLength(1);
});

test("a pull request is opened once for its branch, found again and updated", async () => {
  await using world = await openWorld();
  await world.github.commitFiles(AT, "agent/1-x", {
    login: "ada",
    message: "x",
    from: "main",
    files: { "b.txt": "b\n" },
  });
  expect(await world.writer.findPull(world.repo, "agent/1-x")).toBeNull();
  const pull = { head: "agent/1-x", base: "main", title: words("Fix"), body: words("Closes #1"), draft: true };
  const made = await world.writer.createPull(world.repo, pull);
  expect(await world.writer.findPull(world.repo, "agent/1-x")).toEqual(made);
  const update = { title: words("Fix it"), body: words("All of it") };
  expect(await world.writer.updatePull(world.repo, made.ref, update)).toEqual(made);
  expect(world.github.pulls(AT)).toMatchObject([{ title: "Fix it", body: "All of it", draft: true }]);
  await expect(world.writer.createPull(world.repo, pull)).rejects.toThrow(/GitHub refused to open the pull request/);
});

test("a pull request of a person's is not taken for ours", async () => {
  await using world = await openWorld();
  await openThreads(world.github);
  expect(await world.writer.findPull(world.repo, "change")).toBeNull();
});

test("a check run is made, found by our id and finished", async () => {
  await using world = await openWorld();
  const { headSha } = await openThreads(world.github);
  const check = {
    name: "Pullwright",
    headSha,
    externalId: "task:check",
    state: "in_progress",
    title: words("Working"),
    summary: words("..."),
  } as const;
  expect(await world.writer.findCheck(world.repo, headSha, "task:check")).toBeNull();
  const made = await world.writer.createCheck(world.repo, check);
  expect(await world.writer.findCheck(world.repo, headSha, "task:check")).toEqual(made);
  await world.writer.updateCheck(world.repo, made.ref, { ...check, state: "neutral", title: words("Done") });
  expect(world.github.checkRuns(AT)).toMatchObject([
    { status: "completed", conclusion: "neutral", external_id: "task:check", output: { title: "Done" } },
  ]);
});

test("git gets in with a token for this repository only: one to read, one to push", async () => {
  await using world = await openWorld();
  const git = async (url: string, token: string, ...args: string[]): Promise<string> => {
    const all = ["-c", "credential.helper=", args[0] ?? "", url, ...args.slice(1)];
    // Not the synchronous kind: the server that git speaks to is in this process.
    const { stdout } = await promisify(execFile)("git", all, {
      cwd: world.github.gitDir(AT),
      timeout: 20_000,
      env: {
        ...{ PATH: process.env["PATH"] ?? "", GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" },
        ...{ GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "http.extraHeader" },
        GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`,
      },
    });
    return stdout;
  };
  const read = await world.reader.readAccess(world.repo);
  expect(read.url).toBe(`${world.github.url}/acme/shop.git`);
  expect(await git(read.url, read.token, "ls-remote", "main")).toContain("refs/heads/main");
  await expect(git(read.url, read.token, "push", "main:refs/heads/agent/1")).rejects.toThrow();
  const push = await world.writer.pushAccess(world.repo);
  await git(push.url, push.token, "push", "main:refs/heads/agent/1");
  expect(await git(read.url, read.token, "ls-remote")).toContain("refs/heads/agent/1");
  const other = push.url.replace("shop", "open");
  await expect(git(other, push.token, "push", "main:refs/heads/agent/1")).rejects.toThrow();
});

test("we know our name, and ask for it once", async () => {
  await using world = await openWorld();
  expect(await world.appSlug()).toBe("pullwright");
  const bot = await idOf(world.github, "pullwright[bot]");
  const identity = { name: "pullwright[bot]", email: `${bot}+pullwright[bot]@users.noreply.127.0.0.1` };
  expect(await world.writer.identity(world.repo)).toEqual(identity);
  expect(await world.writer.identity(world.repo)).toEqual(identity);
  expect(world.github.requests.filter(({ path }) => path === "/api/v3/app")).toHaveLength(1);
});

test("a missing permission is named", async () => {
  await using world = await openWorld({ ...SEED, app: { permissions: { metadata: "read", contents: "write" } } });
  const create = world.writer.createComment(
    world.repo,
    { kind: "conversation", thread: { kind: "issue", number: 1 } },
    words("x"),
  );
  await expect(create).rejects.toThrow(UserError);
  await expect(create).rejects.toThrow(/did not let the App comment: it lacks the permission `issues: write`/);
});

test("a failure of GitHub's is tried again, and then passed on as one that may go away", async () => {
  await using world = await openWorld();
  await openThreads(world.github);
  world.github.failNext({ method: "GET", path: /pulls\/2$/, status: 502 });
  expect((await world.reader.pull(world.repo, 2)).number).toBe(2);
  const limit = { message: "You have exceeded a secondary rate limit." };
  world.github.failNext({
    method: "GET",
    path: /pulls\/2$/,
    status: 403,
    headers: { "retry-after": "60" },
    body: limit,
  });
  await expect(world.reader.pull(world.repo, 2)).rejects.toThrow(TransientError);
});
