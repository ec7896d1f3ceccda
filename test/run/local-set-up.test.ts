/** The set-up of a person's own checkout: real git, sandbox and proxy. Only the internet is ours. */
import { execa } from "execa";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { JournalEntry } from "../../src/journal.ts";
import { setUpLocally } from "../../src/run/local-set-up.ts";
import { parseRepoSettings } from "../../src/run/repo-settings.ts";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { SANDBOX_LIMITS } from "../../src/sandbox/limits.ts";
import { openInternet } from "../sandbox/internet.ts";
import { TOOLS } from "../sandbox/open-session.ts";
import { GIT_ENV } from "../workspace/repository.ts";

const never = new AbortController().signal;

async function openCheckout(files: Readonly<Record<string, string>> = {}) {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-local-set-up-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const root = join(dir, "work");
  await mkdir(root);
  const git = (...args: string[]) => execa("git", args, { cwd: root, env: GIT_ENV, extendEnv: false });
  const all = { "package.json": "{}\n", "package-lock.json": "{}\n", ".gitignore": "deps\n", ...files };
  for (const [path, content] of Object.entries(all)) await writeFile(join(root, path), content);
  await git("init", "--quiet");
  await git("add", "--all");
  await git("commit", "--quiet", "-m", "start");
  const internet = stack.use(
    await openInternet({ "cdn.example.com": [["104.16.1.34"]] }, (_, response) => response.end("here\n")),
  );
  const parts = { network: internet.network, image: "test", stampsDir: join(dir, "stamps") };
  const run = async (settings: string, isDone = false) => {
    const entries: JournalEntry[] = [];
    const ended = await setUpLocally(
      {
        ...{ parts, sandbox: bubblewrapSandbox(TOOLS), settings: await parseRepoSettings(settings), isDone },
        opening: { workspaceDir: root, readOnlyPaths: [".git"], limits: SANDBOX_LIMITS },
        journal: { append: async (entry) => void entries.push(entry), read: async () => [] },
      },
      never,
    );
    const finished = entries.flatMap((entry) =>
      entry.kind === "set-up-finished" ? [`${entry.isCached ? "cached" : "ran"} ${entry.command.exitCode}`] : [],
    );
    return { ...ended, entries, finished };
  };
  const undo = stack.move();
  return {
    root,
    run,
    git,
    read: (path: string) => readFile(join(root, path), "utf8"),
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}

const COUNT = "setup: 'mkdir -p deps; echo once >>deps/count'\n";

test("nothing is set up that the settings file does not name, whatever lockfiles there are", async () => {
  await using checkout = await openCheckout();
  for (const settings of ["", 'setup: ""\n', "checks: ['true']\n"]) {
    expect(await checkout.run(settings)).toEqual({ environment: {}, brief: "", entries: [], finished: [] });
  }
  expect((await readdir(checkout.root)).includes("node_modules")).toBe(false);
});

test("what was set up is not set up again until what decides it changes, or what it made is gone", async () => {
  await using checkout = await openCheckout();
  const { finished, brief } = await checkout.run(COUNT);
  expect(finished).toEqual(["ran 0"]);
  expect(brief).toContain("mkdir -p deps; echo once >>deps/count");
  expect((await checkout.run(COUNT)).finished).toEqual(["cached 0"]);
  await writeFile(join(checkout.root, "notes.txt"), "an edit of the person's\n");
  expect((await checkout.run(COUNT)).finished).toEqual(["cached 0"]);
  await writeFile(join(checkout.root, "package-lock.json"), '{"other": 1}\n');
  expect((await checkout.run(COUNT)).finished).toEqual(["ran 0"]);
  expect(await checkout.read("deps/count")).toBe("once\nonce\n");
  await rm(join(checkout.root, "deps"), { recursive: true });
  expect((await checkout.run(COUNT)).finished).toEqual(["ran 0"]);
  expect(await checkout.read("notes.txt")).toBe("an edit of the person's\n");
});

test("a set-up that failed is told, and tried again", async () => {
  await using checkout = await openCheckout();
  const first = await checkout.run("setup: 'echo no luck; exit 4'\n");
  expect(first.finished).toEqual(["ran 4"]);
  expect(first.brief).toContain("It failed with exit 4.");
  expect(first.brief).toContain("no luck");
  expect((await checkout.run("setup: 'echo no luck; exit 4'\n")).finished).toEqual(["ran 4"]);
});

test("it reaches the hosts that are listed and no others, and cannot write to .git", async () => {
  await using checkout = await openCheckout();
  const ask = "mkdir -p deps; curl -s http://cdn.example.com/ >deps/a; curl -s http://evil.example/ >deps/b || true";
  const settings = `setup: '${ask}; touch .git/x || echo closed'\nnetwork: { setup: [cdn.example.com] }\n`;
  const { entries, brief } = await checkout.run(settings);
  expect(await checkout.read("deps/a")).toBe("here\n");
  expect(await checkout.read("deps/b")).not.toContain("here");
  const egress = entries.flatMap((entry) => (entry.kind === "egress" ? [`${entry.verdict} ${entry.host}`] : []));
  expect(egress).toEqual(["allowed cdn.example.com", "denied evil.example"]);
  expect(brief).toContain("evil.example");
  expect((await readdir(join(checkout.root, ".git"))).includes("x")).toBe(false);
});

test("a run that goes on has what its set-up brought, without another one", async () => {
  await using checkout = await openCheckout({ "Cargo.lock": "" });
  const settings =
    'setup: \'mkdir -p deps; echo once >>deps/count; mkdir -p "$CARGO_HOME"; echo x >"$CARGO_HOME/crate"\'\n';
  const { environment } = await checkout.run(settings);
  expect(environment).toEqual({ CARGO_HOME: "/workspace/.pullwright-set-up/cargo" });
  expect(await checkout.run(settings, true)).toMatchObject({ environment, brief: "", finished: [] });
  expect(await checkout.read("deps/count")).toBe("once\n");
  // What tools keep beside the project is no change of the person's.
  expect((await checkout.git("status", "--porcelain")).stdout).toBe("");
});
