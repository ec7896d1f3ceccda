/** Work that its branch did not take goes onto a branch of our own, where people can see and merge it. */
import { UserError } from "../failure.ts";
import type { Written } from "../forge/forge.ts";
import type { Push } from "./push.ts";
import { canRescue, PushRefused } from "./refusal.ts";

/** Does `push`, and on a refusal that concerns its branch alone `rescue`. Throws what refused the push, with where the work is now. */
export async function pushOrRescue(push: () => Promise<Written>, rescue: () => Promise<Written>): Promise<Written> {
  try {
    return await push();
  } catch (error) {
    if (!(error instanceof PushRefused) || !canRescue(error.refusal)) throw error;
    throw new PushRefused(error.refusal, await orNone(rescue));
  }
}

/** The first refusal is the one to tell. */
async function orNone(rescue: () => Promise<Written>): Promise<Written | null> {
  try {
    return await rescue();
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/** The rescue of one push: a branch named after it, which nobody else uses. */
export function planRescue(push: Push, rescue: { readonly number: number; readonly suffix: string }): Push {
  const branch = `agent/${rescue.number}-rescue-${rescue.suffix}`;
  return { ...push, role: `${push.role}-rescue`, to: { kind: "own-branch", branch } };
}
