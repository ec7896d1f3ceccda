/** Our own programs inside a container, both for its bash: one that keeps it alive, and the shell that stands around each command. */

/**
 * The keeper: all that the engine's own process 1, which collects ended processes, has started. It reads orders from its input, which
 * ends with the worker's connection: then it ends, and with it all inside. A number is the time in seconds it waits for the next order,
 * so a command ends even where its worker hangs; "look" has it tell how many processes there are beside the two, and how many things
 * commands have left in scratch folders and System V tables beside what was there at its first look (podman has files in /run). Other
 * lines are nothing: some engines let the request to connect through. It has a user of its own: no command can signal, trace or read it.
 */
const KEEPER = `
shopt -s nullglob dotglob extglob
limit=$1
while IFS= read -r -t "$limit" order; do
  case $order in
    look) ;;
    *[!0-9]* | "") continue ;;
    *) limit=$order; continue ;;
  esac
  processes=(/proc/[0-9]*)
  left=(/tmp/* /home/agent/* /dev/shm/* /dev/mqueue/* /run/!(egress|input))
  for table in shm msg sem; do
    [[ -r /proc/sysvipc/$table ]] && mapfile -t lines </proc/sysvipc/$table && left+=("\${lines[@]:1}")
  done
  : "\${first:=\${#left[@]}}"
  echo "$((\${#processes[@]} - 2)) $((\${#left[@]} - first))"
done
`;

/**
 * Around each command: starts it in its folder, and when it has ended kills what it left and empties the scratch folders, so that the
 * next one begins as in a new sandbox. A command can end or turn this shell, which has its user; the keeper is asked whether it did its
 * work. Names that engines and bash put into the environment are taken out again.
 */
const AROUND = `
exec 4>&2 2>/dev/null <"$2"
cd -- "$1" 2>&4 || exit 126
shift 2
env -u HOSTNAME -u container -u OLDPWD -u SHLVL -u _ -- "$@" 2>&4 4>&-
code=$?
exec </dev/null >/dev/null 4>&-
kill -KILL -1
shopt -s nullglob dotglob extglob
left=(/tmp/* /home/agent/* /dev/shm/* /dev/mqueue/* /run/!(egress|input))
(( \${#left[@]} == 0 )) || rm -rf -- "\${left[@]}"
exit $code
`;

const BASH = ["/bin/bash", "--noprofile", "--norc", "-c"];

export function keeperCommand(idleSeconds: number): string[] {
  return [...BASH, KEEPER, "pullwright", String(idleSeconds)];
}

/** Where commands find their input: a file, which may be opened by name. Podman loses the output of one that leaves a connection unread. */
export const INPUT_FOLDER = "/run/input";
export const INPUT_FILE = "stdin";

export function aroundCommand(folder: string, argv: readonly string[], hasInput: boolean): readonly string[] {
  // env would take such a program for a variable.
  const [program = ""] = argv;
  const command = program.includes("=") ? [...BASH, 'exec -- "$@"', "exec", ...argv] : argv;
  return [...BASH, AROUND, "pullwright", folder, hasInput ? `${INPUT_FOLDER}/${INPUT_FILE}` : "/dev/null", ...command];
}
