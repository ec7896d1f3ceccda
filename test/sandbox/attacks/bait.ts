/** What an attacker would like to reach on the host, set up for real and marked with one secret. */
import { randomUUID } from "node:crypto";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Bait implements AsyncDisposable {
  readonly secret: string;
  readonly dir: string;
  /** Seconds nobody else on this machine sleeps, so that a survivor can be told. */
  readonly nap: string;
  readonly #names: Readonly<Record<string, string>>;
  readonly #undo: AsyncDisposableStack;

  private constructor(dir: string, names: Readonly<Record<string, string>>, undo: AsyncDisposableStack) {
    this.dir = dir;
    this.secret = names["SECRET"] ?? "";
    this.nap = names["NAP"] ?? "";
    this.#names = names;
    this.#undo = undo;
  }

  static async open(driver: string): Promise<Bait> {
    await using undo = new AsyncDisposableStack();
    const secret = `canary-${randomUUID()}`;
    const dir = await mkdtemp(join(tmpdir(), "pullwright-bait-"));
    undo.defer(() => rm(dir, { recursive: true, force: true }));
    await mkdir(join(dir, "other-run"), { mode: 0o755 });
    for (const name of ["secret", "other-run/file", "docker.sock.txt"]) await writeFile(join(dir, name), secret);
    const listen = async (where: object) => {
      const server = createServer((socket) => socket.end(secret)).on("error", () => {});
      undo.defer(() => closeServer(server));
      server.listen(where);
      await once(server, "listening");
      const address = server.address();
      return address !== null && typeof address === "object" ? String(address.port) : "";
    };
    const abstract = `pullwright-${secret.slice(-12)}`;
    await listen({ path: `\0${abstract}` });
    await listen({ path: join(dir, "path.sock") });
    const tcp4 = await listen({ port: 0, host: "127.0.0.1" });
    const tcp6 = await listen({ port: 0, host: "::1" }).catch(() => "0"); // A machine without IPv6.
    const victim = spawn("sleep", ["3600"], { stdio: "ignore", env: { PULLWRIGHT_SECRET: secret } });
    undo.defer(() => endVictim(victim));
    const names = { SECRET: secret, DIR: dir, ABSTRACT: abstract, TCP4: tcp4, TCP6: tcp6 };
    const nap = `97.${process.pid}${secret.replaceAll(/\D/g, "").slice(0, 9)}`;
    const processes = {
      DRIVER: driver,
      NAP: nap,
      PID: String(process.pid),
      VICTIM: String(victim.pid),
      INSTALL: process.cwd(),
    };
    return new Bait(dir, { ...names, ...processes }, undo.move());
  }

  fill(program: string): string {
    return program.replaceAll(/@([A-Z0-9]+)@/g, (whole, name: string) => this.#names[name] ?? whole);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#undo.disposeAsync();
  }
}

async function closeServer(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}

async function endVictim(victim: ChildProcess): Promise<void> {
  if (victim.exitCode !== null || victim.signalCode !== null) throw new Error("the victim was ended by somebody");
  victim.kill("SIGKILL");
  await once(victim, "exit");
}
