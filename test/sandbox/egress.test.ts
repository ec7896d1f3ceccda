/** The way out: what may be reached through it, and that nothing else may, whatever is asked and however. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { isPublicAddress } from "../../src/sandbox/egress-address.ts";
import { readHello } from "../../src/sandbox/egress-hello.ts";
import type { EgressDecision } from "../../src/journal.ts";
import { judge } from "../../src/sandbox/egress-policy.ts";
import { openInternet, type Internet } from "./internet.ts";
import { MIB, openSession, type TestSession } from "./open-session.ts";

const PUBLIC = "104.16.1.34";

type Way = AsyncDisposable & {
  readonly session: TestSession;
  readonly internet: Internet;
  readonly decisions: readonly EgressDecision[];
};

async function openWay(
  choice: {
    readonly hosts?: readonly string[];
    readonly bytesMax?: number;
    readonly addresses?: Parameters<typeof openInternet>[0];
    readonly answer?: Parameters<typeof openInternet>[1];
  } = {},
): Promise<Way> {
  await using stack = new AsyncDisposableStack();
  const addresses = { "good.example": [[PUBLIC]], "evil.example": [["104.16.9.9"]], ...choice.addresses };
  const hello: Parameters<typeof openInternet>[1] = (request, response) => {
    response.end(`${request.method} ${request.headers.host}${request.url}\n`);
  };
  const internet = stack.use(await openInternet(addresses, choice.answer ?? hello));
  const decisions: EgressDecision[] = [];
  const { network } = internet;
  const { hosts = ["good.example"], bytesMax = MIB } = choice;
  const egress = { hosts, bytesMax, network, onDecision: (decision: EgressDecision) => void decisions.push(decision) };
  const session = stack.use(await openSession({ egress, environment: { CURL_CA_BUNDLE: "/workspace/ca.pem" } }));
  await writeFile(join(session.workspaceDir, "ca.pem"), internet.certificate, { mode: 0o644 });
  const undo = stack.move();
  return { session, internet, decisions, [Symbol.asyncDispose]: () => undo.disposeAsync() };
}

/** A raw request to the proxy, as a program that knows no rules would write it. */
function talk(text: string): string {
  return `exec 3<>/dev/tcp/127.0.0.1/3128; printf '${text}' >&3; timeout 20 cat <&3`;
}

const said = ({ verdict, host, port, why }: EgressDecision) => `${verdict} ${host}:${port}${why && `: ${why}`}`;

test("a listed host is reached, by https: and http:, and both are told", async () => {
  await using way = await openWay();
  const { stdout } = await way.session.bash("curl -sS https://good.example/a; curl -sS http://good.example/b?c=d");
  expect(stdout).toBe("GET good.example/a\nGET good.example/b?c=d\n");
  expect(way.decisions.map(said)).toEqual(["allowed good.example:443", "allowed good.example:80"]);
  expect(way.internet.dialled).toEqual([`${PUBLIC}:443`, `${PUBLIC}:80`]);
});

test("a session without a policy has no relay and no proxy", async () => {
  await using session = await openSession();
  const { stdout } = await session.bash("env | grep -ic proxy; ls /run/egress; exec 3<>/dev/tcp/127.0.0.1/3128");
  expect(stdout).toBe("0\n");
});

test("a command keeps its exit code, its input, and children that it may wait for", async () => {
  await using way = await openWay();
  const code =
    'import os\nos.system("true")\ntry:\n  while True: os.wait()\nexcept ChildProcessError: print("none left")';
  expect(await way.session.exec({ argv: ["cat"], stdin: "in" })).toMatchObject({ stdout: "in", stderr: "" });
  expect((await way.session.bash("exit 7")).exit).toEqual({ kind: "exited", code: 7 });
  expect((await way.session.exec({ argv: ["/usr/bin/python3", "-c", code] })).stdout).toBe("none left\n");
});

test("a file goes up and a large answer comes down whole", async () => {
  const big = "x".repeat(300_000);
  await using way = await openWay({
    bytesMax: 4 * MIB,
    answer: (request, response) => {
      let bytes = 0;
      request.on("data", (chunk: Buffer) => (bytes += chunk.length)).on("end", () => response.end(`${bytes}\n${big}`));
    },
  });
  for (const scheme of ["http", "https"]) {
    const { stdout } = await way.session.bash(
      `head -c 200000 /dev/zero >/tmp/up; curl -sS --data-binary @/tmp/up ${scheme}://good.example/ >/tmp/down; head -1 /tmp/down; wc -c </tmp/down`,
    );
    expect(stdout).toBe(`200000\n${big.length + 7}\n`);
  }
});

const refusedByCurl: readonly (readonly [what: string, url: string, told: string])[] = [
  ["a host that is not listed", "https://evil.example/", "denied evil.example:443: not on the list"],
  ["one over http:", "http://evil.example/", "denied evil.example:80: not on the list"],
  [
    "one whose name begins with a listed one",
    "https://good.example.evil.example/",
    "denied good.example.evil.example:443: not on the list",
  ],
  [
    "one whose name ends with a listed one",
    "https://evilgood.example/",
    "denied evilgood.example:443: not on the list",
  ],
  [
    "the metadata address",
    "http://169.254.169.254/latest/meta-data/",
    "denied 169.254.169.254:80: an address, not a name",
  ],
  [
    "the metadata address as a number",
    "http://2852039166/latest/",
    "denied 169.254.169.254:80: an address, not a name",
  ],
  [
    "the metadata address as IPv6",
    "http://[::ffff:169.254.169.254]/",
    "denied [::ffff:a9fe:a9fe]:80: an address, not a name",
  ],
  ["a public address", `https://${PUBLIC}/`, `denied ${PUBLIC}:443: an address, not a name`],
  ["another port", "https://good.example:22/", "denied good.example:22: a tunnel may use port 443 only"],
  ["another port over http:", "http://good.example:8080/", "denied good.example:8080: http: may use port 80 only"],
];

test.each(refusedByCurl)("%s is refused, named, and nothing is dialled", async (_what, url, told) => {
  await using way = await openWay();
  const { exit, stderr } = await way.session.bash(`curl -sSf --globoff '${url}'`);
  expect(exit).toMatchObject({ kind: "exited" });
  expect(exit).not.toMatchObject({ code: 0 });
  expect(stderr).toContain("403");
  expect(way.decisions.map(said)).toEqual([told]);
  expect(way.internet.dialled).toEqual([]);
});

test("a name that resolves to a private address is refused, even among public ones", async () => {
  const addresses = {
    "good.example": [["10.0.0.7"]],
    "mixed.example": [[PUBLIC, "127.0.0.1"]],
    "six.example": [["fd00:ec2::254"]],
  };
  await using way = await openWay({ addresses, hosts: Object.keys(addresses) });
  await way.session.bash("for name in good mixed six; do curl -sS https://$name.example/; done");
  expect(way.decisions.map(said)).toEqual([
    "denied good.example:443: resolves to 10.0.0.7, which is not a public address",
    "denied mixed.example:443: resolves to 127.0.0.1, which is not a public address",
    "denied six.example:443: resolves to fd00:ec2::254, which is not a public address",
  ]);
  expect(way.internet.dialled).toEqual([]);
});

test("a name that changes its address between two looks is refused at the second", async () => {
  await using way = await openWay({ addresses: { "good.example": [[PUBLIC], ["169.254.169.254"]] } });
  await way.session.bash("curl -sS http://good.example/; curl -sS http://good.example/");
  expect(way.decisions.map(({ verdict }) => verdict)).toEqual(["allowed", "denied"]);
  expect(way.internet.dialled).toEqual([`${PUBLIC}:80`]);
});

test("a tunnel to a listed name carries TLS for that name only", async () => {
  await using way = await openWay({ addresses: { "evil.example": [[PUBLIC]] } });
  const tunnel = "CONNECT good.example:443 HTTP/1.1\\r\\nHost: good.example\\r\\n\\r\\n";
  await way.session.bash("curl -sS --connect-to evil.example:443:good.example:443 https://evil.example/");
  await way.session.bash(talk(`${tunnel}SSH-2.0-x\\r\\n`));
  await way.session.bash(talk(`${tunnel}GET / HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n`));
  const why = "the tunnel carries no TLS for this name";
  expect(way.decisions.map(said)).toEqual(new Array(3).fill(`denied good.example:443: ${why}`));
});

test("a plain request goes to the name that was judged, whatever its Host header says", async () => {
  await using way = await openWay();
  const { stdout } = await way.session.bash("curl -sS -H 'Host: evil.example' http://good.example/");
  expect(stdout).toBe("GET good.example/\n");
});

test("odd requests end without a connection", async () => {
  await using way = await openWay();
  const odd = [
    "GET / HTTP/1.1\\r\\nHost: good.example\\r\\n\\r\\n",
    "GET https://good.example/ HTTP/1.1\\r\\nHost: good.example\\r\\n\\r\\n",
    "GET file:///etc/passwd HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
    "CONNECT good.example HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
    "CONNECT good.example:99999 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
    "CONNECT \\x1b[31m@evil:443 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
    "\\x16\\x03\\x01\\x00",
    "\\x05\\x01\\x00",
  ];
  for (const text of odd) await way.session.bash(`${talk(text).replace("timeout 20", "timeout 1")}; true`);
  expect(way.internet.dialled).toEqual([]);
  expect(way.decisions.every(({ verdict, host }) => verdict === "denied" && /^[a-z0-9.:?[\]-]*$/.test(host))).toBe(
    true,
  );
  expect((await way.session.bash("curl -sS http://good.example/still")).stdout).toBe("GET good.example/still\n");
});

test("raw sockets and ways past the proxy have no route", async () => {
  await using way = await openWay();
  const dial = (host: string, port: number) => `(exec 3<>/dev/tcp/${host}/${port}) 2>/dev/null && echo reached ${host}`;
  const raw =
    'import socket\ntry: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print("raw")\nexcept OSError: pass';
  const { stdout } = await way.session.bash(
    [
      dial(PUBLIC, 443),
      dial("169.254.169.254", 80),
      dial("10.0.0.1", 22),
      "getent hosts good.example",
      `/usr/bin/python3 -c '${raw}'`,
      "true",
    ].join("; "),
  );
  expect(stdout).toBe("");
  expect(way.decisions).toEqual([]);
});

test("past the cap on bytes everything ends and nothing more is answered", async () => {
  const stream = Buffer.alloc(64 * 1024);
  await using way = await openWay({
    bytesMax: 256 * 1024,
    answer: (_request, response) => {
      const more = () => {
        while (!response.destroyed && response.write(stream)) continue;
      };
      response.on("drain", more).on("error", () => {});
      more();
    },
  });
  const { stdout } = await way.session.bash("curl -s https://good.example/ | wc -c; curl -s https://good.example/");
  expect(Number(stdout)).toBeLessThan(512 * 1024);
  expect(way.decisions.map(said)).toEqual([
    "allowed good.example:443",
    "denied good.example:443: the limit of bytes is used up",
  ]);
});

test("a host that nobody knows, and one that does not answer, are told as such", async () => {
  await using way = await openWay({ hosts: ["unknown.example", "good.example"] });
  const network = {
    ...way.internet.network,
    resolve: async () => new Promise<never>((_, fail) => fail(new Error("no"))),
  };
  const policy = { hosts: ["good.example"], bytesMax: 1, network, onDecision: () => {} };
  expect(await judge({ kind: "plain", host: "GOOD.example.", port: 80 }, policy)).toEqual({
    kind: "failed",
    why: "the name is unknown",
  });
  const { stdout } = await way.session.bash("curl -s http://unknown.example/");
  expect(stdout).toBe("egress failed: unknown.example:80: the name is unknown\n");
});

test("a star stands for every name below, not for the name itself", async () => {
  await using internet = await openInternet(
    { "a.b.example": [[PUBLIC]], "b.example": [[PUBLIC]], "xb.example": [[PUBLIC]] },
    () => {},
  );
  const policy = { hosts: ["*.b.example"], bytesMax: 1, network: internet.network, onDecision: () => {} };
  const kinds = await Promise.all(
    ["a.b.example", "b.example", "xb.example", ".b.example"].map(
      async (host) => (await judge({ kind: "tunnel", host, port: 443 }, policy)).kind,
    ),
  );
  expect(kinds).toEqual(["allowed", "denied", "denied", "denied"]);
});

test("two sessions have two ways out", async () => {
  await using one = await openWay({ hosts: ["good.example"] });
  await using other = await openWay({ hosts: ["evil.example"] });
  const get = "for name in good evil; do curl -s -o /dev/null -w '%{http_connect} ' https://$name.example/; done";
  expect((await one.session.bash(get)).stdout).toBe("200 403 ");
  expect((await other.session.bash(get)).stdout).toBe("403 200 ");
});

const addresses: readonly (readonly [address: string, isPublic: boolean])[] = [
  ["1.1.1.1", true],
  ["104.16.1.34", true],
  ["172.15.255.255", true],
  ["172.32.0.1", true],
  ["100.63.255.255", true],
  ["2606:4700::6810:122", true],
  ["2a04:4e42::223", true],
  ["0.0.0.0", false],
  ["10.1.2.3", false],
  ["100.100.100.200", false],
  ["127.0.0.1", false],
  ["127.255.255.254", false],
  ["169.254.169.254", false],
  ["168.63.129.16", false],
  ["172.16.0.1", false],
  ["172.31.255.255", false],
  ["192.0.0.192", false],
  ["192.168.1.1", false],
  ["198.18.0.1", false],
  ["224.0.0.1", false],
  ["255.255.255.255", false],
  ["::", false],
  ["::1", false],
  ["::ffff:1.1.1.1", false],
  ["::ffff:127.0.0.1", false],
  ["::127.0.0.1", false],
  ["64:ff9b::a9fe:a9fe", false],
  ["2002:7f00:1::", false],
  ["2001:0:53aa:64c::", false],
  ["2001:db8::1", false],
  ["fc00::1", false],
  ["fd00:ec2::254", false],
  ["fe80::1", false],
  ["fe80::1%eth0", false],
  ["2606:4700::1%eth0", false],
  ["ff02::1", false],
  ["0x7f.1", false],
  ["2130706433", false],
  ["good.example", false],
  ["", false],
];

test.each(addresses)("%s is public: %s", (address, isPublic) => {
  expect(isPublicAddress(address)).toBe(isPublic);
});

test("the first bytes of a real TLS client name its server, however they are cut", async () => {
  const sent = Promise.withResolvers<Buffer>();
  const wire = new Duplex({ read: () => {}, write: (chunk: Buffer) => sent.resolve(chunk) });
  const tls = connectTls({ socket: wire, servername: "Good.Example" });
  tls.on("error", () => {});
  const bytes = await sent.promise;
  tls.destroy();
  expect(readHello(bytes)).toEqual({ kind: "named", name: "good.example" });
  for (let cut = 0; cut < bytes.length; cut++)
    expect(readHello(bytes.subarray(0, cut))).toEqual({ kind: "unfinished" });
  // In two records, as some clients send it to get past such a look.
  const body = bytes.subarray(5);
  const record = (part: Buffer) => Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);
  const halves = Buffer.concat([record(body.subarray(0, 40)), record(body.subarray(40))]);
  expect(readHello(halves)).toEqual({ kind: "named", name: "good.example" });
});

test("no bytes make the reader of a TLS hello throw, and none of ours name a server", () => {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) & 255;
  for (let round = 0; round < 3000; round++) {
    const noise = Buffer.from(Array.from({ length: 8 + (round % 90) }, random));
    const framed = Buffer.concat([
      Buffer.from([22, 3, 1, 0, noise.length, 1, 0, 0, Math.max(0, noise.length - 4)]),
      noise,
    ]);
    expect(readHello(noise).kind).not.toBe("named");
    expect(["unfinished", "nameless", "named"]).toContain(readHello(framed).kind);
  }
});
