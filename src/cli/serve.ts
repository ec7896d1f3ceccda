/** `serve` and `worker`: long-lived processes that end cleanly on SIGTERM and SIGINT. */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { openLog, openStore, startServer, startWorker } from "../main.ts";
import { readSettings, requireGitHub } from "../settings.ts";

export async function serve(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { "with-worker": { type: "boolean", default: false } } });
  return run({ withServer: true, withWorker: values["with-worker"] });
}

export async function worker(args: readonly string[]): Promise<number> {
  parseArgs({ args: [...args], options: {} });
  return run({ withServer: false, withWorker: true });
}

async function run(what: { readonly withServer: boolean; readonly withWorker: boolean }): Promise<number> {
  const settings = readSettings();
  // Before the database starts: a missing secret is the commonest mistake.
  requireGitHub(settings);
  const log = openLog(settings);
  const told = AbortSignal.any([untilTold("SIGTERM"), untilTold("SIGINT")]);
  await using store = await openStore(settings, log);
  const server = what.withServer ? await startServer(settings, store, log) : null;
  try {
    if (what.withWorker) await startWorker(settings, store, log);
    if (!told.aborted) await once(told, "abort");
    log.info({ signal: told.reason }, "stopping");
  } finally {
    await server?.close();
  }
  return 0;
}

/** Aborted, with the signal's name, when the process gets it. A second one ends the process at once. */
function untilTold(name: "SIGTERM" | "SIGINT"): AbortSignal {
  const controller = new AbortController();
  process.once(name, () => controller.abort(name));
  return controller.signal;
}
