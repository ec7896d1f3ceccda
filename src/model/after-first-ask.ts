/** Tells when a run has asked its first model, for what may begin then: until there the process has nothing more urgent to do. */
import type { Model, ModelChain } from "./model.ts";

/** A request leaves in less; what begins sooner would take the time of sending it. */
const LEAVES_WITHIN_MS = 25;

/** The same models. `act` is called once, soon after the first request of any of them. */
export function afterFirstAsk([first, ...others]: ModelChain, act: () => void): ModelChain {
  let hasAsked = false;
  const tell = (model: Model): Model => ({
    ...{ id: model.id, facts: model.facts },
    reply(request, signal) {
      if (!hasAsked) setTimeout(act, LEAVES_WITHIN_MS);
      hasAsked = true;
      return model.reply(request, signal);
    },
  });
  return [tell(first), ...others.map(tell)];
}
