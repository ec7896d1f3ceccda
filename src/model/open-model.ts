/** Model id + settings -> Model. The vendors' SDKs are loaded at the first call: most commands never ask a model. */
import { UserError } from "../failure.ts";
import type { ProviderSettings, Settings } from "../settings.ts";
import { modelFacts } from "./catalog.ts";
import type { Model, ModelFacts } from "./model.ts";

type Keys = Pick<Settings, "anthropic" | "openai">;
type Choice = Keys & Pick<Settings, "authorModel" | "reviewerModel">;
type Load = (name: string, facts: ModelFacts, settings: ProviderSettings) => Promise<Model>;

type Provider = {
  readonly key: "anthropic" | "openai";
  readonly variable: string;
  /** What each vendor recommends for long coding work at a middle price, 2026-11-21. */
  readonly defaultModel: string;
  readonly load: Load;
};

const PROVIDERS: readonly Provider[] = [
  {
    key: "anthropic",
    variable: "ANTHROPIC_API_KEY",
    defaultModel: "anthropic/claude-opus-5-5",
    load: async (name, facts, settings) => {
      const { anthropicModel } = await import("./anthropic.ts");
      return anthropicModel({ ...settings, name, facts });
    },
  },
  {
    key: "openai",
    variable: "OPENAI_API_KEY",
    defaultModel: "openai/gpt-6.1-sol",
    load: async (name, facts, settings) => {
      const { openaiModel } = await import("./openai.ts");
      return openaiModel({ ...settings, name, facts });
    },
  },
];

/** Throws UserError for an unknown provider and for one without a key. */
export function openModel(id: string, settings: Keys): Model {
  const { provider, name, account } = findAccount(id, settings);
  const facts = modelFacts(id);
  let loading: Promise<Model> | null = null;
  return {
    id,
    facts,
    async reply(request, signal) {
      loading ??= provider.load(name, facts, account);
      return (await loading).reply(request, signal);
    },
  };
}

/**
 * Ids of the models in force. Author: what was set, else the first provider with a key. Reviewer: what was set, else
 * another vendor than the author's where there is a key, because a model overlooks its own mistakes.
 */
export function defaultModels(settings: Choice): { readonly author: string; readonly reviewer: string } {
  const keyed = PROVIDERS.filter(({ key }) => settings[key] !== null);
  const author = settings.authorModel ?? keyed[0]?.defaultModel;
  if (author === undefined) {
    const variables = PROVIDERS.map(({ variable }) => variable).join(" or ");
    throw new UserError(`No model can be asked: set ${variables} to an API key of that vendor.`);
  }
  const other = keyed.find(({ key }) => !author.startsWith(`${key}/`));
  const reviewer = settings.reviewerModel ?? other?.defaultModel ?? author;
  for (const id of [author, reviewer]) findAccount(id, settings);
  return { author, reviewer };
}

function findAccount(id: string, settings: Keys) {
  const slash = id.indexOf("/");
  const name = id.slice(slash + 1);
  const provider = PROVIDERS.find(({ key }) => key === id.slice(0, slash));
  if (!provider || name === "") {
    const known = PROVIDERS.map(({ key }) => `\`${key}/…\``).join(" and ");
    throw new UserError(`The model \`${id}\` has no provider we know. Known are ${known}.`);
  }
  const account = settings[provider.key];
  if (!account) throw new UserError(`The model \`${id}\` needs an API key: set ${provider.variable}.`);
  return { provider, name, account };
}
