/** What may not be done to a branch: classic protection, and the rules of rulesets. */
import { openRepo, READ_METADATA } from "../access.ts";
import type { Repo } from "../records.ts";
import { page, type Call, type Reply } from "../reply.ts";
import type { Route } from "../router.ts";
import { covers } from "../update-hook.ts";

export const ruleRoutes: readonly Route[] = [
  { method: "GET", pattern: "/repos/:owner/:repo/rules/branches/:branch*", answer: listRules },
];

export function isProtected(repo: Repo, branch: string): boolean {
  return repo.rules.some(({ branches, type }) => type === "protected" && covers(branches, branch));
}

/** The branch need not exist. Classic protection is not among them. */
function listRules(call: Call): Reply {
  const repo = openRepo(call, READ_METADATA);
  const branch = call.params["branch"] ?? "";
  const told = repo.rules.filter(({ type }) => type !== "protected" && type !== "hidden");
  const rules = told.filter(({ branches }) => covers(branches, branch));
  const source = { ruleset_source_type: "Repository", ruleset_source: repo.fullName, ruleset_id: repo.id };
  return page(
    call,
    rules.map(({ type }) => ({ type, ...source })),
  );
}
