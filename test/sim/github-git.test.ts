/** The stand-in's git over HTTP, with the real git on the other end. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Octokit } from "octokit";
import { expect, test } from "vitest";
import { startGitHub, type GitHub, type GitHubSeed } from "../../sim/github/github.ts";

const REPO = { owner: "acme", repo: "shop" };
const AT = "acme/shop";

const SEED = {
  users: [{ login: "acme" }, { login: "ada" }, { login: "eve" }],
  repositories: [
    {
      owner: "acme",
      name: "shop",
      private: true,
      content: { "a.txt": "a\n" },
      collaborators: { ada: "write", eve: "read" },
    },
    { owner: "acme", name: "open" },
  ],
} satisfies GitHubSeed;

type Ran = { readonly code: number; readonly text: string };

/** A person's git: no configuration of this machine, the token in the environment. */
async function openDesk() {
  const dir = await mkdtemp(join(tmpdir(), "sim-github-desk-"));
  const run = async (token: string | null, args: readonly string[], cwd = dir): Promise<Ran> => {
    const header = token ? `Authorization: Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}` : "";
    const env = {
      PATH: process.env["PATH"] ?? "",
      HOME: dir,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      GIT_AUTHOR_NAME: "Ada",
      GIT_AUTHOR_EMAIL: "ada@example.com",
      GIT_COMMITTER_NAME: "Ada",
      GIT_COMMITTER_EMAIL: "ada@example.com",
      GIT_CONFIG_COUNT: header ? "1" : "0",
      GIT_CONFIG_KEY_0: "http.extraHeader",
      GIT_CONFIG_VALUE_0: header,
    };
    return promisify(execFile)("git", [...args], { cwd, env }).then(
      ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
      (error: unknown) => {
        const { code = -1, stderr = "" } = error as { code?: number; stderr?: string };
        return { code, text: stderr };
      },
    );
  };
  return { dir, run, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

async function botToken(github: GitHub, permissions: Record<string, string>): Promise<string> {
  const { App } = await import("octokit");
  const client = Octokit.defaults({ baseUrl: github.apiUrl, throttle: { enabled: false } });
  const { octokit } = new App({ appId: github.appId, privateKey: github.privateKey, Octokit: client });
  const { data } = await octokit.rest.apps.getRepoInstallation(REPO);
  const narrow = { installation_id: data.id, repositories: ["shop"], permissions };
  return (await octokit.rest.apps.createInstallationAccessToken(narrow)).data.token;
}

test("a clone needs a token, and a token without contents:write pushes nothing", async () => {
  await using github = await startGitHub({ seed: SEED });
  await using desk = await openDesk();
  const url = `${github.url}/acme/shop.git`;
  expect((await desk.run(null, ["clone", url, "none"])).text).toContain("could not read Username");
  expect((await fetch(`${url}/info/refs?service=git-upload-pack`)).headers.get("www-authenticate")).toBe(
    'Basic realm="GitHub"',
  );
  expect((await desk.run("ghs_wrong", ["clone", url, "wrong"])).text).toMatch(
    /401|Authentication failed|could not read/,
  );
  const reader = await botToken(github, { contents: "read" });
  expect(await desk.run(reader, ["clone", url, "work"])).toMatchObject({ code: 0 });
  expect((await desk.run(reader, ["clone", `${github.url}/acme/open.git`, "open"])).code).toBe(0);
  const work = join(desk.dir, "work");
  await desk.run(null, ["commit", "--allow-empty", "-m", "Nothing"], work);
  expect((await desk.run(reader, ["push", "origin", "HEAD:bot"], work)).text).toContain(
    "Permission to acme/shop.git denied to pullwright[bot]",
  );
  expect((await desk.run(github.tokenFor("eve"), ["push", "origin", "HEAD:eve"], work)).text).toContain(
    "denied to eve",
  );
  expect((await desk.run(reader, ["ls-remote", `${github.url}/acme/nowhere.git`])).text).toContain("not found");
  const writer = await botToken(github, { contents: "write" });
  expect(await desk.run(writer, ["push", "origin", "HEAD:bot"], work)).toMatchObject({ code: 0 });
});

test("a pull request follows the pushes to its branch, forced ones too, and a delivery tells of each", async () => {
  await using github = await startGitHub({ seed: SEED });
  await using desk = await openDesk();
  const ada = github.tokenFor("ada");
  const work = join(desk.dir, "work");
  await desk.run(ada, ["clone", `${github.url}/acme/shop.git`, "work"]);
  const commit = async (text: string, args: readonly string[] = []) => {
    await writeFile(join(work, "a.txt"), text);
    await desk.run(ada, ["commit", "-am", text, ...args], work);
    return (await desk.run(ada, ["rev-parse", "HEAD"], work)).text.trim();
  };
  const first = await commit("one\n");
  expect(await desk.run(ada, ["push", "origin", "HEAD:refs/heads/topic"], work)).toMatchObject({ code: 0 });
  const client = new Octokit({ baseUrl: github.apiUrl, auth: ada, throttle: { enabled: false } });
  await client.rest.pulls.create({ ...REPO, head: "topic", base: "main", title: "Topic" });
  const second = await commit("two\n", ["--amend"]);
  const lease = `--force-with-lease=topic:${first}`;
  expect(await desk.run(ada, ["push", lease, "origin", "HEAD:refs/heads/topic"], work)).toMatchObject({ code: 0 });
  expect(github.pulls(AT)).toMatchObject([{ head: { sha: second }, commits: 1 }]);
  expect((await desk.run(ada, ["ls-remote", "origin", "refs/pull/1/head"], work)).text).toContain(second);
  await commit("three\n");
  expect((await desk.run(ada, ["push", lease, "origin", "HEAD:refs/heads/topic"], work)).text).toContain("stale info");
  expect(github.deliveries.map(({ event, action }) => [event, action])).toEqual([
    ["push", null],
    ["pull_request", "opened"],
    ["push", null],
    ["pull_request", "synchronize"],
  ]);
  expect(github.deliveries.at(2)?.payload).toMatchObject({
    forced: true,
    before: first,
    after: second,
    pusher: { name: "ada" },
  });
  expect(github.deliveries.at(3)?.payload).toMatchObject({ before: first, after: second, number: 1 });
  expect((await desk.run(ada, ["push", "origin", "HEAD:refs/pull/1/head"], work)).text).toContain("hidden ref");
  await desk.run(ada, ["push", "origin", ":topic"], work);
  expect(github.pulls(AT)).toMatchObject([{ state: "closed", merged: false }]);
});

test("partial clones, shallow ones and fetches by SHA are served, over protocol version 2", async () => {
  await using github = await startGitHub({ seed: SEED });
  await using desk = await openDesk();
  const ada = github.tokenFor("ada");
  const url = `${github.url}/acme/shop.git`;
  const sha = await github.commitFiles(AT, "side", {
    files: { "big.txt": "x".repeat(100_000) },
    login: "ada",
    message: "Side",
  });
  expect(await desk.run(ada, ["clone", "--bare", "--filter=blob:none", url, "partial"])).toMatchObject({ code: 0 });
  const missing = await desk.run(ada, ["rev-list", "--objects", "--all", "--missing=print"], join(desk.dir, "partial"));
  expect(missing.text).toContain("?");
  await desk.run(ada, ["init", "--quiet", "bare"]);
  const bare = join(desk.dir, "bare");
  expect(await desk.run(ada, ["-c", "protocol.version=2", "fetch", "--depth=1", url, sha], bare)).toMatchObject({
    code: 0,
  });
  expect((await desk.run(ada, ["cat-file", "-s", `${sha}:big.txt`], bare)).text.trim()).toBe("100000");
});

test("a push of several megabytes goes through", async () => {
  await using github = await startGitHub({ seed: SEED });
  await using desk = await openDesk();
  const ada = github.tokenFor("ada");
  await desk.run(ada, ["clone", `${github.url}/acme/shop.git`, "work"]);
  const work = join(desk.dir, "work");
  // Random, so that compression leaves it large.
  await writeFile(join(work, "noise.bin"), randomBytes(5_000_000));
  await desk.run(ada, ["add", "."], work);
  await desk.run(ada, ["commit", "-m", "Noise"], work);
  expect(await desk.run(ada, ["push", "origin", "HEAD"], work)).toMatchObject({ code: 0 });
});

test("a push whose answer is lost has landed, and one refused from the start has not", async () => {
  await using github = await startGitHub({ seed: SEED });
  await using desk = await openDesk();
  const ada = github.tokenFor("ada");
  await desk.run(ada, ["clone", `${github.url}/acme/shop.git`, "work"]);
  const work = join(desk.dir, "work");
  github.failNext({ path: /git-receive-pack$/, status: 503 });
  expect((await desk.run(ada, ["push", "origin", "HEAD:refs/heads/one"], work)).code).not.toBe(0);
  github.failNext({ path: /git-receive-pack$/, when: "after" });
  expect((await desk.run(ada, ["push", "origin", "HEAD:refs/heads/two"], work)).code).not.toBe(0);
  const heads = await desk.run(ada, ["ls-remote", "--heads", "origin"], work);
  expect(heads.text).not.toContain("refs/heads/one");
  expect(heads.text).toContain("refs/heads/two");
});

test("what is protected, ruled, archived or gone refuses a push as GitHub does, and the API says what it knows", async () => {
  await using github = await startGitHub({ seed: SEED });
  await using desk = await openDesk();
  const ada = github.tokenFor("ada");
  const bot = await botToken(github, { contents: "write" });
  await desk.run(bot, ["clone", `${github.url}/acme/shop.git`, "work"]);
  const work = join(desk.dir, "work");
  const push = async (token: string, branch: string) => {
    await desk.run(token, ["commit", "--allow-empty", "-m", branch], work);
    return desk.run(token, ["push", "origin", `HEAD:refs/heads/${branch}`], work);
  };
  const at = new Octokit({ baseUrl: github.apiUrl, auth: ada, throttle: { enabled: false } }).rest.repos;
  const rulesOf = async (branch: string) => (await at.getBranchRules({ ...REPO, branch })).data.map(({ type }) => type);

  github.protect(AT, "main", { says: "remote: ! [rejected] main -> main (stale info)" });
  const refused = await push(bot, "main");
  expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("[remote rejected] HEAD -> main") });
  expect(refused.text).toContain("stale info");
  expect((await at.getBranch({ ...REPO, branch: "main" })).data.protected).toBe(true);
  expect(await rulesOf("main")).toEqual([]);

  github.addRule(AT, "agent/*", "creation");
  github.addRule(AT, "topic", "update");
  expect((await push(bot, "agent/1-x")).text).toContain("GH013");
  expect(await rulesOf("agent/1-x")).toEqual(["creation"]);
  expect((await push(bot, "topic")).code).toBe(0);
  expect((await push(bot, "topic")).text).toContain("GH013");

  await mkdir(join(work, ".github/workflows"), { recursive: true });
  await writeFile(join(work, ".github/workflows/ci.yml"), "on: push\n");
  await desk.run(bot, ["add", "."], work);
  expect((await push(bot, "flow")).text).toContain("refusing to allow a GitHub App to create or update workflow");
  expect((await push(ada, "flow")).code).toBe(0);

  github.archive(AT);
  expect((await push(bot, "later")).text).toContain("403");
  expect((await at.get(REPO)).data.archived).toBe(true);
  github.remove(AT);
  expect((await push(bot, "later")).text).toContain("not found");
  await expect(at.get(REPO)).rejects.toMatchObject({ status: 404 });
});

test("what shall happen before a request has happened when it is answered", async () => {
  await using github = await startGitHub({ seed: SEED });
  const moved = { login: "ada", message: "Moved", files: { "b.txt": "b\n" } };
  github.before({ path: /\/branches\/main$/, act: () => github.commitFiles(AT, "main", moved) });
  const at = new Octokit({ baseUrl: github.apiUrl, auth: github.tokenFor("ada"), throttle: { enabled: false } }).rest;
  const first = (await at.repos.getBranch({ ...REPO, branch: "main" })).data.commit;
  expect(first.commit.message).toBe("Moved");
  expect((await at.repos.getBranch({ ...REPO, branch: "main" })).data.commit.sha).toBe(first.sha);
});

test("a pull request's head stands under its own number, whatever is opened at the same time", async () => {
  await using github = await startGitHub({ seed: SEED });
  const change = { login: "ada", message: "Change", from: "main", files: { "b.txt": "b\n" } };
  await github.commitFiles(AT, "topic", change);
  const ada = new Octokit({ auth: github.tokenFor("ada"), baseUrl: github.apiUrl, throttle: { enabled: false } }).rest;
  const opening = ada.pulls.create({ ...REPO, title: "T", head: "topic", base: "main" });
  const issues = Array.from({ length: 20 }, () => ada.issues.create({ ...REPO, title: "I" }));
  const { data } = await opening;
  await Promise.all(issues);
  const refs = await promisify(execFile)("git", ["for-each-ref", "--format=%(refname)", "refs/pull"], {
    cwd: github.gitDir(AT),
  });
  expect(refs.stdout.trim()).toBe(`refs/pull/${data.number}/head`);
});
