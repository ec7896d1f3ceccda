/** A PostgreSQL that is killed and shut down under its users' hands, and comes back where it was. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "../../src/failure.ts";
import { Database, type Row } from "../../src/store/database.ts";
import { startEmbedded, type EmbeddedServer } from "../../src/store/embedded.ts";
import type { Restart } from "./plan.ts";

const GONE_MS_MAX = 30_000;
/** What looks on waits for a database that is away. */
const ASK_MS_MAX = 60_000;

export class ShakyDatabase implements AsyncDisposable {
  readonly url: string;
  readonly #dataDir: string;
  readonly #servers: EmbeddedServer[];
  readonly #database: Database;

  private constructor(dataDir: string, server: EmbeddedServer) {
    this.#dataDir = dataDir;
    this.#servers = [server];
    this.url = server.url;
    this.#database = new Database({ engine: "postgresql", url: server.url, release: async () => {} });
  }

  /** Killed processes lose nothing that the kernel has, so the disk need not be waited for; a power cut is not played. */
  static async open(dataDir: string): Promise<ShakyDatabase> {
    const shaky = new ShakyDatabase(dataDir, await startEmbedded({ dataDir }));
    await shaky.#database.query("ALTER SYSTEM SET fsync = off");
    await shaky.#database.query("SELECT pg_reload_conf()");
    return shaky;
  }

  async restart({ how, downMs }: Restart): Promise<void> {
    const pid = Number((await readFile(join(this.#dataDir, "postgres/data/postmaster.pid"), "utf8")).split("\n")[0]);
    process.kill(pid, how === "kill" ? "SIGKILL" : "SIGINT");
    for (let waited = 0; isAlive(pid); waited += 20) {
      if (waited > GONE_MS_MAX) throw new Error("PostgreSQL does not go");
      await delay(20);
    }
    await delay(downMs);
    this.#servers.push(await startEmbedded({ dataDir: this.#dataDir }));
  }

  async query<R extends Row = Row>(text: string, values: readonly unknown[] = []): Promise<readonly R[]> {
    const giveUpAt = Date.now() + ASK_MS_MAX;
    for (;;) {
      try {
        return await this.#database.query<R>(text, values);
      } catch (error) {
        if (!(error instanceof TransientError) || Date.now() > giveUpAt) throw error;
        await delay(200);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close();
    for (const server of this.#servers) await server.release();
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
