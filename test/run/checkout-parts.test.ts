/** Repositories of which a run sees a part: sparse folders, submodules, files that Git LFS keeps. */
import { execa } from "execa";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeCheckout, readLfsPatterns, readSubmodules } from "../../src/run/checkout-notes.ts";
import { parseRepoSettings } from "../../src/run/repo-settings.ts";
import { restoreCheckpoint, takeCheckpoint } from "../../src/workspace/checkpoint.ts";
import { listChanges, snapshot } from "../../src/workspace/snapshot.ts";
import { renderCone } from "../../src/workspace/sparse.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { openInternet } from "../sandbox/internet.ts";
import { GIT_ENV, openRepository, type TestRepository } from "../workspace/repository.ts";
import { readWholeTree } from "../workspace/whole-tree.ts";
import { openPlace } from "./set-up-place.ts";

const signal = new AbortController().signal;
const MONOREPO = {
  ...{
    "README.md": "# All\n",
    "packages/root.json": "{}\n",
    "packages/web/a.ts": "a\n",
    "packages/web/src/b.ts": "b\n",
  },
  ...{ "packages/api/c.ts": "c\n", "docs/deep/d.md": "d\n" },
};

test("a run of some folders sees them and the files above, and changes nothing of the others", async () => {
  await using repository = await openRepository(MONOREPO);
  const sha = repository.commits[0] ?? "";
  const opening = { mirror: repository.mirror, sha, runsDir: join(repository.dir, "runs"), overlayFilesMin: 0 };
  await using workspace = await Workspace.open({ ...opening, sparse: ["packages/web"] }, signal);
  const { treeDir, place } = workspace;
  expect(Object.keys(await readWholeTree(treeDir))).toEqual([
    ...["README.md", "packages/root.json", "packages/web/a.ts", "packages/web/src/b.ts"],
  ]);
  const inside = { cwd: treeDir, env: GIT_ENV, extendEnv: false };
  const status = ["-c", "safe.directory=*", "status", "--porcelain"];
  expect((await execa("git", status, inside)).stdout).toBe("");
  const start = await takeCheckpoint(workspace, signal);
  await writeFile(join(treeDir, "packages/web/a.ts"), "changed\n");
  await rm(join(treeDir, "packages/web/src"), { recursive: true });
  // A file of the same name where one was left out, and a new one beside it.
  await mkdir(join(treeDir, "packages/api"));
  await writeFile(join(treeDir, "packages/api/c.ts"), "other\n");
  await writeFile(join(treeDir, "packages/api/new.ts"), "new\n");
  const changes = await listChanges(place, sha, await snapshot(workspace, signal));
  expect(changes.map(({ path, change }) => `${change} ${path}`)).toEqual([
    ...["modified packages/api/c.ts", "added packages/api/new.ts"],
    ...["modified packages/web/a.ts", "deleted packages/web/src/b.ts"],
  ]);
  await restoreCheckpoint(workspace, start, signal);
  expect(await readFile(join(treeDir, "packages/web/src/b.ts"), "utf8")).toBe("b\n");
  expect(await listChanges(place, sha, await snapshot(workspace, signal))).toEqual([]);
});

test("folders inside others that are taken whole add nothing to the cone", () => {
  expect(renderCone(["a/b", "c", "a/b/x", "a/d"])).toBe("/*\n!/*/\n/a/\n!/a/*/\n/a/b/\n/a/d/\n/c/\n");
});

test.each(["/a", "a/", "../a", "a/../b", "a//b", "a/*", "!a", "#a", "a\\b", "a\nb", ""])(
  "the sparse folder %j is refused",
  async (folder) => {
    await expect(parseRepoSettings(`checkout: { sparse: [${JSON.stringify(folder)}] }`)).rejects.toThrow(
      "checkout.sparse",
    );
  },
);

test.each(["a", "packages/web", ".github", "a b/c-d", "..a", "p\u00e4ckchen/\u6587"])(
  "the sparse folder %j is taken",
  async (folder) => {
    const { checkout } = await parseRepoSettings(`checkout: { sparse: [${JSON.stringify(folder)}] }`);
    expect(checkout.sparse).toEqual([folder]);
  },
);

const MODULES = '[submodule "sub"]\n\tpath = vendor/sub\n\turl = git@github.com:acme/sub.git\n';
const ATTRIBUTES =
  "*.ts text\n# *.gz filter=lfs\n*.bin filter=lfs diff=lfs merge=lfs -text\nmedia/** -text filter=lfs\n";

test("what is not there is named in the brief, as data", async () => {
  await using repository = await openRepository(
    { "a.txt": "a\n" },
    { "a.txt": "a\n", ".gitmodules": MODULES.replace("vendor/sub", "ven`dor/sub"), ".gitattributes": ATTRIBUTES },
  );
  const place = { gitDir: repository.mirror.gitDir, workTree: null };
  const describe = async (commit: number, settings: string) =>
    describeCheckout(
      { place, sha: repository.commits[commit] ?? "", missing: null },
      await parseRepoSettings(settings),
    );
  expect(await describe(0, "")).toBe("");
  const said = await describe(1, "checkout: { sparse: [packages/web] }");
  expect(said).toContain("Of the folders only these are checked out: `packages/web`.");
  expect(said).toContain("their folders are empty: `ven?dor/sub`.");
  expect(said).toContain("Git LFS keeps `*.bin`, `media/**`:");
  expect(await describe(1, "checkout: { submodules: true }")).toContain("as the set-up could get them");
  expect([readSubmodules(MODULES), readLfsPatterns(ATTRIBUTES)]).toEqual([["vendor/sub"], ["*.bin", "media/**"]]);
});

/** Git's smart HTTP, for repositories below `root`. */
function serveGit(root: string): RequestListener {
  return (request, response) => {
    const url = new URL(request.url ?? "/", "http://github.com");
    const env = {
      ...{
        PATH: GIT_ENV.PATH,
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: "1",
        REQUEST_METHOD: request.method ?? "GET",
      },
      ...{
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: request.headers["content-type"] ?? "",
      },
      ...{ HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "", REMOTE_ADDR: "127.0.0.1" },
      HTTP_GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
    };
    const backend = spawn("git", ["http-backend"], { env, stdio: ["pipe", "pipe", "inherit"] });
    request.pipe(backend.stdin);
    const parts: Buffer[] = [];
    backend.stdout.on("data", (part: Buffer) => parts.push(part));
    backend.on("close", () => {
      const whole = Buffer.concat(parts);
      const end = whole.indexOf("\r\n\r\n");
      const headers = whole
        .subarray(0, end)
        .toString()
        .split("\r\n")
        .map((line) => line.split(": "));
      const status = headers.find(([name]) => name === "Status")?.[1];
      response.writeHead(status ? Number.parseInt(status, 10) : 200, Object.fromEntries(headers));
      response.end(whole.subarray(end + 4));
    });
  };
}

/** A commit with a submodule at vendor/sub, whose repository is `sub`. */
async function addSubmodule(repository: TestRepository, sub: TestRepository): Promise<string> {
  const cwd = join(repository.dir, "tree");
  const git = (...args: string[]) => execa("git", args, { cwd, env: GIT_ENV, extendEnv: false });
  await writeFile(join(cwd, ".gitmodules"), MODULES);
  await git("add", ".gitmodules");
  await git("update-index", "--add", "--cacheinfo", `160000,${sub.commits[0]},vendor/sub`);
  await git("commit", "-qm", "sub");
  await git("push", "-q", repository.mirror.gitDir, "HEAD:main");
  return (await git("rev-parse", "HEAD")).stdout;
}

test("submodules stay empty unless the repository asks for them; then the set-up gets and keeps them", async () => {
  await using sub = await openRepository({ "lib.c": "int f;\n", "inc/f.h": "int f;\n" });
  await mkdir(join(sub.dir, "http/acme"), { recursive: true });
  await execa("cp", ["-r", sub.mirror.gitDir, join(sub.dir, "http/acme/sub.git")]);
  await using internet = await openInternet({ "github.com": [["140.82.121.3"]] }, serveGit(join(sub.dir, "http")));
  // Not a secret, but a variable for the set-up alone.
  const secrets = { GIT_SSL_CAINFO: "/workspace/ca.pem" };
  await using place = await openPlace(internet, [{ "a.txt": "a\n" }], { secrets });
  const sha = await addSubmodule(place.repository, sub);
  const look = async ({ treeDir }: Workspace) => {
    const found = await readdir(join(treeDir, "vendor/sub"), { recursive: true }).catch(() => []);
    await writeFile(join(treeDir, "vendor/sub/lib.c"), "changed\n").catch(() => {});
    return [found.toSorted(), existsSync(join(treeDir, ".git/modules"))];
  };
  expect((await place.run({ sha, look })).seen).toEqual([[], false]);
  const settings = "checkout: { submodules: true }";
  const runs = [await place.run({ sha, look, settings }), await place.run({ sha, look, settings })];
  expect(runs.map(({ seen, changed }) => ({ seen, changed }))).toEqual(
    new Array(2).fill({ seen: [["inc", "inc/f.h", "lib.c"], false], changed: [] }),
  );
  const ended = runs.map(({ entries }) => entries.find(({ kind }) => kind === "set-up-finished"));
  expect(ended).toMatchObject([
    { isCached: false, command: { command: "git submodule update", exitCode: 0 } },
    { isCached: true, command: { exitCode: 0 } },
  ]);
});
