/** What the models say in a play: each case is one conversation, whose commands tell by the file they leave how often they ran. */
import type { Script } from "../../sim/models/models.ts";
import type { Dice } from "./dice.ts";
import type { Case, Plan } from "./plan.ts";

type Conversation = Script["conversations"][number];
type Turn = Conversation["turns"][number];

export const FILES: Readonly<Record<string, string>> = {
  "AGENTS.md": "Keep it POSIX.\n",
  ".github/agent.yml": 'checks: ["sh test.sh"]\nsetup: "mkdir -p vendor && echo ready > vendor/dependency"\n',
  ".gitignore": "vendor/\n",
  "greet.sh": '#!/bin/sh\necho "Helo, $1"\n',
  "test.sh": 'test -s greet.sh && test "$(cat vendor/dependency)" = ready\n',
};

/** What a case that changes files leaves in its own: each line once, or a command ran twice or was lost. */
export function traceOf({ name }: Case): { readonly path: string; readonly text: string } {
  return { path: `trace-${name}.txt`, text: `made for ${name}\none\ntwo\nthree\n` };
}

export function writeScript(plan: Plan, dice: Dice): Script {
  // What was asked by command first: a review that came by itself is found by what its pull request says.
  const asked = plan.cases.toSorted((one, other) => Number(one.command === null) - Number(other.command === null));
  return {
    conversations: asked.map((it) => ({ name: it.name, match: matchOf(it), turns: turnsOf(it, dice.named(it.name)) })),
  };
}

function matchOf({ name, goal, command }: Case): string[] {
  if (command !== null) return [`adds:\n\nThis is ${name}.`];
  return [goal === "implement" ? "Solve issue" : "Review pull request", `This is ${name}.`];
}

function turnsOf(it: Case, dice: Dice): Turn[] {
  const turns = it.goal === "review" ? reviewTurns(it) : changeTurns(it);
  return turns.map((turn, i) => {
    const timed: Turn = { ...turn, delayMs: dice.whole(`delay ${i}`, 20, 500) };
    const fault = faultOf(dice, i);
    return fault === null ? timed : { ...timed, fault };
  });
}

/** A vendor's own trouble, which a second try gets over. */
function faultOf(dice: Dice, turn: number): Turn["fault"] | null {
  if (dice.share(`fault ${turn}`) > 0.1) return null;
  return dice.pick(`which fault ${turn}`, [
    { kind: "status", status: 529 },
    { kind: "status", status: 500 },
    { kind: "drop", afterEvents: 3 },
    { kind: "truncate" },
  ]);
}

function changeTurns(it: Case): Turn[] {
  const { path } = traceOf(it);
  const report = { title: `Leave the trace of ${it.name}`, summary: `Made ${path}.` };
  return [
    { text: "I look first.", do: [{ do: "view", path: "greet.sh" }] },
    { do: [{ do: "create", path, text: `made for ${it.name}\n` }] },
    { do: [{ do: "shell", command: `echo one >> ${path}` }] },
    {
      do: [
        { do: "shell", command: `sleep 0.3; echo two >> ${path}` },
        { do: "shell", command: `sh test.sh && echo three >> ${path}` },
      ],
    },
    { do: [{ do: "call", tool: "report", input: report }] },
  ];
}

function reviewTurns({ name }: Case): Turn[] {
  const finding = {
    ...{ path: `ready-${name.replace("-asked", "")}.sh`, start_line: 2, end_line: 2, severity: "P1" },
    ...{ title: "Removes what an argument names", body: `Found by ${name}.` },
  };
  return [
    { do: [{ do: "shell", command: "sleep 0.2; ls" }] },
    { do: [{ do: "call", tool: "search", input: { pattern: "echo" } }] },
    { do: [{ do: "call", tool: "report", input: { summary: `Reviewed for ${name}.`, findings: [finding] } }] },
  ];
}
