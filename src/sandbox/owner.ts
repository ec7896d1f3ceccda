/**
 * Started as root, commands must not have the host's uid 0, not even in a user namespace: kernel settings in /proc/sys
 * would be writable and setuid-root files possible. Each workspace gets an unprivileged uid while it is open.
 */
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { lstat, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { UserError } from "../failure.ts";

/**
 * systemd's list of uid ranges has nobody in 1879048192..2147352575 (above containers, below foreign ids). Wide enough
 * that workers on one machine pick at random without meeting.
 */
const UIDS = { first: 1_879_048_192, last: 2_147_352_575 };
/** For a container whose uid map ends at 65535: above people (1000..), below systemd's own (60001..). */
const UIDS_IN_CONTAINER = { first: 30_000, last: 59_999 };

type Owner = { readonly uid: number; readonly gid: number };
type Tenancy = { readonly uid: number; readonly before: Owner; holders: number };

/** Changes the owner of workspaces, one change at a time. Two sessions on one workspace share its uid. */
export class WorkspaceOwners {
  readonly #tenancies = new Map<string, Tenancy>();
  #turn: Promise<unknown> = Promise.resolve();

  /** The uid that now owns the workspace. */
  take(workspaceDir: string): Promise<number> {
    return this.#inTurn(async () => {
      const held = this.#tenancies.get(workspaceDir);
      if (held) {
        held.holders++;
        return held.uid;
      }
      const { uid: owner, gid: group } = await lstat(workspaceDir);
      const isOurs = isSandboxUid(owner);
      // Ours: another worker has it open and goes on under the same uid, or died with whose it was before.
      const before = isOurs ? { uid: 0, gid: 0 } : { uid: owner, gid: group };
      const uid = isOurs ? owner : await pickUid();
      await changeOwner(workspaceDir, { uid, gid: uid });
      this.#tenancies.set(workspaceDir, { uid, before, holders: 1 });
      return uid;
    });
  }

  /** After the last session everything belongs to whoever owned the top folder; that also clears setuid bits. */
  giveBack(workspaceDir: string): Promise<void> {
    return this.#inTurn(async () => {
      const held = this.#tenancies.get(workspaceDir);
      if (!held || --held.holders > 0) return;
      this.#tenancies.delete(workspaceDir);
      await changeOwner(workspaceDir, held.before);
    });
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch(() => {}); // The caller has the error; the next one must not inherit it.
    return result;
  }
}

/** Never follows links. Only when no process of a sandbox is alive in the folder. */
export async function changeOwner(folder: string, { uid, gid }: Owner): Promise<void> {
  try {
    await promisify(execFile)("chown", ["-Rh", `${uid}:${gid}`, "--", folder]);
  } catch (error) {
    // A workspace may be deleted while its session is open.
    if (
      await lstat(folder).then(
        () => false,
        () => true,
      )
    )
      return;
    throw new UserError(
      `The folder ${folder} cannot be given to the sandbox's user (chown failed). ` +
        `Keep workspaces on a local disk that root may change, not on a network share.`,
      { cause: error },
    );
  }
}

/** A uid that only sandboxes have. The container range is shared with others and so proves nothing. */
export function isSandboxUid(uid: number): boolean {
  return uid >= UIDS.first && uid <= UIDS.last;
}

/** For one run: nobody else has it. */
export async function pickUid(): Promise<number> {
  const map = await readFile("/proc/self/uid_map", "utf8");
  const isMapped = map.split("\n").some((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return first <= UIDS.first && first + count > UIDS.last;
  });
  const range = isMapped ? UIDS : UIDS_IN_CONTAINER;
  return randomInt(range.first, range.last + 1);
}
