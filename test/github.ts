/** The GitHub stand-in with the people and the one repository that most tests need. */
import { Octokit } from "octokit";
import { startGitHub, type GitHub } from "../sim/github/github.ts";

export const REPO = "acme/widget";
export const AT = { owner: "acme", repo: "widget" } as const;

/** ada may write, bob may read, mallory is nobody here. */
export function openGitHub(content: Readonly<Record<string, string>>): Promise<GitHub> {
  return startGitHub({
    seed: {
      users: [{ login: "ada" }, { login: "bob" }, { login: "mallory" }, { login: "acme", type: "Organization" }],
      repositories: [
        {
          ...{ owner: "acme", name: "widget", private: true, content: { ...content } },
          collaborators: { ada: "write", bob: "read" },
        },
      ],
    },
  });
}

/** GitHub's API as this person uses it. */
export function actAs(github: GitHub, login: string): Octokit["rest"] {
  // Octokit spaces writes out by a second, which real GitHub asks for and a stand-in need not.
  return new Octokit({ auth: github.tokenFor(login), baseUrl: github.apiUrl, throttle: { enabled: false } }).rest;
}
