/** The gate before any repository code runs. Never falls back to no sandbox. */
import { UserError } from "../failure.ts";
import type { Sandbox } from "./sandbox.ts";

/** Throws UserError when isolation is missing; a missing limit is only a warning. */
export async function requireIsolation(sandbox: Sandbox, warn: (message: string) => void): Promise<void> {
  const missing = (await sandbox.check()).filter(({ isPresent }) => !isPresent);
  for (const feature of missing.filter(({ kind }) => kind === "limit")) {
    warn(`${feature.name}: ${feature.detail}. ${feature.remedy}`);
  }
  const isolation = missing.filter(({ kind }) => kind === "isolation");
  if (isolation.length === 0) return;
  const lines = isolation.map(({ name, detail, remedy }) => `- ${name}: ${detail}. ${remedy}`);
  throw new UserError(
    `Repository code cannot be isolated on this machine, so nothing was started:\n${lines.join("\n")}`,
  );
}

/** The same driver behind the gate: its first session waits for the check, and where that fails none is opened. */
export function isolating(driver: Sandbox, warn: (message: string) => void): Sandbox {
  let isolated: Promise<void> | null = null;
  return {
    driver: driver.driver,
    check: () => driver.check(),
    async open(opening) {
      await (isolated ??= requireIsolation(driver, warn));
      return driver.open(opening);
    },
  };
}
