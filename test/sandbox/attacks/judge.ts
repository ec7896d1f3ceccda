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

const TIMEOUT_MS = 40_000;
/** Attacks that fill disks and memory would blame each other. */
const AT_ONCE = 2;

export type Judged = { readonly name: string; readonly verdict: Verdict };

export async function judgeAll(
  driver: Sandbox,
  attacks: readonly Attack[],
  tell: (judged: Judged) => void,
): Promise<void> {
  const waiting = [...attacks];
  const work = async () => {
    for (let attack = waiting.shift(); attack !== undefined; attack = waiting.shift()) {
      const judging = judge(driver, attack).catch((error: unknown): Verdict => ({
        kind: "broke",
        what: String(error),
      }));
      tell({ name: attack.name, verdict: await judging });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function judge(driver: Sandbox, attack: Attack): Promise<Verdict> {
  await using bait = await Bait.open(driver.driver);
  const workspaceDir = await mkdtemp(join(tmpdir(), "pullwright-attack-"));
  try {
    const limits = { ...LIMITS, ...attack.limits };
    const opening = { workspaceDir, readOnlyPaths: [], isReadOnly: false, limits };
    await using session = await driver.open(opening);
    const result = await run(session, argvOf(attack, bait), attack.timeoutMs ?? TIMEOUT_MS);
    const verdict = readVerdict(attack, result, bait.secret);
    if (verdict.kind !== "held") return verdict;
    const wrong = await attack.look?.({ workspaceDir, bait });
    if (wrong) return { kind: "broke", what: wrong };
    return await checkService(session);
  } finally {
    await chmod(workspaceDir, 0o700);
    await removeTree(workspaceDir);
  }
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
