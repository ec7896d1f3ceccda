/** Plays one session of one harness in a new checkout and measures it. Its home stays, as a person's does: caches in it are warm. */
import { chmod, cp, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Harness } from "./harnesses.ts";
import { measure, type Measured } from "./measure.ts";
import { makeCheckout } from "./script.ts";
import type { Tokens } from "./tokens.ts";
import { takeTraffic, type Traffic } from "./traffic.ts";

export type Bench = {
  /** Where sessions live while they run; reachable for the sandbox's user. */
  readonly folder: string;
  readonly standIn: string;
  readonly modules: string;
  readonly tokens: Tokens;
};

export type Session = Measured & Traffic & { readonly firstRequestMs: number };

/** The slowest peer takes a minute for 60 turns when it has the machine to itself. */
const SESSION_MS_MAX = 200_000;
/** Of a log, in the reason why a harness did not play. */
const LOG_CHARS_MAX = 300;

export type Playing = {
  readonly turns: number;
  /** Of the checkout, and in its contents. */
  readonly name: string;
  /** Tells sessions of one harness that run at once apart. */
  readonly slot: number;
};

/** A string is the reason why the session was not played to its end. */
export async function play(bench: Bench, harness: Harness, { turns, name, slot }: Playing): Promise<Session | string> {
  const id = `${harness.name.replaceAll(/\W+/g, "-")}-${slot}`;
  const place = join(bench.folder, id);
  const checkout = join(place, name);
  const home = homeOf(bench, harness, slot);
  for (const path of [place, checkout, home]) await mkdir(path, { recursive: true, mode: 0o755 });
  await chmod(place, 0o755);
  makeCheckout(checkout, name);
  const baseUrl = `${bench.standIn}/${id}/${turns}`;
  try {
    const log = join(place, "log");
    const measured = await measure(
      harness.command({ home, checkout, baseUrl, modules: bench.modules }),
      log,
      SESSION_MS_MAX,
    );
    const traffic = await takeTraffic(bench.standIn, id, bench.tokens);
    const notes = await readFile(join(checkout, "NOTES.md"), "utf8").catch(() => "");
    const played = notes.split("\n").length - 1;
    if (measured.exitCode === 0 && played === turns) {
      return { ...measured, ...traffic, firstRequestMs: traffic.firstAt - measured.startedAt };
    }
    const said = (await readFile(log, "utf8")).trim().slice(-LOG_CHARS_MAX).replaceAll(/\s+/g, " ");
    return `exit ${measured.exitCode} after ${played} of ${turns} turns, ${traffic.requests} requests: ${said}`;
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** For sessions at once: a home each, as warm as the one that has been played in. */
export async function copyHomes(bench: Bench, harness: Harness, slots: number): Promise<void> {
  const [first, ...others] = Array.from({ length: slots }, (_, slot) => homeOf(bench, harness, slot));
  if (first === undefined) return;
  for (const other of others) await cp(first, other, { recursive: true, verbatimSymlinks: true });
}

function homeOf(bench: Bench, harness: Harness, slot: number): string {
  return join(bench.folder, "homes", `${harness.name.replaceAll(/\W+/g, "-")}-${slot}`);
}
