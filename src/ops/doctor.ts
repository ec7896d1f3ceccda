/** Is this installation fit to work? Each check gives one line, and for what is wrong the way to mend it. */
import { execa } from "execa";
import { TransientError, UserError } from "../failure.ts";
import type { SandboxFeature } from "../sandbox/sandbox.ts";

export type Diagnosis = {
  readonly name: string;
  readonly state: "ok" | "warning" | "broken";
  readonly detail: string;
  /** "" when ok. */
  readonly remedy: string;
};

/** What the App must be allowed to do, as in app.yml; the forge is asked what it really is. */
export type AppGrants = { readonly permissions: Readonly<Record<string, string>>; readonly events: readonly string[] };

/** GIT_CONFIG_COUNT, by which tokens reach git without touching argv or files, came with 2.31. */
const GIT_MINIMUM = [2, 31] as const;

export async function diagnoseGit(): Promise<Diagnosis> {
  const { stdout } = await execa("git", ["--version"], { reject: false });
  const [, major, minor] = /(\d+)\.(\d+)/.exec(stdout ?? "") ?? [];
  const version = `${major ?? "?"}.${minor ?? "?"}`;
  const isNew = Number(major) > GIT_MINIMUM[0] || (Number(major) === GIT_MINIMUM[0] && Number(minor) >= GIT_MINIMUM[1]);
  if (isNew) return ok("git", version);
  return broken("git", major === undefined ? "not found" : version, `Install git ${GIT_MINIMUM.join(".")} or newer.`);
}

export function diagnoseSandbox(features: readonly SandboxFeature[]): readonly Diagnosis[] {
  return features.map(({ name, kind, isPresent, detail, remedy }) => ({
    name: `sandbox: ${name}`,
    state: isPresent ? "ok" : kind === "isolation" ? "broken" : "warning",
    detail,
    remedy,
  }));
}

export function diagnoseModels(choose: () => { author: string; reviewer: string }): Diagnosis {
  try {
    const { author, reviewer } = choose();
    return ok("models", `${author} writes, ${reviewer} reviews`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return broken("models", "none can be asked", error.message);
  }
}

/** Runs a check whose failure is a diagnosis: what it throws on purpose becomes the line. */
export async function diagnose(name: string, remedy: string, check: () => Promise<string>): Promise<Diagnosis> {
  try {
    return ok(name, await check());
  } catch (error) {
    if (!(error instanceof UserError) && !(error instanceof TransientError)) throw error;
    return broken(name, error.message, error instanceof UserError ? "" : remedy);
  }
}

/** Compares what the App was granted with what it needs; more than needed is worth a word as well. */
export function diagnoseGrants(needed: AppGrants, granted: AppGrants): readonly Diagnosis[] {
  const lacking = Object.entries(needed.permissions).filter(
    ([name, level]) => !isEnough(granted.permissions[name], level),
  );
  const excess = Object.keys(granted.permissions).filter((name) => needed.permissions[name] === undefined);
  const events = needed.events.filter((event) => !granted.events.includes(event));
  const list = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([name, level]) => `${name}: ${level}`).join(", ");
  return [
    lacking.length === 0
      ? ok("GitHub permissions", list(Object.entries(needed.permissions)))
      : broken(
          "GitHub permissions",
          `missing ${list(lacking)}`,
          "Add them on the App's settings page and approve them on each installation.",
        ),
    ...(excess.length === 0
      ? []
      : [
          {
            name: "GitHub permissions",
            state: "warning",
            detail: `more than needed: ${excess.join(", ")}`,
            remedy: "Take them away on the App's settings page.",
          } as const,
        ]),
    events.length === 0
      ? ok("GitHub events", `${needed.events.length} subscribed`)
      : broken(
          "GitHub events",
          `not subscribed: ${events.join(", ")}`,
          "Subscribe to them on the App's settings page.",
        ),
  ];
}

export function renderDiagnoses(diagnoses: readonly Diagnosis[]): string {
  const marks = { ok: "ok     ", warning: "warning", broken: "BROKEN " } as const;
  return diagnoses
    .map(
      ({ name, state, detail, remedy }) =>
        `${marks[state]}  ${name}: ${detail}${remedy === "" ? "" : `\n         ${remedy}`}`,
    )
    .join("\n");
}

function isEnough(granted: string | undefined, needed: string): boolean {
  return granted === needed || granted === "admin" || (granted === "write" && needed === "read");
}

function ok(name: string, detail: string): Diagnosis {
  return { name, state: "ok", detail, remedy: "" };
}

function broken(name: string, detail: string, remedy: string): Diagnosis {
  return { name, state: "broken", detail, remedy };
}
