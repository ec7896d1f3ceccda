/** What a machine must have for the sandbox, and what is said when it does not. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { TransientError, UserError } from "../../src/failure.ts";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { findCgroupPlace } from "../../src/sandbox/cgroup.ts";
import { openSandbox } from "../../src/sandbox/open-sandbox.ts";
import { limitedCommand, resourceLimits } from "../../src/sandbox/resource-limits.ts";
import { REMEDIES, setUpFailure } from "../../src/sandbox/set-up-failure.ts";
import { LIMITS, nap, openSession, processesWith, TOOLS } from "./open-session.ts";

test("the check names every feature, and all isolation is here", async () => {
  const features = await bubblewrapSandbox(TOOLS).check();
  expect(features.map(({ name }) => name)).toEqual([
    "bubblewrap",
    "helper programs",
    "tools",
    "namespaces",
    "AppArmor",
    "system call filter",
    "memory and process limits",
    "core dumps",
    "docker",
  ]);
  expect(features.filter(({ kind, isPresent }) => kind === "isolation" && !isPresent)).toEqual([]);
  for (const { isPresent, remedy } of features) expect(remedy === "").toBe(isPresent);
});

test("a missing tool folder is found at the check and refuses a session", async () => {
  const driver = bubblewrapSandbox({ ...TOOLS, tools: ["/no/such/folder"] });
  const tools = (await driver.check()).find(({ name }) => name === "tools");
  expect(tools).toMatchObject({ kind: "isolation", isPresent: false });
  expect(tools?.remedy).toContain("/no/such/folder");
  await expect(openSession({ driver })).rejects.toThrow(UserError);
});

test.each([
  ["setpriv: failed to execute bwrap: No such file or directory", REMEDIES.bubblewrap],
  ["sandbox: line 19: exec: bwrap: not found", REMEDIES.bubblewrap],
  ["bwrap: Unknown option --disable-userns", REMEDIES.bubblewrap],
  ["sandbox: line 19: exec: setpriv: not found", REMEDIES.utilLinux],
  ["bwrap: No permissions to create new namespace, likely because the kernel does not allow it", REMEDIES.namespaces],
  ["bwrap: Creating new namespace failed: Operation not permitted", REMEDIES.namespaces],
  ["bwrap: setting up uid map: Permission denied", REMEDIES.namespaces],
  ["bwrap: cannot open /proc/sys/user/max_user_namespaces: Read-only file system", REMEDIES.namespaces],
  ["bwrap: Can't mount proc on /newroot/proc: Operation not permitted", REMEDIES.proc],
  ["bwrap: prctl(PR_SET_SECCOMP) EINVAL", REMEDIES.seccomp],
])("%s -> a UserError with the remedy", (said, remedy) => {
  const failure = setUpFailure(said);
  expect(failure).toBeInstanceOf(UserError);
  expect(failure.message).toContain(remedy);
});

test("a set-up that fails for another reason may be tried again", () => {
  expect(setUpFailure("bwrap: Out of memory")).toBeInstanceOf(TransientError);
});

test("a set-up that fails is thrown, never an exit of the command", async () => {
  await using session = await openSession();
  await rm(session.workspaceDir, { recursive: true });
  await expect(session.exec({})).rejects.toThrow(TransientError);
});

test("control groups of a dead worker are removed, those of a living one stay", async (context) => {
  const place = await findCgroupPlace();
  if (place === null) return context.skip();
  const dead = join(place.memoryDir, "pullwright-1-99999999999-test");
  await mkdir(dead);
  await using session = await openSession();
  await session.exec({});
  const left = (await readdir(place.memoryDir)).filter((name) => name.startsWith("pullwright-"));
  expect(left).not.toContain("pullwright-1-99999999999-test");
  expect(left.some((name) => name.startsWith(`pullwright-${process.pid}-`))).toBe(true);
  await rmdir(dead).catch(() => {});
});

test("closing leaves no control group", async (context) => {
  const place = await findCgroupPlace();
  if (place === null) return context.skip();
  const driver = bubblewrapSandbox(TOOLS);
  const mine = async () => (await readdir(place.memoryDir)).filter((name) => name.includes(`-${process.pid}-`));
  const before = await mine();
  const session = await openSession({ driver });
  await session.bash("(setsid sleep 97.1 &)");
  expect((await mine()).length).toBe(before.length + 1);
  await session[Symbol.asyncDispose]();
  expect(await mine()).toEqual(before);
});

test("limits are lowered to what this process may give", () => {
  const limits = { ...LIMITS, fileBytesMax: 12_345, processesMax: 2 ** 40 };
  expect(resourceLimits(limits, true)).toEqual([
    ["-n", 4096],
    ["-f", 12],
    ["-c", 0],
    ["-u", hardLimit("Max processes")],
  ]);
  expect(resourceLimits(limits, false)).toHaveLength(3);
  const inside = ["prlimit", `--nproc=${hardLimit("Max processes")}`, "--", "true"];
  expect(limitedCommand(["true"], limits, false)).toEqual(inside);
  expect(limitedCommand(["true"], limits, true)).toEqual(["true"]);
});

test("the settings choose the driver", () => {
  expect(openSandbox({ sandboxDriver: "bubblewrap", sandboxTools: [], sandboxContainer: null }).driver).toBe(
    "bubblewrap",
  );
  expect(openSandbox({ sandboxDriver: "host", sandboxTools: [], sandboxContainer: null }).driver).toBe("host");
});

test("a sandbox dies with its worker, and the next worker cleans up", async () => {
  const helper = join(import.meta.dirname, "open-session.ts");
  const code = `const { openSession } = await import(${JSON.stringify(helper)});
    const session = await openSession();
    console.log(session.workspaceDir);
    await session.exec({ argv: ["sleep", "${nap(1357)}"] });`;
  const worker = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = await once(worker.stdout, "data");
  const isRunning = async () => (await processesWith(`\0${nap(1357)}`)).length > 0;
  await vi.waitUntil(isRunning, 20_000);
  worker.kill("SIGKILL");
  await vi.waitUntil(async () => !(await isRunning()), 20_000);
  await rm(String(said).trim(), { recursive: true });

  const left = async () => (await readdir(tmpdir())).filter((name) => name.startsWith(`pullwright-${worker.pid}-`));
  await using session = await openSession();
  expect((await session.exec({})).exit).toEqual({ kind: "exited", code: 0 });
  expect(await left()).toEqual([]);
});

function hardLimit(name: string): number {
  const line =
    readFileSync("/proc/self/limits", "utf8")
      .split("\n")
      .find((text) => text.startsWith(name)) ?? "";
  return Number(line.slice(name.length).trim().split(/\s+/)[1]);
}
