/** Whole runs whose agent looks at pages and images: what the vendor is sent, and what the journal keeps. */
import { expect, test } from "vitest";
import { z } from "zod";
import type { Script } from "../../sim/models/models.ts";
import { renderRun } from "../../src/ops/tables.ts";
import { readTaskJournal } from "../../src/store/journal.ts";
import { findBrowser } from "../../src/tools/find-browser.ts";
import { pixelAt } from "../tools/pictures.ts";
import { openWorkbench } from "../tools/workbench.ts";
import { World } from "../world.ts";

const browser = await (async () => {
  await using bench = await openWorkbench();
  return await findBrowser(bench.session, new AbortController().signal);
})();

const SERVER = `require("node:http").createServer((_, response) => {
  response.setHeader("content-type", "text/html");
  response.end('<body style="background:rgb(200,10,90)">');
}).listen(4321);
`;

const script: Script = {
  conversations: [
    {
      name: "looks",
      match: ["Is it red?"],
      turns: [
        {
          do: [{ do: "call", tool: "screenshot", input: { server: "node serve.cjs", url: "http://localhost:4321/" } }],
        },
        { do: [{ do: "call", tool: "report", input: { title: "Red", summary: "It is red." } }] },
      ],
    },
  ],
};

/** Wherever it stands in a request of either wire. */
function findImage(body: unknown): Buffer | null {
  const text = JSON.stringify(body);
  const [, data] = /"media_type":"image\/png","data":"([^"]+)"|"data:image\/png;base64,([^"]+)"/.exec(text) ?? [];
  const base64 = data ?? /"data:image\/png;base64,([^"]+)"/.exec(text)?.[1];
  return base64 === undefined ? null : Buffer.from(base64, "base64");
}

const Named = z.object({ tools: z.array(z.looseObject({ name: z.string().optional() })) });

test.skipIf(browser === null).each(["anthropic", "openai"] as const)(
  "an agent of %s sees the page it asked for, and the journal keeps what it saw",
  async (wire) => {
    await using world = await World.open({ wire, script, files: { "serve.cjs": SERVER } });
    await world.labelIssue({ title: "Colours", body: "Is it red?" });
    const [task] = await world.ended(1);
    expect(task).toMatchObject({ state: "succeeded" });
    const bodies = world.models.requests.map(({ body }) => body);
    expect(Named.parse(bodies[0]).tools.map(({ name }) => name)).toContain("screenshot");
    const sent = findImage(bodies[1]);
    expect(sent && pixelAt(sent, 3, 3)).toEqual([200, 10, 90]);
    const entries = task ? await readTaskJournal(world.store.database, task.id) : [];
    const kept = entries.flatMap(({ entry }) =>
      entry.kind === "tool-observed" ? (entry.observation.images ?? []) : [],
    );
    expect(kept).toEqual([{ mediaType: "image/png", width: 1280, height: 800, base64: sent?.toString("base64") }]);
    expect(JSON.stringify(entries).split(kept[0]?.base64 ?? "none")).toHaveLength(2);
    expect(renderRun(entries)).toMatch(/screenshot: \[image\/png of 1280 x 800 pixels\] \(\d+ KiB\)/);
  },
  120_000,
);
