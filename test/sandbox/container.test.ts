/** What a container alone can get wrong: its life, its keeper, and an engine that does not do as it should. */
import { execa } from "execa";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, lstat, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { json, text } from "node:stream/consumers";
import { afterAll, describe, expect, test, vi } from "vitest";
import type { EgressDecision } from "../../src/journal.ts";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { Engine } from "../../src/sandbox/container-engine.ts";
import { Container } from "../../src/sandbox/container-life.ts";
import { planContainer } from "../../src/sandbox/container-plan.ts";
import { CONTAINER_REMEDIES } from "../../src/sandbox/container-remedies.ts";
import { containerSandbox } from "../../src/sandbox/container.ts";
import { openSandbox } from "../../src/sandbox/open-sandbox.ts";
import { requireIsolation } from "../../src/sandbox/require-isolation.ts";
import { openTestEngine } from "./container-engine.ts";
import { openInternet } from "./internet.ts";
import { isRoot, LIMITS, MIB, nap, openSession, processesWith, TOOLS } from "./open-session.ts";

const opened = await openTestEngine();
afterAll(() => (typeof opened === "string" ? undefined : opened[Symbol.asyncDispose]()));
const settings = typeof opened === "string" ? { image: "", runtime: null, socketPath: "" } : opened.settings;
const driver = containerSandbox(TOOLS, settings);

/** Asks the engine without our client. */
async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const headers = { "Content-Type": "application/json" };
  const asked = request({ socketPath: settings.socketPath, method, path, headers });
  asked.end(body === undefined ? "" : JSON.stringify(body));
  const [response] = await once(asked, "response");
  return response.headers["content-type"]?.includes("json") ? json(response) : text(response);
}

const containers = async (): Promise<number> => {
  const all = await ask("GET", "/containers/json?all=1");
  return Array.isArray(all) ? all.length : Number.NaN;
};

const suite = `a container${typeof opened === "string" ? ` (${opened})` : ""}`;
describe.skipIf(typeof opened === "string")(suite, () => {
  test("the check names every feature, and all isolation is here", async () => {
    const features = await driver.check();
    expect(features.map(({ name }) => name)).toEqual([
      "container engine",
      "engine API",
      "container image",
      "container runtime",
      "container",
      "system call filter",
      "programs in the image",
      "memory and process limits",
      "core dumps",
    ]);
    expect(features.filter(({ kind, isPresent }) => kind === "isolation" && !isPresent)).toEqual([]);
  });

  test("an image that is not here refuses everything, and the command that brings it is named", async () => {
    const other = containerSandbox(TOOLS, { ...settings, image: "example.org/no/such:1" });
    const image = (await other.check()).find(({ name }) => name === "container image");
    expect(image).toMatchObject({ isPresent: false, remedy: "docker pull example.org/no/such:1" });
    await expect(requireIsolation(other, () => {})).rejects.toThrow("docker pull example.org/no/such:1");
    await expect(openSession({ driver: other })).rejects.toThrow("docker pull example.org/no/such:1");
  });

  test("an engine that is not there and a runtime it does not know are named with their remedies", async () => {
    const away = containerSandbox(TOOLS, { ...settings, socketPath: "/no/such.sock" });
    expect((await away.check()).map(({ isPresent, remedy }) => ({ isPresent, remedy }))).toEqual([
      { isPresent: false, remedy: `The container engine cannot be reached. ${CONTAINER_REMEDIES.engine}` },
    ]);
    const odd = containerSandbox(TOOLS, { ...settings, runtime: "no-such-runtime" });
    await expect(requireIsolation(odd, () => {})).rejects.toThrow(CONTAINER_REMEDIES.runtime);
    await expect(openSession({ driver: odd })).rejects.toThrow(CONTAINER_REMEDIES.runtime);
  });

  test("a tool folder with the engine's socket in it is refused", async () => {
    const careless = containerSandbox({ ...TOOLS, tools: [dirname(settings.socketPath)] }, settings);
    await expect(openSession({ driver: careless })).rejects.toThrow("socket would be seen inside");
  });

  test.runIf(process.arch === "x64")("system calls are refused as bubblewrap refuses them", async () => {
    await using container = await openSession({ driver });
    await using bubblewrap = await openSession({ driver: bubblewrapSandbox(TOOLS) });
    const calls = [
      ...[
        [41, 40, 1, 0],
        [41, 38, 5, 0],
        [41, 17, 3, 0],
        [41, 16, 3, 12],
        [53, 30, 1, 0, 0],
        [41, 1, 1, 0],
      ],
      ...[
        [41, 10, 2, 0],
        [41, 16, 3, 0],
        [250, 0, -3, 0],
        [248, 0, 0, 0, 0, -3],
        [425, 8, 0],
        [321, 0, 0, 0],
      ],
      ...[
        [323, 0],
        [272, 0x10000000],
        [56, 0x10000011, 0, 0, 0, 0],
        [435, 0, 0],
        [304, -100, 0, 0],
      ],
      ...[[16, 0, 0x5412, 0], [16, 0, 0x100005412, 0], [16, 0, 0x541c, 0], [437, -100, 0, 0, 0], [39], [1000]],
      ...[
        [90, 0, 0o4755],
        [90, 0, 0o755],
        [257, -100, 0, 0x41, 0o4755],
        [257, -100, 0, 0, 0o4755],
        [452, 0, 0, 0o2755],
      ],
    ];
    for (const call of calls) {
      const [ours, theirs] = [await container.syscall(...call), await bubblewrap.syscall(...call)];
      expect({ call, ...ours, errno: ours.errno }).toEqual({ call, ...theirs, errno: theirs.errno });
    }
  });

  test("what a command leaves in memory-backed folders and System V tables is not there for the next", async () => {
    await using session = await openSession({ driver });
    const folders = "/tmp /home/agent /run /dev/shm";
    await session.bash(`for d in ${folders}; do mkdir -p $d/.x/y && echo kept >$d/.x/y/file; done; touch file`);
    expect((await session.bash(`ls -A ${folders} | grep x; ls`)).stdout).toBe("file\n");
    const segment = 'my $id = shmget(0, 4096, 0600); print defined $id ? "made" : "not made"';
    expect((await session.exec({ argv: ["perl", "-e", segment] })).stdout).toBe("made");
    expect((await session.bash("tail -n +2 /proc/sysvipc/shm")).stdout).toBe("");
  });

  test("a command that ends the shell around it does not save what it left", async () => {
    await using session = await openSession({ driver });
    const script = `(setsid sleep ${nap(8651)} &); touch /tmp/x; sleep 0.1; kill -9 $PPID; sleep 0.2`;
    expect((await session.bash(script)).exit).toEqual({ kind: "exited", code: 137 });
    expect(await processesWith(nap(8651))).toEqual([]);
    expect((await session.bash("ls -A /tmp; echo well")).stdout).toBe("well\n");
  });

  test("ended children of others are collected while their command runs", async () => {
    await using session = await openSession({ driver });
    const script = "for i in {1..40}; do (setsid true &); done; sleep 1; cat /proc/[0-9]*/stat | grep -c ') Z '; true";
    expect((await session.bash(script)).stdout).toBe("0\n");
  });

  test("the keeper cannot be signalled, traced, read or spoken to", async () => {
    await using session = await openSession({ driver });
    const script = `for p in $(grep -l pullwright /proc/[0-9]*/cmdline | tr -dc '0-9\\n'); do
        [[ $(stat -c %u /proc/$p) == 65534 ]] || continue
        echo keeper; kill -9 $p; kill -STOP $p; cat /proc/$p/environ /proc/$p/fd/0; echo look >/proc/$p/fd/0
        perl -e 'print "traced" if syscall(16 == 16 ? 101 : 117, 16, '$p', 0, 0) == 0'; done 2>/dev/null`;
    expect((await session.bash(script)).stdout).toBe("keeper\nkeeper\n");
    expect((await session.bash("echo well")).stdout).toBe("well\n");
  });

  test("a herd that takes all memory is told as such, and the next command runs", async () => {
    await using session = await openSession({ driver, limits: { ...LIMITS, memoryBytes: 128 * MIB } });
    const one = "perl -e 'my $a = q(x) x (40 * 1048576); sleep 20'";
    const herd = await session.bash(`${Array.from({ length: 8 }, () => `${one} &`).join(" ")} wait -n; exit 1`);
    expect(herd.exit).toEqual({ kind: "memory-limit", memoryBytes: 128 * MIB });
    expect((await session.bash("exit 3")).exit).toEqual({ kind: "exited", code: 3 });
  });

  test("a worker that is killed leaves no container, at any moment", { timeout: 120_000 }, async () => {
    const code = `import { containerSandbox } from ${JSON.stringify(join(import.meta.dirname, "../../src/sandbox/container.ts"))};
      import { openSession, TOOLS } from ${JSON.stringify(join(import.meta.dirname, "open-session.ts"))};
      const driver = containerSandbox(TOOLS, ${JSON.stringify(settings)});
      process.stdout.write("started");
      const session = await openSession({ driver });
      for (;;) await session.bash("trap '' TERM HUP; sleep ${nap(8652)} & (setsid sleep ${nap(8652)} &); wait");`;
    for (const moment of [150, 600, 1500]) {
      const worker = spawn(process.execPath, ["--input-type=module", "-e", code], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(worker.stdout, "data");
      await new Promise((go) => setTimeout(go, moment));
      worker.kill("SIGKILL");
      await once(worker, "exit");
      await using next = await openSession({ driver: containerSandbox(TOOLS, settings) });
      expect((await next.bash("echo well")).stdout).toBe("well\n");
      await vi.waitFor(async () => expect(await containers()).toBe(1), { timeout: 10_000 });
      expect(await processesWith(nap(8652))).toEqual([]);
    }
  });

  test("what dead workers left is removed at the next start, what others run is not", async () => {
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const processes = await readlink("/proc/self/ns/pid");
    const make = async (session: string, namespace: string) => {
      const labels = { "pullwright.session": session, "pullwright.boot": boot, "pullwright.processes": namespace };
      const plan = { Image: settings.image, Cmd: ["sleep", "300"], Labels: labels, NetworkDisabled: true };
      const made = await ask("POST", "/containers/create", plan);
      const id = typeof made === "object" && made !== null && "Id" in made ? String(made.Id) : "";
      await ask("POST", `/containers/${id}/start`);
      return id;
    };
    await make("pullwright-999999999-1-dead", processes);
    const alive = await make("pullwright-999999999-1-elsewhere", "pid:[1]");
    await using session = await openSession({ driver: containerSandbox(TOOLS, settings) });
    expect(await containers()).toBe(2);
    await ask("DELETE", `/containers/${alive}?force=true`);
    expect((await session.exec({})).exit).toEqual({ kind: "exited", code: 0 });
  });

  test("a container whose worker hangs ends by itself", async () => {
    const parts = { ...settings, labels: {}, binds: [], volumes: [], limits: LIMITS, seccomp: "unconfined" };
    const facts = { isRootless: false, limitsMemory: true, cpus: 1 };
    const plan = planContainer({ ...parts, ...facts, keeper: "65534:65534", userProcessesMax: 256 });
    const container = await Container.start(await Engine.open(settings.socketPath), plan);
    container.setDeadline(-29_000); // The keeper's grace is thirty seconds.
    expect(await container.ended).not.toBeNull();
    await container.end();
    expect(await containers()).toBe(0);
  });

  test("what is named may be reached through the proxy, and nothing else", async () => {
    const addresses = { "good.example": [["104.16.1.34"]], "evil.example": [["104.16.9.9"]] };
    await using internet = await openInternet(addresses, (asked, response) => void response.end(`hello ${asked.url}`));
    const decisions: EgressDecision[] = [];
    const { network } = internet;
    const egress = {
      hosts: ["good.example"],
      bytesMax: MIB,
      network,
      onDecision: (one: EgressDecision) => void decisions.push(one),
    };
    await using session = await openSession({ driver, egress, environment: { REGISTRY_TOKEN: "hunter2hunter2" } });
    const get = (host: string) =>
      session.bash(
        `exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET http://${host}/a HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n\\r\\n' >&3; timeout 20 cat <&3`,
      );
    expect((await get("good.example")).stdout).toContain("hello /a");
    expect((await get("evil.example")).stdout).not.toContain("hello");
    expect(decisions.map(({ verdict, host }) => `${verdict} ${host}`)).toEqual([
      "allowed good.example",
      "denied evil.example",
    ]);
    expect((await session.bash("echo $REGISTRY_TOKEN; (exec 3<>/dev/tcp/104.16.1.34/80) || echo no way")).stdout).toBe(
      "hunter2hunter2\nno way\n",
    );
  });

  test("read-only paths and read-only workspaces are so, and one that was moved stops the run", async () => {
    await using session = await openSession({ driver });
    await mkdir(join(session.workspaceDir, "a/.git/hooks"), { recursive: true });
    const opening = { driver, workspaceDir: session.workspaceDir };
    await using guarded = await openSession({ ...opening, readOnlyPaths: ["a/.git", "missing"] });
    for (const script of ["touch a/.git/x", "rm -rf a/.git/hooks", "mv a/.git b", "chmod 777 a/.git", "rmdir a/.git"]) {
      expect({ script, ...(await guarded.bash(script)) }.exit).toEqual({ kind: "exited", code: 1 });
    }
    await using reader = await openSession({ ...opening, isReadOnly: true });
    expect((await reader.bash("touch x || ls -A a/.git")).stdout).toBe("hooks\n");
    await guarded.bash("mv a moved && mkdir a && ln -s /root a/.git");
    await expect(guarded.bash("ls a/.git")).rejects.toThrow("/workspace/a/.git");
  });

  test("a link out of the workspace leads to the container's own files", async () => {
    await using session = await openSession({ driver });
    await symlink("/etc/passwd", join(session.workspaceDir, "passwd"));
    await symlink(import.meta.filename, join(session.workspaceDir, "here"));
    expect((await session.bash("cat passwd | wc -l; cat here || echo nothing")).stdout).toBe("3\nnothing\n");
  });

  test.runIf(isRoot)(
    "commands have the workspace's owner, and else a user of their own that is gone with the session",
    async () => {
      const workspaceDir = await mkdtemp(join(tmpdir(), "pullwright-test-"));
      await chown(workspaceDir, 1_900_000_123, 1_900_000_123);
      await using owned = await openSession({ driver, workspaceDir, owner: 1_900_000_123 });
      expect((await owned.bash("id -u; touch file")).stdout).toBe("1900000123\n");
      await owned.session[Symbol.asyncDispose]();
      expect((await lstat(join(workspaceDir, "file"))).uid).toBe(1_900_000_123);
      const other = await openSession({ driver });
      expect(Number((await other.bash("id -u; touch file")).stdout)).toBeGreaterThan(65_535);
      await other.session[Symbol.asyncDispose]();
      expect((await lstat(join(other.workspaceDir, "file"))).uid).toBe(0);
      await rm(other.workspaceDir, { recursive: true });
    },
  );

  test.runIf(isRoot)("a workspace that is an overlay is seen, and written to where the overlay writes", async () => {
    const base = await mkdtemp(join(tmpdir(), "pullwright-test-"));
    const folders = ["lower", "upper", "work", "tree"].map((name) => join(base, name));
    for (const folder of folders) await mkdir(folder);
    const [lower = "", upper = "", work = "", tree = ""] = folders;
    await writeFile(join(lower, "old"), "old");
    for (const path of [lower, join(lower, "old"), upper, work]) await chown(path, 1_900_000_124, 1_900_000_124);
    await execa("mount", ["-t", "overlay", "-o", `lowerdir=${lower},upperdir=${upper},workdir=${work}`, "none", tree]);
    const session = await openSession({ driver, workspaceDir: tree, owner: 1_900_000_124 });
    expect((await session.bash("cat old; echo new >old; ls")).stdout).toBe("oldold\n");
    await session.session[Symbol.asyncDispose]();
    await execa("umount", [tree]);
    expect(await readFile(join(upper, "old"), "utf8")).toBe("new\n");
    await rm(base, { recursive: true });
  });

  test("the settings choose the driver", () => {
    const chosen = { sandboxDriver: "container", sandboxTools: [], sandboxContainer: settings } as const;
    expect(openSandbox(chosen).driver).toBe("container");
  });
});

test("a connection that an engine refuses and leaves open is closed", async () => {
  await using undo = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pullwright-refusing-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  // As podman's service does: it answers before the request has ended, and waits for its end.
  const refusing = createServer((asked, response) => {
    const isMade = asked.url?.includes("/containers/create") ?? false;
    response.writeHead(isMade ? 201 : 409, { "Content-Type": "application/json" });
    response.end(JSON.stringify(isMade ? { Id: "made" } : { message: "refused" }));
  });
  const open = new Set<Socket>();
  refusing.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  undo.defer(() => {
    refusing.closeAllConnections();
    refusing.close();
  });
  refusing.listen(join(dir, "sock"));
  await once(refusing, "listening");
  const parts = { ...settings, labels: {}, binds: [], volumes: [], limits: LIMITS, seccomp: "unconfined" };
  const facts = { isRootless: false, limitsMemory: true, cpus: 1, userProcessesMax: 256 };
  const plan = planContainer({ ...parts, ...facts, keeper: "65534:65534" });
  const container = await (await Engine.open(join(dir, "sock"))).create(plan);
  for (let i = 0; i < 3; i++) await expect(container.attach()).rejects.toThrow("refused");
  await vi.waitFor(() => expect(open.size).toBe(0));
});
