/** What one command of a run may use. Constants until someone's repository needs another value. */
import type { SandboxLimits } from "./sandbox.ts";

const MIB = 1024 * 1024;

/** Enough for a type check and a test suite of a large project, little enough that four runs fit on a small server. */
export const SANDBOX_LIMITS: SandboxLimits = {
  memoryBytes: 4096 * MIB,
  processesMax: 512,
  fileBytesMax: 1024 * MIB,
  scratchBytes: 1024 * MIB,
  // A monorepo's node_modules and build output together; 300,000 files are three large node_modules.
  workspaceBytesMax: 16 * 1024 * MIB,
  workspaceFilesMax: 1_000_000,
};
