/** GitHub behind the two ports. Only publish/ may be handed the writer. */
import type { ForgeReader, ForgeWriter } from "./forge.ts";
import { openSelf, readGrants, type Grants } from "./github-app.ts";
import { openClients, type GitHubOptions } from "./github-client.ts";
import { openDeliveryLog, type DeliveryLog } from "./github-deliveries.ts";
import { createReader } from "./github-reader.ts";
import { createWriter } from "./github-writer.ts";

export type GitHubForge = {
  readonly reader: ForgeReader;
  readonly writer: ForgeWriter;
  /** The App's name in URLs and mentions. */
  readonly appSlug: () => Promise<string>;
  /** What the App was granted, for doctor. */
  readonly grants: () => Promise<Grants>;
  /** What GitHub sent, or tried to send. */
  readonly deliveryLog: DeliveryLog;
};

/** Speaks to nobody until it is asked something. Throws UserError when the private key is none. */
export function openForge(options: GitHubOptions): GitHubForge {
  const clients = openClients(options);
  const self = openSelf(clients);
  return {
    reader: createReader(clients, self),
    writer: createWriter(clients, self),
    appSlug: self.slug,
    grants: () => readGrants(clients),
    deliveryLog: openDeliveryLog(clients),
  };
}
