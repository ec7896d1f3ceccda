/**
 * The database: the PostgreSQL of DATABASE_URL, else the embedded one. The only home of `pg`; the tables are in the modules beside it.
 * What fails because the database is away or busy is a TransientError, so that the caller may try again.
 */
import pg from "pg";
import { TransientError, UserError } from "../failure.ts";
import { type EmbeddedServer, startEmbedded } from "./embedded.ts";
import { Listener } from "./listener.ts";
import { migrate } from "./migrate.ts";

export type Row = Readonly<Record<string, unknown>>;

/** What the table modules need: the pool, or one transaction. Rows are ours, so their type is declared and not checked. */
export type Sql = {
  query<R extends Row = Row>(text: string, values?: readonly unknown[]): Promise<readonly R[]>;
};

/** A page load, a worker and its chores at once; pg-boss has a pool of its own, and the embedded server takes 60 in all. */
const POOL_MAX = 10;
const CONNECT_WAIT_MS = 10_000;
/** Deliveries come in bursts; ten new connections at once (SCRAM on both sides) would stand in front of the first of them. */
const IDLE_MS_MAX = 5 * 60_000;

/** No statement of ours takes long; one that does waits for a lock and must not hold a delivery beyond GitHub's ten seconds. */
const STATEMENT_MS_MAX = 30_000;
const IDLE_IN_TRANSACTION_MS_MAX = 60_000;

/** Starts or finds the server, brings its tables up to date, and holds it until close. */
export async function openDatabase(settings: {
  readonly databaseUrl: string | null;
  readonly dataDir: string;
}): Promise<Database> {
  if (settings.databaseUrl !== null) {
    return openMigrated({ engine: "postgresql", url: settings.databaseUrl, release: async () => {} });
  }
  const server = await startEmbedded({ dataDir: settings.dataDir });
  return openMigrated({ engine: "embedded", url: server.url, release: server.release });
}

async function openMigrated(source: Source): Promise<Database> {
  const database = new Database(source);
  try {
    await migrate(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

type Source = {
  readonly engine: "postgresql" | "embedded";
  readonly url: string;
  readonly release: EmbeddedServer["release"];
};

export class Database implements Sql, AsyncDisposable {
  readonly engine: Source["engine"];
  /** With its password: for a second pool (the queue's), never for a log. */
  readonly url: string;
  readonly #release: Source["release"];
  readonly #pool: pg.Pool;
  readonly #listener: Listener;
  #closed: Promise<void> | null = null;

  constructor(source: Source) {
    this.engine = source.engine;
    this.url = source.url;
    this.#release = source.release;
    const config = { connectionString: source.url, application_name: "pullwright", keepAlive: true, types };
    this.#pool = new pg.Pool({
      ...config,
      max: POOL_MAX,
      connectionTimeoutMillis: CONNECT_WAIT_MS,
      idleTimeoutMillis: IDLE_MS_MAX,
      // Not as start-up options: connection poolers (PgBouncer) refuse those. The pool waits for the promise.
      onConnect: (client) => client.query(SESSION),
    });
    // An idle connection that breaks is dropped by the pool; the next query opens another and reports what it meets.
    this.#pool.on("error", () => {});
    this.#listener = new Listener(async () => {
      const client = new pg.Client({ ...config, connectionTimeoutMillis: CONNECT_WAIT_MS });
      await client.connect();
      return client;
    });
  }

  async query<R extends Row = Row>(text: string, values: readonly unknown[] = []): Promise<readonly R[]> {
    try {
      return (await this.#pool.query<R>(text, [...values])).rows;
    } catch (error) {
      throw translate(error);
    }
  }

  /** Commits when `fn` resolves, rolls back when it throws; a TransientError from the commit leaves open which of the two it was. */
  async transaction<T>(fn: (tx: Sql) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => Promise.reject(translate(error)));
    const broken = new AbortController();
    const onError = (error: Error) => broken.abort(error);
    client.on("error", onError);
    try {
      const tx: Sql = {
        query: async <R extends Row = Row>(text: string, values: readonly unknown[] = []) =>
          (await client.query<R>(text, [...values])).rows,
      };
      await client.query("BEGIN");
      const value = await fn(tx);
      await client.query("COMMIT");
      return value;
    } catch (error) {
      await client.query("ROLLBACK").catch((failed: Error) => broken.abort(failed));
      throw translate(error);
    } finally {
      client.off("error", onError);
      client.release(broken.signal.aborted); // A connection in an unknown state does not go back to the pool.
    }
  }

  /** `fn` gets each payload, and "" after a lost connection was made again: anything may have been missed then. */
  async listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>> {
    try {
      return await this.#listener.listen(channel, fn);
    } catch (error) {
      throw translate(error);
    }
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#listener.close();
      await this.#pool.end();
      await this.#release();
    })();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const SESSION = `SET statement_timeout = ${STATEMENT_MS_MAX}; SET idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS_MAX}`;

/** Counts and money come as numbers: ours stay below 2^53. */
const types = {
  getTypeParser(oid: number, format?: "text" | "binary"): unknown {
    if (oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC) return Number;
    return pg.types.getTypeParser(oid, format);
  },
} satisfies pg.CustomTypesConfig;

/** Node's names for a server that is not there, and PostgreSQL's for one that is going, coming, full or in a deadlock. */
const AWAY = /^(ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
const BUSY = /^(08...|57P0[1-5]|57014|53...|40001|40P01|25P03|55P03)$/;
/** pg gives these no code (pg 8.23, client.js and pg-pool 3.x, index.js). */
const CUT_OFF =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/;
/** Wrong password or user, no such database: https://www.postgresql.org/docs/18/errcodes-appendix.html */
const REFUSED = /^(28...|3D000)$/;

function translate(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (REFUSED.test(code))
    return new UserError(`The database refuses us: ${error.message}. Check DATABASE_URL.`, { cause: error });
  // A host with several addresses fails with all their errors in one.
  const inner = error instanceof AggregateError ? error.errors.map((one: unknown) => translate(one)) : [];
  if (
    AWAY.test(code) ||
    BUSY.test(code) ||
    CUT_OFF.test(error.message) ||
    inner.some((one) => one instanceof TransientError)
  ) {
    return new TransientError(`The database is away or busy: ${error.message}`, { cause: error });
  }
  return error;
}
