import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { readSettings } from "../../src/settings.ts";

const Service = z.looseObject({
  command: z.array(z.string()),
  environment: z.record(z.string(), z.coerce.string()),
  stop_grace_period: z.string().optional(),
});
const Compose = z.looseObject({
  services: z.looseObject({
    database: z.looseObject({ command: z.array(z.string()) }),
    server: Service,
    worker: Service,
  }),
});

const { services } = Compose.parse(
  parse(readFileSync(join(import.meta.dirname, "../../compose.yaml"), "utf8"), { merge: true }),
);

test("compose waits longer for a worker than the worker waits for its runs", () => {
  const { environment, stop_grace_period: period = "10s" } = services.worker;
  const settings = readSettings({ ...environment, DATABASE_URL: "postgres://pullwright:x@database/pullwright" });
  expect(Number.parseInt(period) * 1000).toBeGreaterThanOrEqual(settings.graceMs + 20_000);
});

test("server and worker are processes of their own, and workers can be many", () => {
  expect([services.server.command, services.worker.command]).toEqual([["serve"], ["worker"]]);
  // A name or a port of its own is what only one container can have.
  const keys = Object.keys(services.worker);
  expect(["container_name", "ports"].filter((key) => keys.includes(key))).toEqual([]);
});

test("PostgreSQL takes the connections of twenty processes", () => {
  const [, most] = /max_connections=(\d+)/.exec(services.database.command.join(" ")) ?? [];
  expect(Number(most)).toBeGreaterThanOrEqual(20 * (10 + 5 + 1) + 10);
});
