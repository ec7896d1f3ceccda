import { expect, test } from "vitest";
import { openForge } from "../../src/forge/github.ts";
import { AT, actAs, openGitHub } from "../github.ts";

test("the delivery log is read page by page, whole or what failed, with its payloads", async () => {
  await using github = await openGitHub({ "README.md": "x\n" });
  const { appId, privateKey, apiUrl } = github;
  const { deliveryLog } = openForge({ appId, privateKey, apiUrl });
  for (let issue = 1; issue <= 3; issue++) await actAs(github, "ada").issues.create({ ...AT, title: `Issue ${issue}` });
  for (let copy = 0; copy < 100; copy++) github.redeliver(github.deliveries[0]?.id ?? 0);
  await github.settled(); // Nobody listens: all of them fail.
  const [first, second] = github.deliveries;
  Object.assign(second ?? {}, { status: "OK", statusCode: 200 });

  const newest = await deliveryLog.page({ cursor: null, failedOnly: false });
  expect(newest.deliveries).toHaveLength(100);
  const oldest = await deliveryLog.page({ cursor: newest.next, failedOnly: false });
  expect(oldest.deliveries.map(({ id }) => id)).toEqual(
    github.deliveries
      .slice(0, 3)
      .map(({ id }) => id)
      .toReversed(),
  );
  expect(oldest.next).toBe(null);
  const failed = await deliveryLog.page({
    cursor: (await deliveryLog.page({ cursor: null, failedOnly: true })).next,
    failedOnly: true,
  });
  expect(failed.deliveries.map(({ guid }) => guid)).not.toContain(second?.guid);
  expect(failed.deliveries.at(-1)).toEqual({
    ...{ id: first?.id, guid: first?.guid, event: "issues", deliveredAt: first?.deliveredAt },
  });
  expect(await deliveryLog.payload(first?.id ?? 0)).toEqual(first?.payload);
  expect(await deliveryLog.payload(1)).toBe(null);
});
