/** Deliveries of the stand-in beside deliveries of the real GitHub: every key there is a key here, with a value of the same type. */
import { createRequire } from "node:module";
import { Octokit } from "octokit";
import { expect, test } from "vitest";
import { z } from "zod";
import { startGitHub, type GitHub } from "../../sim/github/github.ts";

const REPO = { owner: "acme", repo: "shop" };

/** Keys of the real examples that the stand-in leaves out, and why. */
const LEFT_OUT: readonly [RegExp, string][] = [
  [/ organization(\.|$)/, "sent for repositories of an organization only; the test's owner is a person"],
  [/\.performed_via_github_app\./, "null here: a person wrote it"],
  [
    /\.(milestone|assignee|license)\.|\.(assignees|requested_teams|requested_reviewers)\[\]/,
    "nothing is set in the test",
  ],
  [
    /^pull_request\.opened pull_request\.labels\[\]/,
    "the test labels it later; pull_request.labeled is checked with them",
  ],
  [/^issues\.opened changes(\.|$)/, "an issue transferred from elsewhere"],
  [/ issue\.draft$/, "GitHub sends it for pull requests; old examples have it on issues"],
];

type Leaf = { readonly path: string; readonly type: string };

/** Paths of a JSON value, list items as "[]". Null says nothing of the type, so it fits any. */
function leaves(value: unknown, path = ""): readonly Leaf[] {
  if (value === null) return [{ path, type: "null" }];
  if (Array.isArray(value)) return [{ path, type: "array" }, ...value.flatMap((item) => leaves(item, `${path}[]`))];
  if (typeof value !== "object") return [{ path, type: typeof value }];
  const inside = Object.entries(value).flatMap(([key, item]) => leaves(item, path === "" ? key : `${path}.${key}`));
  return path === "" ? inside : [{ path, type: "object" }, ...inside];
}

/** What `ours` lacks of `real`. A list or object that is empty or null in ours hides what would be inside. */
function lacking(event: string, real: unknown, ours: unknown): readonly string[] {
  const have = new Map<string, Set<string>>();
  for (const { path, type } of leaves(ours)) have.set(path, (have.get(path) ?? new Set<string>()).add(type));
  const problems = leaves(real)
    .filter(({ path }) => !LEFT_OUT.some(([pattern]) => pattern.test(`${event} ${path}`)))
    .flatMap(({ path, type }) => {
      const types = have.get(path);
      if (!types) return [`${path} is missing`];
      return type === "null" || types.has("null") || types.has(type)
        ? []
        : [`${path} is ${[...types].join("|")}, not ${type}`];
    });
  return [...new Set(problems)];
}

const Examples = z.array(
  z.object({ name: z.string(), examples: z.array(z.looseObject({ action: z.string().optional() })) }),
);

/** Every real example of one event and action. The package is JSON whose types claim to be a module. */
function realOnes(event: string, action: string): readonly unknown[] {
  const examples = Examples.parse(createRequire(import.meta.url)("@octokit/webhooks-examples"));
  const found = examples.find((one) => one.name === event)?.examples ?? [];
  return found.filter((one) => one.action === action);
}

async function act(github: GitHub): Promise<void> {
  const ada = new Octokit({ baseUrl: github.apiUrl, auth: github.tokenFor("ada"), throttle: { enabled: false } });
  await ada.rest.issues.create({ ...REPO, title: "Broken", body: "It is.", labels: ["bug"] });
  await ada.rest.issues.createComment({ ...REPO, issue_number: 1, body: "Really" });
  const change = (text: string) => ({ files: { "a.txt": text }, login: "ada", message: "Change" });
  await github.commitFiles("acme/shop", "fix", change("one\n"));
  const { data: pull } = await ada.rest.pulls.create({ ...REPO, head: "fix", base: "main", title: "Fix", body: "Why" });
  await ada.rest.issues.addLabels({ ...REPO, issue_number: pull.number, labels: ["bug"] });
  await ada.rest.pulls.createReviewComment({
    ...REPO,
    pull_number: pull.number,
    commit_id: pull.head.sha,
    path: "a.txt",
    line: 1,
    body: "Hm",
  });
  await github.commitFiles("acme/shop", "fix", change("two\n"));
  await ada.rest.pulls.merge({ ...REPO, pull_number: pull.number });
  github.announceInstallations();
}

test("each delivery has every key of GitHub's own, with values of the same types", async () => {
  await using github = await startGitHub({
    seed: {
      users: [{ login: "acme" }, { login: "ada" }],
      repositories: [{ owner: "acme", name: "shop", content: { "a.txt": "a\n" }, collaborators: { ada: "write" } }],
    },
  });
  await act(github);
  const events = [
    ["issues", "opened"],
    ["issues", "labeled"],
    ["issue_comment", "created"],
    ["pull_request", "opened"],
    ["pull_request", "labeled"],
    ["pull_request", "synchronize"],
    ["pull_request", "closed"],
    ["pull_request_review", "submitted"],
    ["pull_request_review_comment", "created"],
  ] as const;
  const problems = events.map(([event, action]) => {
    const ours = github.deliveries.find((one) => one.event === event && one.action === action)?.payload;
    const real = realOnes(event, action);
    expect(real.length, `${event}.${action}`).toBeGreaterThan(0);
    return [`${event}.${action}`, [...new Set(real.flatMap((one) => lacking(`${event}.${action}`, one, ours)))]];
  });
  expect(problems).toEqual(events.map(([event, action]) => [`${event}.${action}`, []]));
});

test("every delivery about a repository names the installation and the sender", async () => {
  await using github = await startGitHub({
    seed: {
      users: [{ login: "acme" }, { login: "ada" }],
      repositories: [{ owner: "acme", name: "shop", collaborators: { ada: "write" } }],
    },
  });
  const ada = new Octokit({ baseUrl: github.apiUrl, auth: github.tokenFor("ada"), throttle: { enabled: false } });
  await ada.rest.issues.create({ ...REPO, title: "Broken" });
  const [delivery] = github.deliveries;
  expect(delivery?.payload).toMatchObject({
    installation: { id: delivery?.installationId, node_id: expect.any(String) },
    sender: { login: "ada" },
    repository: { full_name: "acme/shop", id: delivery?.repositoryId },
  });
});
