/** What the next run of a repository will work on, made ahead of it: a warm checkout for overlays, else one that waits to be moved. */
import type { Mirror } from "./mirror.ts";
import { prepareSpare } from "./spare.ts";
import { borrowWarm, countFiles, deservesWarm, FILES_MIN, refreshWarm } from "./warm.ts";

/** `scratchDir` is made and removed. Nothing happens for a small repository. */
export async function warmCheckout(
  { mirror, sha, scratchDir }: { readonly mirror: Mirror; readonly sha: string; readonly scratchDir: string },
  signal: AbortSignal,
): Promise<void> {
  if (await deservesWarm({ mirror, sha, scratchDir }, signal)) {
    const warm = await borrowWarm({ mirror, sha }, signal);
    warm.release();
    if (warm.driftFiles > 0) await refreshWarm({ mirror, sha }, warm.treeDir, signal);
  } else if ((await countFiles({ mirror, sha }, signal)) >= FILES_MIN) {
    await prepareSpare({ mirror, sha }, signal);
  }
}
