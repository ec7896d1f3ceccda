/** Our own programs inside a container: its process 1, and the shell that stands around each command. Both are for the image's bash. */

/** Read-only to all but process 1's user; with it the control group's files. */
export const KERNEL_FOLDER = "/sys";

/**
 * Process 1. It reads orders from its input, which ends with the worker's connection: then it ends, and with it all inside. A number is
 * the time in seconds it waits for the next order, so a command ends even where its worker hangs; "look" has it tell how many
 * processes there are beside it, how many things commands have left in scratch folders and System V tables, and how many processes the
 * kernel ended for memory. It has a user of its own: no command can signal, trace or read it. It starts no process, so that none is
 * counted, and bash collects the ended children of others.
 */
export const PROCESS_ONE = `
shopt -s nullglob dotglob extglob
limit=$1
while IFS= read -r -t "$limit" order; do
  if [[ $order != look ]]; then limit=$order; continue; fi
  others=(/proc/[2-9]* /proc/1[0-9]*)
  left=(/tmp/* /home/agent/* /dev/shm/* /dev/mqueue/* /run/!(egress))
  for table in shm msg sem; do
    [[ -r /proc/sysvipc/$table ]] && mapfile -t lines </proc/sysvipc/$table && left+=("\${lines[@]:1}")
  done
  kills=0
  for file in ${KERNEL_FOLDER}/fs/cgroup/memory.events ${KERNEL_FOLDER}/fs/cgroup/memory/memory.oom_control; do
    [[ -r $file ]] && while read -r name number; do [[ $name == oom_kill ]] && kills=$number; done <"$file"
  done
  echo "\${#others[@]} \${#left[@]} $kills"
done
`;

/**
 * Around each command: starts it in its folder, and when it has ended kills what it left and empties the scratch folders, so that the
 * next one begins as in a new sandbox. A command can end or turn this shell, which has its user; process 1 is asked whether it did its
 * work. Names that engines and bash put into the environment are taken out again.
 */
const AROUND = `
exec 4>&2 2>/dev/null
cd -- "$1" 2>&4 || exit 126
shift
env -u HOSTNAME -u container -u OLDPWD -u SHLVL -u _ -- "$@" 2>&4 4>&-
code=$?
exec </dev/null >/dev/null 4>&-
kill -KILL -1
shopt -s nullglob dotglob extglob
left=(/tmp/* /home/agent/* /dev/shm/* /dev/mqueue/* /run/!(egress))
(( \${#left[@]} == 0 )) || rm -rf -- "\${left[@]}"
exit $code
`;

const BASH = ["/bin/bash", "--noprofile", "--norc", "-c"];

export function processOne(idleSeconds: number): string[] {
  return [...BASH, PROCESS_ONE, "pullwright", String(idleSeconds)];
}

export function aroundCommand(folder: string, argv: readonly string[]): readonly string[] {
  // env would take such a program for a variable.
  const [program = ""] = argv;
  const command = program.includes("=") ? [...BASH, 'exec -- "$@"', "exec", ...argv] : argv;
  return [...BASH, AROUND, "pullwright", folder, ...command];
}
