/** Which model does what: one writes, one reviews (another vendor's where there is a key), a small one looks things up. */
import type { Settings } from "../settings.ts";
import type { Model, ModelChain } from "./model.ts";
import { defaultModels, openModel, type OpenOptions } from "./open-model.ts";
import { PaceBudget, paceModel } from "./pace.ts";

export type ModelRole = "author" | "reviewer" | "small";

/** Ids, the one to ask first and those to fall back on. */
export type ModelIds = readonly [string, ...string[]];

/** What a repository asks for instead of the installation's choice. */
export type WantedModels = { readonly [role in ModelRole]?: string | undefined };

/** The cheapest of each vendor that still uses tools well, 2026-11-21. */
const SMALL: ReadonlyMap<string, string> = new Map([
  ["anthropic", "anthropic/claude-haiku-5-5"],
  ["openai", "openai/gpt-6-luna"],
]);

type Choice = Parameters<typeof defaultModels>[0] & Pick<Settings, "smallModel" | "fallbackModels">;

/** As `chooseModels`, opened. */
export function openModels(settings: Settings, role: ModelRole, wanted: WantedModels = {}): ModelChain {
  return openChain(chooseModels(settings, wanted)[role], (id, options) => openModel(id, settings, options));
}

/** As `openModels`, for the runs of a worker, which share the limits a minute of each model. */
export function sharedModels(
  settings: Settings,
  now: () => number,
): (role: ModelRole, wanted?: WantedModels) => ModelChain {
  const budgets = new Map<string, PaceBudget>();
  const open = (id: string, options: OpenOptions) => {
    const budget = budgets.get(id) ?? new PaceBudget(settings.rateLimits, { now });
    budgets.set(id, budget);
    return paceModel(openModel(id, settings, options), budget);
  };
  return (role, wanted = {}) => openChain(chooseModels(settings, wanted)[role], open);
}

function openChain([first, ...others]: ModelIds, open: (id: string, options: OpenOptions) => Model): ModelChain {
  return [open(first, { loadsAtOnce: true }), ...others.map((id) => open(id, {}))];
}

/**
 * Fallbacks: those that were set, else the other vendor's model where there is a key. Throws UserError when no vendor has a key or a
 * set model cannot be asked.
 */
export function chooseModels(settings: Choice, wanted: WantedModels = {}): Readonly<Record<ModelRole, ModelIds>> {
  const { author: authorModel = settings.authorModel, reviewer: reviewerModel = settings.reviewerModel } = wanted;
  const { author, reviewer } = defaultModels({ ...settings, authorModel, reviewerModel });
  const small = wanted.small ?? settings.smallModel ?? SMALL.get(vendorOf(author)) ?? author;
  const others = settings.fallbackModels ?? [reviewer, author];
  const chain = (first: string): ModelIds => [first, ...new Set(others.filter((id) => id !== first))];
  return { author: chain(author), reviewer: chain(reviewer), small: chain(small) };
}

function vendorOf(id: string): string {
  return id.slice(0, id.indexOf("/"));
}
