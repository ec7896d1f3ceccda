/** What people do in a play, on GitHub's own API: open, label, comment, push. */
import { setTimeout as delay } from "node:timers/promises";
import { Octokit } from "octokit";
import type { GitHub } from "../../sim/github/github.ts";
import type { Case, Plan, Step, ThreadPlan } from "./plan.ts";

export const OWNER = "acme";
export const repoName = (repo: number): string => `part${repo}`;
export const fullName = (repo: number): string => `${OWNER}/${repoName(repo)}`;

/** What was asked for, as GitHub knows it. */
export type Asked = {
  readonly case: Case;
  readonly thread: number;
  /** Of a command. */
  readonly commentId: number | null;
};

export type Acting = { readonly github: GitHub; readonly startedAt: number; readonly signal: AbortSignal };

/** Resolves when everything has been asked for. */
export async function actAll(acting: Acting, plan: Plan): Promise<readonly Asked[]> {
  const ada = new Octokit({
    ...{ auth: acting.github.tokenFor("ada"), baseUrl: acting.github.apiUrl },
    throttle: { enabled: false },
    retry: { enabled: false },
  }).rest;
  return (await Promise.all(plan.threads.map((thread) => actOn(acting, ada, thread)))).flat();
}

type Rest = Octokit["rest"];

async function actOn(acting: Acting, ada: Rest, plan: ThreadPlan): Promise<Asked[]> {
  const at = { owner: OWNER, repo: repoName(plan.repo) };
  const asked: Asked[] = [];
  let number = 0;
  for (const step of plan.steps) {
    await delay(Math.max(0, acting.startedAt + step.atMs - Date.now()), undefined, { signal: acting.signal });
    switch (step.kind) {
      case "open":
        number = await open(acting, ada, plan);
        if (step.case) asked.push({ case: step.case, thread: number, commentId: null });
        break;
      case "command": {
        const body = `/agent ${step.case.command} This is ${step.case.name}.`;
        const { data } = await ada.issues.createComment({ ...at, issue_number: number, body });
        asked.push({ case: step.case, thread: number, commentId: data.id });
        break;
      }
      case "push":
        await push(acting, plan, step);
        break;
    }
  }
  return asked;
}

async function open({ github }: Acting, ada: Rest, { name, repo, kind }: ThreadPlan): Promise<number> {
  const at = { owner: OWNER, repo: repoName(repo) };
  const about = { title: `About ${name}`, body: `This is ${name}.` };
  if (kind === "issue") {
    const { data } = await ada.issues.create({ ...at, ...about });
    await ada.issues.addLabels({ ...at, issue_number: data.number, labels: ["agent"] });
    return data.number;
  }
  const files = { [`${kind === "ready" ? "ready" : "draft"}-${name}.sh`]: `#!/bin/sh\nrm -rf "$1"\n` };
  await github.commitFiles(fullName(repo), name, { login: "ada", message: `Begin ${name}`, from: "main", files });
  const made = await ada.pulls.create({ ...at, ...about, head: name, base: "main", draft: kind === "draft" });
  return made.data.number;
}

async function push({ github }: Acting, { name, repo }: ThreadPlan, { file }: Extract<Step, { kind: "push" }>) {
  const files = { [file]: "by a person\n" };
  await github.commitFiles(fullName(repo), name, { login: "ada", message: `A person's ${file}`, files });
}
