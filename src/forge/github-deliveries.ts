/** The App's delivery log: what GitHub sent us or tried to. It keeps three days and tries nothing again by itself. */
import { ask, isNotFound, type Clients } from "./github-client.ts";

/** One try. A redelivery is a further one with the same guid. */
export type LoggedDelivery = {
  readonly id: number;
  readonly guid: string;
  readonly event: string;
  /** ISO 8601. */
  readonly deliveredAt: string;
};

export type DeliveryLog = {
  /** Newest first, a hundred at a time; `cursor` null begins. `next` is null after the last page. */
  readonly page: (of: {
    readonly cursor: string | null;
    readonly failedOnly: boolean;
  }) => Promise<{ readonly deliveries: readonly LoggedDelivery[]; readonly next: string | null }>;
  /** Null when GitHub does not have it any more. */
  readonly payload: (id: number) => Promise<unknown>;
};

const PAGE = 100;

export function openDeliveryLog({ app }: Clients): DeliveryLog {
  return {
    page: async ({ cursor, failedOnly }) => {
      const { data, headers } = await ask(
        { doing: "tell the App what was delivered", needs: "the App's own key" },
        () =>
          app.rest.apps.listWebhookDeliveries({
            per_page: PAGE,
            ...(cursor === null ? {} : { cursor }),
            ...(failedOnly ? { status: "failure" } : {}),
          }),
      );
      const deliveries = data.map(({ id, guid, event, delivered_at }) => {
        return { id: Number(id), guid, event, deliveredAt: delivered_at };
      });
      return { deliveries, next: readCursor(headers.link) };
    },
    payload: async (id) => {
      try {
        return (await app.rest.apps.getWebhookDelivery({ delivery_id: id })).data.request.payload;
      } catch (error) {
        if (isNotFound(error)) return null;
        return ask({ doing: "tell the App a delivery", needs: "the App's own key" }, () => Promise.reject(error));
      }
    },
  };
}

/** The cursor in a Link header's address of the next page. */
function readCursor(link: string | undefined): string | null {
  const next = /<([^>]+)>;\s*rel="next"/.exec(link ?? "")?.[1];
  return next === undefined ? null : new URL(next).searchParams.get("cursor");
}
