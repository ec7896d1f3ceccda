import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/runs/*/repo/**", "node_modules/**"],
    globalSetup: ["test/database-setup.ts"],
    // Real databases, git and sandboxes on two slow cores: a test that needs more than this hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // No module keeps state (a house rule), so the files of a worker may share what it has read: a tenth of the whole time.
    isolate: false,
  },
});
