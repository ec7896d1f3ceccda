import { expect, test } from "vitest";
import { readMirrorWishes } from "../../src/webhook/read-mirror-wishes.ts";
import { example, examplesOf, withValue } from "./deliveries.ts";

const repo = { installationId: 7, id: 186853002, owner: "Codertocat", name: "Hello-World" };
const push = example("push", (payload) =>
  withValue(withValue(payload, ["ref"], "refs/heads/master"), ["deleted"], false),
);

test("a push to the default branch is for those who have a mirror", () => {
  expect(readMirrorWishes("push", push)).toEqual([{ repo, defaultBranch: "master", onlyWhereMirrored: true }]);
});

test.each([
  ["another branch", withValue(push, ["ref"], "refs/heads/other")],
  ["a tag of the branch's name", withValue(push, ["ref"], "refs/tags/master")],
  ["a branch that goes", withValue(push, ["deleted"], true)],
  ["no installation", withValue(push, ["installation"], null)],
  ["no payload", null],
])("a push with %s wishes for nothing", (_, payload) => {
  expect(readMirrorWishes("push", payload)).toEqual([]);
});

test("an installation wishes for its first repositories, whose default branch it does not say", () => {
  const created = example("installation.created");
  const [first] = readMirrorWishes("installation.created", created);
  expect(first).toEqual({ repo, defaultBranch: null, onlyWhereMirrored: false });
  const many = Array.from({ length: 500 }, (_, i) => ({ id: i + 1, full_name: `acme/repo-${i}` }));
  expect(readMirrorWishes("installation.created", withValue(created, ["repositories"], many))).toHaveLength(20);
  const added = withValue(example("installation_repositories.added"), ["repositories_added"], many.slice(0, 1));
  expect(readMirrorWishes("installation_repositories.added", added)).toEqual([
    {
      repo: { installationId: 7, id: 1, owner: "acme", name: "repo-0" },
      defaultBranch: null,
      onlyWhereMirrored: false,
    },
  ]);
});

test.each(["issues", "installation_repositories.removed", "installation.deleted"])("%s wishes for nothing", (name) => {
  const payloads = examplesOf(name);
  expect(payloads.length).toBeGreaterThan(0);
  for (const payload of payloads) expect(readMirrorWishes(name, payload)).toEqual([]);
});
