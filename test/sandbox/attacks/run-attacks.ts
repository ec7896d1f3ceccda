/**
 * Runs the attacks and prints a JSON line for each: as a program of its own, so that root can have it run as an ordinary
 * user. Words of its command line choose attacks by name; with PULLWRIGHT_SANDBOX=container and its settings, in containers.
 */
import { bubblewrapSandbox } from "../../../src/sandbox/bubblewrap.ts";
import { containerSandbox } from "../../../src/sandbox/container.ts";
import { readSettings } from "../../../src/settings.ts";
import { TOOLS } from "../open-session.ts";
import { ATTACKS, judgeAll } from "./judge.ts";

process.env["PULLWRIGHT_TEST_SECRET"] = "canary-of-the-environment";
const wanted = process.argv.slice(2);
const chosen = ATTACKS.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
const { sandboxContainer } = readSettings();
const driver = sandboxContainer === null ? bubblewrapSandbox(TOOLS) : containerSandbox(TOOLS, sandboxContainer);
await judgeAll(driver, chosen, (judged) => console.log(JSON.stringify(judged)));
