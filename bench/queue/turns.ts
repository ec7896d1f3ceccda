/** What PostgreSQL does for one turn of a run: its journal entries and its charge, in a ledger that has seen a busy day. */
import { randomUUID } from "node:crypto";
import type { JournalEntry } from "../../src/journal.ts";
import { charge } from "../../src/store/ledger.ts";
import { postgresJournal } from "../../src/store/journal.ts";
import { markRunning } from "../../src/store/tasks.ts";
import type { TaskId } from "../../src/task.ts";
import { clock, enqueue, spread, type BenchWorld } from "./world.ts";

const TURNS = 150;
/** Charges of today: 500 installations of 1,000 turns. */
const LEDGER_ROWS = 500_000;
const INSTALLATIONS = 500;

export async function measureTurns(
  { database, queue }: BenchWorld,
  read: () => Promise<{ commits: number; walBytes: number }>,
) {
  await database.query(
    `INSERT INTO pullwright.ledger (task_id, attempt, turn, model, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens,
       reasoning_tokens, cost_usd, at, installation_id, repo_id)
     SELECT $1, 1, 1, 'anthropic/claude-opus-5-5', 1, 1, 1, 1, 1, 0.01, now() - n * interval '1 ms', n % $3, n % $3
     FROM generate_series(1, $2::int) n`,
    [randomUUID(), LEDGER_ROWS, INSTALLATIONS],
  );
  await database.query("ANALYZE pullwright.ledger");
  await enqueue(queue, 7, 999_999);
  const [row] = await database.query<{ id: TaskId }>("SELECT id FROM pullwright.tasks WHERE state = 'queued' LIMIT 1");
  if (!row) throw new Error("no task");
  const attempt = (await markRunning(database, row.id)) ?? 0;
  const run = { taskId: row.id, attempt };
  const journal = postgresJournal(database, { ...run, now: Date.now });
  const before = await read();
  const [entries, charges]: [number[], number[]] = [[], []];
  for (let turn = 1; turn <= TURNS; turn++) {
    const usage = { input: 1_200, cachedRead: 30_000, cacheWrite: 1_500, output: 400, reasoning: 100 };
    for (const entry of turnEntries(turn, usage)) {
      const from = clock();
      await journal.append(entry);
      entries.push(clock() - from);
    }
    const from = clock();
    const model = "anthropic/claude-opus-5-5";
    await charge(database, { ...run, turn, model, usage, costUsd: 0.02, at: Date.now() }, Date.now() - 86_400_000);
    charges.push(clock() - from);
  }
  const after = await read();
  console.log(`a journal entry (ms)  ${spread(entries)}`);
  console.log(`a charge with ${LEDGER_ROWS} of the day of ${INSTALLATIONS} installations (ms) ${spread(charges)}`);
  const per = (name: "commits" | "walBytes") => Math.round((after[name] - before[name]) / TURNS);
  console.log(`a turn with one call: ${per("commits")} transactions, ${per("walBytes")} bytes of WAL`);
}

/** A reply with a call of a middling edit, and what it gave: 2, 0.5 and 4 kB. */
function turnEntries(
  turn: number,
  usage: Extract<JournalEntry, { kind: "model-replied" }>["usage"],
): readonly JournalEntry[] {
  const call = { id: `call-${turn}`, tool: "shell", input: { command: `grep -rn "${"x".repeat(300)}" src` } };
  const words = "A sentence of what the model thinks it does next. ".repeat(20);
  const model = "anthropic/claude-opus-5-5";
  const opaque = { provider: "anthropic", model, value: { signature: randomUUID().repeat(16) } };
  return [
    {
      ...{ kind: "model-replied", turn, model, stop: "tool-calls", usage, costUsd: 0.02, wallMs: 4_000, opaque },
      parts: [
        { kind: "text", text: words },
        { kind: "call", call },
      ],
    },
    { kind: "tool-called", turn, call },
    {
      ...{ kind: "tool-observed", turn, tool: "shell", wallMs: 300, command: null },
      observation: {
        callId: call.id,
        text: Array.from({ length: 100 }, () => randomUUID()).join("\n"),
        isError: false,
      },
    },
  ];
}
