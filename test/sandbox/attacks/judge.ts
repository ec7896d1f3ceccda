/** Runs attacks in a sandbox and says how each ended. After every attack the session must still serve. */
import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecResult, Sandbox, SandboxSession } from "../../../src/sandbox/sandbox.ts";
import { removeTree } from "../../../src/workspace/remove-tree.ts";
import { LIMITS, MIB } from "../open-session.ts";
import { argvOf, type Attack, type Verdict } from "./attack.ts";
import { FILE_ATTACKS } from "./files.ts";
import { LIMIT_ATTACKS } from "./limits.ts";
import { NETWORK_ATTACKS } from "./network.ts";
import { PROCESS_ATTACKS } from "./processes.ts";
import { SURVIVOR_ATTACKS } from "./survivors.ts";
import { SYSTEM_CALL_ATTACKS } from "./system-calls.ts";
import { Bait } from "./bait.ts";

export const ATTACKS: readonly Attack[] = [
  ...FILE_ATTACKS,
  ...PROCESS_ATTACKS,
  ...NETWORK_ATTACKS,
  ...SYSTEM_CALL_ATTACKS,
  ...LIMIT_ATTACKS,
  ...SURVIVOR_ATTACKS,
];

const TIMEOUT_MS = 120_000;
/** Attacks that fill disks and memory would blame each other. */
const AT_ONCE = 2;

export type Judged = { readonly name: string; readonly verdict: Verdict; readonly wallMs: number };

export async function judgeAll(
  driver: Sandbox,
  attacks: readonly Attack[],
  tell: (judged: Judged) => void,
): Promise<void> {
  const waiting = [...attacks];
  const work = async () => {
    await using shared = new SharedGround(driver);
    for (let attack = waiting.shift(); attack !== undefined; attack = waiting.shift()) {
      const startedAt = performance.now();
      const judging = attack.isOneCall
        ? shared.get().then((ground) => judge(ground, attack))
        : judgeAlone(driver, attack);
      const verdict = await judging.catch((error: unknown): Verdict => ({ kind: "broke", what: String(error) }));
      if (verdict.kind !== "held") await shared.leave();
      tell({ name: attack.name, verdict, wallMs: Math.round(performance.now() - startedAt) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

type Ground = AsyncDisposable & {
  readonly bait: Bait;
  readonly workspaceDir: string;
  readonly session: SandboxSession;
};

async function openGround(driver: Sandbox, limits: Attack["limits"]): Promise<Ground> {
  await using undo = new AsyncDisposableStack();
  const bait = undo.use(await Bait.open(driver.driver));
  const workspaceDir = await mkdtemp(join(tmpdir(), "pullwright-attack-"));
  undo.defer(async () => {
    await chmod(workspaceDir, 0o700);
    await removeTree(workspaceDir);
  });
  const opening = { workspaceDir, readOnlyPaths: [], isReadOnly: false, limits: { ...LIMITS, ...limits } };
  const session = undo.use(await driver.open(opening));
  const kept = undo.move();
  return { bait, workspaceDir, session, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** One session for the attacks that are one call of one process, as a run has one for all that its code tries. */
class SharedGround implements AsyncDisposable {
  readonly #driver: Sandbox;
  #ground: Ground | null = null;

  constructor(driver: Sandbox) {
    this.#driver = driver;
  }

  async get(): Promise<Ground> {
    return (this.#ground ??= await openGround(this.#driver, {}));
  }

  /** The next attack finds a new one. */
  async leave(): Promise<void> {
    const ground = this.#ground;
    this.#ground = null;
    await ground?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }
}

async function judgeAlone(driver: Sandbox, attack: Attack): Promise<Verdict> {
  await using ground = await openGround(driver, attack.limits);
  return await judge(ground, attack);
}

async function judge({ session, bait, workspaceDir }: Ground, attack: Attack): Promise<Verdict> {
  const result = await run(session, argvOf(attack, bait), attack.timeoutMs ?? TIMEOUT_MS);
  const verdict = readVerdict(attack, result, bait.secret);
  if (verdict.kind !== "held") return verdict;
  const wrong = await attack.look?.({ workspaceDir, bait });
  if (wrong) return { kind: "broke", what: wrong };
  return await checkService(session);
}

function readVerdict(attack: Attack, { exit, stdout, stderr }: ExecResult, secret: string): Verdict {
  const said = `${stdout.subarray(0, 20_000)}${stderr.subarray(0, 2000)}`;
  if (said.includes(secret)) return { kind: "broke", what: "the secret was read" };
  const broke = /^BROKE: (.*)$/m.exec(said)?.[1];
  if (broke !== undefined) return { kind: "broke", what: broke };
  const skipped = /^SKIPPED: (.*)$/m.exec(said)?.[1];
  if (skipped !== undefined) return { kind: "skipped", why: skipped };
  const ends = attack.ends ?? ["exited"];
  if (!ends.includes(exit.kind)) return { kind: "unclear", said: `${JSON.stringify(exit)} ${said.slice(-500)}` };
  if (attack.ends === undefined && !/^HELD$/m.test(said)) return { kind: "unclear", said: said.slice(-500) };
  return { kind: "held" };
}

/** What an attack leaves must not keep the next command from running. A disk that is full still is. */
async function checkService(session: SandboxSession): Promise<Verdict> {
  const { exit, stdout } = await run(session, ["echo", "well"], TIMEOUT_MS);
  if (exit.kind === "disk-limit" || stdout.toString() === "well\n") return { kind: "held" };
  if (exit.kind === "exited" && exit.code === 126) return { kind: "held" }; // It may lock itself out of its workspace.
  return { kind: "broke", what: `the next command ended with ${JSON.stringify(exit)}` };
}

function run(session: SandboxSession, argv: readonly string[], timeoutMs: number): Promise<ExecResult> {
  const command = { argv, cwd: "", stdin: "a line of input\n", timeoutMs, outputBytesMax: 4 * MIB };
  return session.exec(command, AbortSignal.timeout(TIMEOUT_MS * 2));
}
