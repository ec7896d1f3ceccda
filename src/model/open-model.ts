/** Model id + settings -> Model. The vendors' SDKs are loaded when they are needed: most commands never ask a model. */
import { UserError } from "../failure.ts";
import type { ModelSettings } from "../model-settings.ts";
import type { Settings } from "../settings.ts";
import { modelFacts } from "./catalog.ts";
import type { Model, ModelFacts } from "./model.ts";

/** The two vendors' keys, and of the rest of the settings what is there. */
type Accounts = Pick<ModelSettings, "anthropic" | "openai"> & Partial<ModelSettings>;
type Choice = Accounts & Pick<Settings, "authorModel" | "reviewerModel">;
type Named = { readonly name: string; readonly facts: ModelFacts };

type Provider = {
  readonly key: "anthropic" | "openai" | "compatible" | "bedrock" | "vertex" | "azure";
  /** What to set, for whoever has not. */
  readonly needs: string;
  /** What each vendor recommends for long coding work at a middle price, 2026-11-21; null where nobody can know what is served. */
  readonly defaultModel: string | null;
  /** Null without an account. */
  readonly load: (settings: Accounts, named: Named) => (() => Promise<Model>) | null;
};

const PROVIDERS: readonly Provider[] = [
  {
    key: "anthropic",
    needs: "an API key: set ANTHROPIC_API_KEY",
    defaultModel: "anthropic/claude-opus-5-5",
    load: ({ anthropic }, named) =>
      anthropic && (async () => (await import("./anthropic.ts")).anthropicModel({ ...anthropic, ...named })),
  },
  {
    key: "openai",
    needs: "an API key: set OPENAI_API_KEY",
    defaultModel: "openai/gpt-6.1-sol",
    load: ({ openai, reasoningSummaries: summaries = false }, named) =>
      openai && (async () => (await import("./openai.ts")).openaiModel({ ...openai, ...named, summaries })),
  },
  {
    key: "compatible",
    needs: "a server: set PULLWRIGHT_COMPATIBLE_URL to its address, with its /v1",
    defaultModel: null,
    load: ({ compatible = null }, named) =>
      compatible && (async () => (await import("./compatible.ts")).compatibleModel({ ...compatible, ...named })),
  },
  {
    key: "bedrock",
    needs: "a region: set AWS_REGION, and credentials that AWS's own tools find",
    defaultModel: null,
    load: ({ bedrock: account = null }, named) =>
      account && (async () => (await import("./anthropic-cloud.ts")).bedrockModel({ account, ...named })),
  },
  {
    key: "vertex",
    needs: "a project: set ANTHROPIC_VERTEX_PROJECT_ID, and application default credentials of Google",
    defaultModel: null,
    load: ({ vertex: account = null }, named) =>
      account && (async () => (await import("./anthropic-cloud.ts")).vertexModel({ account, ...named })),
  },
  {
    key: "azure",
    needs: "a resource: set AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY",
    defaultModel: null,
    load: ({ azure: account = null }, { name: deployment, facts }) =>
      account && (async () => (await import("./azure.ts")).azureModel({ account, deployment, facts })),
  },
];

export type OpenOptions = {
  /** For the model that is asked next: its SDK takes a quarter of a second, in which the caller has other things to do. */
  readonly loadsAtOnce?: boolean;
};

/** Throws UserError for an unknown provider and for one without an account. Most models that are opened are never asked. */
export function openModel(id: string, settings: Accounts, { loadsAtOnce = false }: OpenOptions = {}): Model {
  const load = findLoad(id, settings);
  let loading: Promise<Model> | null = null;
  if (loadsAtOnce) {
    loading = load();
    loading.catch(() => {}); // Told to whoever asks the model.
  }
  return {
    id,
    facts: modelFacts(id, settings.modelOverrides),
    async reply(request, signal) {
      loading ??= load();
      return (await loading).reply(request, signal);
    },
  };
}

/**
 * Ids of the models in force. Author: what was set, else the first provider with a key. Reviewer: what was set, else
 * another vendor than the author's where there is a key, because a model overlooks its own mistakes.
 */
export function defaultModels(settings: Choice): { readonly author: string; readonly reviewer: string } {
  const keyed = PROVIDERS.flatMap(({ key, defaultModel }) => (defaultModel && settings[key] ? [defaultModel] : []));
  const author = settings.authorModel ?? keyed[0];
  if (author === undefined) {
    throw new UserError(
      "No model can be asked: set ANTHROPIC_API_KEY or OPENAI_API_KEY to an API key of that vendor, " +
        "or PULLWRIGHT_MODEL to a model of another provider.",
    );
  }
  const other = keyed.find((id) => vendorOf(id) !== vendorOf(author));
  const reviewer = settings.reviewerModel ?? other ?? author;
  for (const id of [author, reviewer]) findLoad(id, settings);
  return { author, reviewer };
}

/** How the model is loaded, or a UserError that says what to set. */
function findLoad(id: string, settings: Accounts): () => Promise<Model> {
  const slash = id.indexOf("/");
  const name = id.slice(slash + 1);
  const provider = PROVIDERS.find(({ key }) => key === id.slice(0, slash));
  if (!provider || name === "") {
    const known = PROVIDERS.map(({ key }) => `\`${key}/…\``).join(", ");
    throw new UserError(`The model \`${id}\` has no provider we know. Known are ${known}.`);
  }
  const load = provider.load(settings, { name, facts: modelFacts(id, settings.modelOverrides) });
  if (!load) throw new UserError(`The model \`${id}\` needs ${provider.needs}.`);
  return load;
}

/** Who made the model, wherever it is served: a Claude in Bedrock is reviewed by a GPT. */
function vendorOf(id: string): string {
  const provider = id.slice(0, id.indexOf("/"));
  if (provider === "bedrock" || provider === "vertex") return "anthropic";
  return provider === "azure" ? "openai" : provider;
}
