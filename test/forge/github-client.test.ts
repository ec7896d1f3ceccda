import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { startGitHub } from "../../sim/github/github.ts";
import { TransientError, UserError } from "../../src/failure.ts";
import { ask, openClients, webUrlOf } from "../../src/forge/github-client.ts";

test.each([
  ["https://api.github.com", "https://github.com"],
  ["https://github.example.com/api/v3", "https://github.example.com"],
  ["https://api.acme.ghe.com", "https://acme.ghe.com"],
  ["http://127.0.0.1:8787/api/v3", "http://127.0.0.1:8787"],
])("the repositories of %s are at %s", (apiUrl, webUrl) => expect(webUrlOf(apiUrl)).toBe(webUrl));

const ABOUT = { doing: "say so", needs: "issues: write" };
const REFUSED = { message: "Resource not accessible by integration" };

type Row = readonly [status: number, headers: Record<string, string>, body: object, Kind: unknown, says: string];

const ROWS: readonly Row[] = [
  [401, {}, { message: "Bad credentials" }, UserError, "Check APP_ID and PRIVATE_KEY."],
  [403, {}, REFUSED, UserError, "GitHub did not let the App say so: it lacks the permission `issues: write`."],
  [403, { "x-accepted-github-permissions": "checks=write" }, REFUSED, UserError, "the permission `checks: write`"],
  [403, { "x-accepted-github-permissions": "`@all`" }, REFUSED, UserError, "the permission `issues: write`"],
  [403, {}, { message: "This installation has been suspended" }, UserError, "is suspended"],
  [403, {}, { message: "API rate limit exceeded" }, TransientError, "rate limit"],
  [403, { "x-ratelimit-remaining": "0" }, { message: "x" }, TransientError, "rate limit"],
  [429, {}, { message: "x" }, TransientError, "rate limit"],
  [404, {}, { message: "Not Found" }, UserError, "GitHub could not say so: it is gone, or the App is not installed"],
  [422, {}, { message: "Validation Failed" }, UserError, "GitHub refused to say so: Validation Failed"],
];

test("what GitHub refuses becomes words for the asker, what it fails at may be tried again", async () => {
  await using github = await startGitHub({ seed: { users: [], repositories: [] } });
  const { app } = openClients({ appId: github.appId, privateKey: github.privateKey, apiUrl: github.apiUrl });
  for (const [status, headers, body, Kind, says] of ROWS) {
    github.failNext({ path: /\/app$/, status, headers, body, times: 6 });
    const error: unknown = await ask(ABOUT, () => app.request("GET /app", { request: { retries: 0 } })).catch(
      (e: unknown) => e,
    );
    expect(error, JSON.stringify(body)).toBeInstanceOf(Kind);
    expect(error).toMatchObject({ message: expect.stringContaining(says), cause: expect.any(Error) });
    await drain(github.apiUrl);
  }
  github.failNext({ path: /\/app$/, dropConnection: true });
  const lost = ask(ABOUT, () => app.request("GET /app", { request: { retries: 0 } }));
  await expect(lost).rejects.toThrow(TransientError);
});

/** Uses up the failures that are left: how often octokit asks again depends on the answer. */
async function drain(apiUrl: string): Promise<void> {
  for (let left = 0; left < 6; left++) await fetch(`${apiUrl}/app`);
}

test("a key that is none, and a key of another App, are told apart from GitHub's failures", async () => {
  await using github = await startGitHub({ seed: { users: [], repositories: [] } });
  const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" });
  const asking = async (privateKey: string): Promise<unknown> => {
    const { app } = openClients({ appId: github.appId, privateKey, apiUrl: github.apiUrl });
    return ask(ABOUT, () => app.rest.apps.getAuthenticated());
  };
  await expect(asking("no key")).rejects.toThrow("PRIVATE_KEY is not a private key.");
  await expect(asking("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----")).rejects.toThrow(
    UserError,
  );
  await expect(asking(other.toString())).rejects.toThrow("Check APP_ID and PRIVATE_KEY.");
});

test("GraphQL's errors are read by their type, and a defect stays one", async () => {
  const failing = (type: string | null) =>
    ask(ABOUT, () =>
      Promise.reject(
        Object.assign(new Error("x"), { errors: [type === null ? { message: "x" } : { type, message: "x" }] }),
      ),
    );
  await expect(failing("FORBIDDEN")).rejects.toThrow(/lacks the permission/);
  await expect(failing("NOT_FOUND")).rejects.toThrow(/it is gone/);
  await expect(failing("RATE_LIMITED")).rejects.toThrow(TransientError);
  await expect(failing(null)).rejects.not.toThrow(TransientError);
});

test("the App asks for no more than it uses", () => {
  const manifest: unknown = parse(readFileSync(new URL("../../app.yml", import.meta.url), "utf8"));
  expect(manifest).toMatchObject({
    public: false,
    default_permissions: {
      contents: "write",
      issues: "write",
      pull_requests: "write",
      checks: "write",
      actions: "read",
      metadata: "read",
    },
    default_events: expect.arrayContaining(["issues", "issue_comment", "pull_request", "pull_request_review_comment"]),
  });
  expect(Object.keys(Object(Object(manifest).default_permissions))).toHaveLength(6);
});
