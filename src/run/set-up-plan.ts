/** From a repository's settings and the lockfiles at its base commit to what the set-up runs, and what that may reach. Pure. */
import { createHash } from "node:crypto";
import type { RepoSettings } from "./repo-settings.ts";

export type SetUpPlan = {
  /** For /bin/sh -e. */
  readonly script: string;
  /** What people are told was run. */
  readonly title: string;
  readonly hosts: readonly string[];
  /** For the set-up and for everything that runs after it: where tools find what was downloaded. */
  readonly environment: Readonly<Record<string, string>>;
};

/** A file or link of the commit that is worked on. */
export type TreeEntry = { readonly path: string; readonly mode: string; readonly id: string };

type PackageTool = {
  /** One of these at the root of the base commit is the sign of it. */
  readonly signs: readonly string[];
  readonly command: string;
  readonly hosts: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
};

/** HOME is new for each command, so what must last lies in the workspace, under a name that never becomes part of a change. */
export const KEPT_NAME = ".pullwright-set-up";
const KEPT = `/workspace/${KEPT_NAME}`;

const NPM = "registry.npmjs.org";
const PYPI = ["pypi.org", "files.pythonhosted.org"];
const YARN = [NPM, "registry.yarnpkg.com", "repo.yarnpkg.com"];

/** The first of a group that is found is the one: a folder has one installer for each language. */
const GROUPS: readonly (readonly PackageTool[])[] = [
  [
    { signs: ["pnpm-lock.yaml"], command: "pnpm install --frozen-lockfile", hosts: [NPM] },
    {
      signs: [".yarnrc.yml"],
      ...{ command: "yarn install --immutable", hosts: YARN },
      environment: { YARN_ENABLE_GLOBAL_CACHE: "false" }, // Else packages stay in HOME.
    },
    { signs: ["yarn.lock"], command: "yarn install --frozen-lockfile --non-interactive", hosts: YARN },
    { signs: ["package-lock.json", "npm-shrinkwrap.json"], command: "npm ci --no-audit --no-fund", hosts: [NPM] },
  ],
  [
    {
      signs: ["uv.lock"],
      ...{ command: "uv sync --frozen", hosts: PYPI },
      environment: { UV_LINK_MODE: "copy", UV_PYTHON_DOWNLOADS: "never" },
    },
    {
      signs: ["requirements.txt"],
      command:
        "python3 -m venv .venv && .venv/bin/pip install --disable-pip-version-check --no-input -r requirements.txt",
      hosts: PYPI,
    },
  ],
  [
    {
      signs: ["Cargo.lock"],
      ...{ command: "cargo fetch --locked", hosts: ["index.crates.io", "static.crates.io", "crates.io"] },
      environment: { CARGO_HOME: `${KEPT}/cargo` },
    },
  ],
  [
    {
      signs: ["go.sum"],
      ...{ command: "go mod download", hosts: ["proxy.golang.org", "sum.golang.org"] },
      environment: { GOMODCACHE: `${KEPT}/go`, GOFLAGS: "-modcacherw" },
    },
  ],
  [
    {
      signs: ["pom.xml"],
      ...{ command: "mvn --batch-mode --quiet dependency:go-offline", hosts: ["repo.maven.apache.org"] },
      environment: { MAVEN_OPTS: `-Dmaven.repo.local=${KEPT}/maven` },
    },
  ],
];

/**
 * Files of other repositories, as plain files. Their git directories go again: the visible one is thrown away with the run, and what is
 * kept for the next run must not lead to it. Addresses for ssh are asked by https; whoever needs a token puts it into `setup`.
 */
const SUBMODULES = `git -c url.https://github.com/.insteadOf=git@github.com: submodule --quiet update --init --recursive --depth 1
find . -mindepth 2 -name .git -type f -delete
rm -rf .git/modules`;
const SUBMODULE_HOSTS = ["github.com"];

/** Null when there is nothing to set up. `rootFiles` are names at the root of the base commit. */
export function planSetUp(
  { setup, network, checkout }: Pick<RepoSettings, "setup" | "network" | "checkout">,
  rootFiles: readonly string[],
): SetUpPlan | null {
  const found = GROUPS.flatMap(
    (group) => group.find(({ signs }) => signs.some((sign) => rootFiles.includes(sign))) ?? [],
  );
  const own = setup ?? found.map(({ command }) => command).join("\n");
  const hasSubmodules = checkout.submodules && rootFiles.includes(".gitmodules");
  if (own.trim() === "" && !hasSubmodules) return null;
  const title = own.trim().replaceAll(/\s*\n\s*/g, "; ");
  const registries = network.registries ? found.flatMap(({ hosts }) => hosts) : [];
  return {
    script: hasSubmodules ? `${SUBMODULES}\n${own}` : own,
    title: [...(hasSubmodules ? ["git submodule update"] : []), ...(title === "" ? [] : [title])].join("; "),
    hosts: [...new Set([...network.setup, ...registries, ...(hasSubmodules ? SUBMODULE_HOSTS : [])])],
    environment: Object.assign({}, ...found.map(({ environment }) => environment ?? {})) as Record<string, string>,
  };
}

/** Says what packages there are, or which of their scripts run when they are installed. */
const MANIFESTS = new Set([
  ".gitmodules",
  ...["package.json", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", "yarn.lock"],
  ...[".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", ".nvmrc", ".node-version", ".python-version"],
  ...[
    "requirements.txt",
    "constraints.txt",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
  ],
  ...["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "go.mod", "go.sum", "go.work", "pom.xml"],
  ...["build.gradle", "build.gradle.kts", "settings.gradle", "gradle.lockfile", "Gemfile.lock", "composer.lock"],
]);
const LINK = "120000";
const GITLINK = "160000";

export type SetUpFacts = {
  /** Who could have written what runs: set-ups of other writers are never used, whatever else is the same. */
  readonly trust: string;
  readonly repoId: number;
  /** What runs it: driver, machine, tools. */
  readonly image: string;
  readonly secretNames: readonly string[];
  /** Files that Git LFS keeps are there while it runs. */
  readonly lfs?: true;
  readonly entries: readonly TreeEntry[];
};

/** Tells the files whose content decides what the set-up makes. */
export function inputsOf({ script }: Pick<SetUpPlan, "script">): (path: string) => boolean {
  const words = new Set(script.split(/[\s;&|'"()=]+/).map((word) => word.replace(/^\.\//, "")));
  return (path) => words.has(path) || MANIFESTS.has(path.slice(path.lastIndexOf("/") + 1));
}

/**
 * What decides a set-up's result, as a name for it: manifests and lockfiles, files that the script names, submodules, and links, since
 * files are unpacked at places that were no links when they were packed. Bumped by hand when archives are made otherwise.
 */
export function setUpKey(plan: SetUpPlan, { entries, ...facts }: SetUpFacts): string {
  const isInput = inputsOf(plan);
  const inputs = entries.filter(({ path, mode }) => mode === LINK || mode === GITLINK || isInput(path));
  const { script, environment } = plan;
  return createHash("sha256")
    .update(JSON.stringify([1, facts, script, environment, inputs]))
    .digest("hex");
}
