/** Sessions as tables in Markdown: medians, with ratios to Pullwright where a ratio says something. */
import type { Harness } from "./harnesses.ts";
import type { AtOnce, Worker } from "./many.ts";
import { TURNS } from "./script.ts";
import type { Session } from "./session.ts";
import { median, sharedLength } from "./traffic.ts";

export type Row = {
  readonly harness: Harness;
  /** One list for each number of turns. */
  readonly sessions: readonly (readonly Session[])[];
  /** A session of one turn in another checkout; null when it was not played. */
  readonly elsewhere: Session | null;
};

export function renderCost(rows: readonly Row[]): string {
  const head = ["harness", "wire", "rounds", "wall s", "CPU s", "spread", "wall ms/turn", "CPU ms/turn", "ratio"];
  const ours = slope(rows[0], "cpuMs");
  const body = rows.map((row) => {
    const long = longest(row);
    const cpus = long.map(({ cpuMs }) => cpuMs);
    return [
      ...[row.harness.name, row.harness.wire, String(long.length)],
      ...[each(row, (session) => session.wallMs / 1000), each(row, (session) => session.cpuMs / 1000)],
      percent((Math.max(...cpus) - Math.min(...cpus)) / median(cpus), 0),
      ...[
        slope(row, "wallMs").toFixed(0),
        slope(row, "cpuMs").toFixed(1),
        `${(slope(row, "cpuMs") / ours).toFixed(1)}x`,
      ],
      median(row.sessions.flat().map((session) => session.firstRequestMs)).toFixed(0),
      median(long.flatMap(({ gapsMs }) => gapsMs)).toFixed(0),
      ...[of(long, ({ peakRssMb }) => peakRssMb).toFixed(0), of(long, ({ peakPssMb }) => peakPssMb).toFixed(0)],
    ];
  });
  const isWhole = rows.every(({ sessions }) => sessions.flat().every(({ cpuOf }) => cpuOf === "all"));
  const counted = isWhole ? "CPU by control group" : "CPU without sandboxed commands: no control group could be made";
  const title = `Time and memory of one session (${TURNS.join(" / ")} turns; ${counted})`;
  return table(title, [...head, "first request ms", "gap ms p50", "peak RSS MB", "peak PSS MB"], body);
}

export function renderTraffic(rows: readonly Row[], tokens: string): string {
  const head = ["harness", "requests (side)", "first request B", "first tokens", "tools + system tokens", "input MB"];
  const ours = rows[0]?.sessions.at(-1)?.at(-1)?.tokens ?? Number.NaN;
  const body = rows.flatMap(({ harness, sessions, elsewhere }) => {
    const session = sessions.at(-1)?.at(-1);
    if (!session) return [];
    const shared = elsewhere && sharedLength(elsewhere.firstText, session.firstText) / session.firstText.length;
    const sameFixed = elsewhere && elsewhere.fixedText === session.fixedText;
    return [
      [
        ...[harness.name, `${session.requests} (${session.sideRequests})`],
        ...[String(session.firstBytes), session.firstTokens.toFixed(0), session.fixedTokens.toFixed(0)],
        ...[
          (session.bytes / 1e6).toFixed(2),
          (session.tokens / 1e6).toFixed(3),
          `${(session.tokens / ours).toFixed(2)}x`,
        ],
        ...[session.kept.toFixed(4), percent(session.cacheable, 1), percent(session.cached, 1)],
        ...[shared === null ? "-" : percent(shared, 1), sameFixed === null ? "-" : sameFixed ? "yes" : "no"],
      ],
    ];
  });
  const title = `What is sent to the model (${TURNS.at(-1)} turns; tokens by ${tokens})`;
  const tail = [
    "input M tokens",
    "ratio",
    "kept",
    "cacheable",
    "read from cache",
    "other checkout",
    "tools + system same",
  ];
  return table(title, [...head, ...tail], body);
}

export function renderAtOnce(count: number, rows: readonly { name: string; result: AtOnce | null }[]): string {
  const head = ["harness", "wall s", "CPU s", "peak RSS MB", "peak PSS MB", "PSS MB/session"];
  const body = rows.map(({ name, result }) => {
    if (result === null) return [name, "not played in time", "", "", "", ""];
    const { wallMs, cpuMs, rssMb, pssMb } = result;
    const seconds = [wallMs / 1000, cpuMs / 1000].map((value) => value.toFixed(1));
    return [name, ...seconds, rssMb.toFixed(0), pssMb.toFixed(0), (pssMb / count).toFixed(0)];
  });
  return table(`${count} sessions of ${TURNS[1]} turns at once, a process each`, head, body);
}

type Workers = {
  readonly turns: number;
  readonly inTurn: Worker;
  readonly atOnce: readonly { runs: number; result: Worker }[];
};

export function renderWorker({ turns, inTurn, atOnce }: Workers): string {
  const head = [
    "runs at once",
    "wall s",
    "CPU s",
    "CPU ms/turn",
    "gap ms p50",
    "peak RSS MB",
    "peak PSS MB",
    "MB/further run",
  ];
  const alone = atOnce[0]?.result;
  const body = atOnce.map(({ runs, result }) => {
    const more = runs - 1;
    // The worker's start and its first run are in both, so that the difference is that of the further runs.
    const cpu = alone && more > 0 ? (result.cpuMs - alone.cpuMs) / (more * turns) : null;
    const memory = alone && more > 0 ? (result.peakRssMb - alone.peakRssMb) / more : null;
    return [
      ...[String(runs), (result.wallMs / 1000).toFixed(1), (result.cpuMs / 1000).toFixed(1), cpu?.toFixed(1) ?? "-"],
      ...[result.gapMs.toFixed(0), result.peakRssMb.toFixed(0), result.peakPssMb.toFixed(0), memory?.toFixed(1) ?? "-"],
    ];
  });
  const { firstRequestsMs: first } = inTurn;
  const line = `First request of a run in a running worker: median ${median(first).toFixed(0)} ms, best ${Math.min(...first).toFixed(0)}, worst ${Math.max(...first).toFixed(0)} of ${first.length}.\n`;
  return `${table(`Runs of ${turns} turns in one worker process`, head, body)}\n${line}`;
}

function each(row: Row, read: (session: Session) => number): string {
  return row.sessions.map((sessions) => (sessions.length > 0 ? of(sessions, read).toFixed(2) : "-")).join(" / ");
}

function of(sessions: readonly Session[], read: (session: Session) => number): number {
  return median(sessions.map(read));
}

/** Of the most turns that were played. */
function longest(row: Row): readonly Session[] {
  return row.sessions.findLast((sessions) => sessions.length > 0) ?? [];
}

/** Between the two longest sessions that were played, so that the start is not in it. */
function slope(row: Row | undefined, key: "wallMs" | "cpuMs"): number {
  const points = (row?.sessions ?? []).flatMap((sessions, i) =>
    sessions.length > 0 ? [{ turns: TURNS[i] ?? 0, ms: of(sessions, (session) => session[key]) }] : [],
  );
  const [before, last] = points.slice(-2);
  return before && last ? (last.ms - before.ms) / (last.turns - before.turns) : Number.NaN;
}

const percent = (share: number, digits: number): string => `${(share * 100).toFixed(digits)} %`;

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [`${title}\n`, line(head), line(head.map(() => "---")), ...rows.map(line), ""].join("\n");
}
