/** Some folders of a monorepo instead of all of it, in git's cone mode: git-sparse-checkout(1). */
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** To be called on a repository of ours before its index is made, and on the visible one; nothing happens without folders. */
export async function makeSparse(gitDir: string, folders: readonly string[]): Promise<void> {
  if (folders.length === 0) return;
  await appendFile(join(gitDir, "config"), "[core]\n\tsparseCheckout = true\n\tsparseCheckoutCone = true\n");
  await writeFile(join(gitDir, "info/sparse-checkout"), renderCone(folders));
}

/** Folders as they are, of those above them the files alone. */
export function renderCone(folders: readonly string[]): string {
  const whole = folders.filter((folder) => !parentsOf(folder).some((parent) => folders.includes(parent)));
  const partial = [...new Set(whole.flatMap(parentsOf))].toSorted();
  const lines = [
    ...["/*", "!/*/"],
    ...partial.flatMap((folder) => [`/${folder}/`, `!/${folder}/*/`]),
    ...[...new Set(whole)].toSorted().map((folder) => `/${folder}/`),
  ];
  return `${lines.join("\n")}\n`;
}

/** "a" and "a/b" of "a/b/c". */
function parentsOf(folder: string): string[] {
  const parts = folder.split("/").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}
