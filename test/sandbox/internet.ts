/** An internet of our own for the egress proxy: public addresses by name, behind which servers on loopback answer. */
import { execa } from "execa";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { connect, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EgressNetwork } from "../../src/sandbox/egress-policy.ts";

export type Internet = AsyncDisposable & {
  readonly network: EgressNetwork;
  /** The certificate of all its names, as PEM. */
  readonly certificate: string;
  /** "address:port" of every connection made, in order. */
  readonly dialled: readonly string[];
};

/** `addresses` may give a name several lists: each look-up gets the next one, as a rebinding server does. */
export async function openInternet(
  addresses: Readonly<Record<string, readonly (readonly string[])[]>>,
  answer: RequestListener,
): Promise<Internet> {
  await using stack = new AsyncDisposableStack();
  const { key, cert } = await makeCertificate(Object.keys(addresses));
  const plain = await listen(createHttp(answer), stack);
  const secure = await listen(createHttps({ key, cert }, answer), stack);
  const dialled: string[] = [];
  const asked = new Map<string, number>();
  const undo = stack.move();
  return {
    certificate: cert,
    dialled,
    network: {
      resolve: async (host) => {
        const turn = asked.get(host) ?? 0;
        asked.set(host, turn + 1);
        const lists = addresses[host];
        if (!lists) throw new Error(`getaddrinfo ENOTFOUND ${host}`);
        return lists[Math.min(turn, lists.length - 1)] ?? [];
      },
      connect: (address, port) => {
        dialled.push(`${address}:${port}`);
        return connect({ host: "127.0.0.1", port: port === 443 ? secure : plain });
      },
    },
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}

async function listen(server: Server & { closeAllConnections(): void }, stack: AsyncDisposableStack): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}

async function makeCertificate(names: readonly string[]): Promise<{ key: string; cert: string }> {
  const dir = await mkdtemp(join(tmpdir(), "pw-cert-"));
  const names_ = names.map((name) => `DNS:${name}`).join(",");
  await execa("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=a test", "-addext", `subjectAltName=${names_}`],
    ...["-keyout", join(dir, "key"), "-out", join(dir, "cert")],
  ]);
  const [key, cert] = await Promise.all(["key", "cert"].map((name) => readFile(join(dir, name), "utf8")));
  await rm(dir, { recursive: true });
  return { key: key ?? "", cert: cert ?? "" };
}
