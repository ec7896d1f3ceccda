/** Attacks on the machine's memory, disk, processes and patience. The session's limits are those of open-session.ts. */
import type { Attack } from "./attack.ts";

const MIB = 1024 * 1024;
/** A memory limit ends the command; or its own processes were killed and it tells so by its exit. */
const STOPPED = ["memory-limit", "signaled"] as const;

export const LIMIT_ATTACKS: readonly Attack[] = [
  {
    name: "forks without end",
    language: "bash",
    program: `b() { b | b & }; b; sleep 60`,
    ends: ["timed-out"],
    timeoutMs: 2000,
  },
  {
    name: "keeps more processes than it may",
    language: "perl",
    program: `my $n = 0; for (1 .. 2000) { my $p = fork; last unless defined $p; if (!$p) { sleep 60; exit } $n++ } broke("$n processes") if $n > 128;`,
  },
  {
    name: "keeps more threads than it may",
    language: "node",
    program: `const { Worker } = require("worker_threads"); let n = 0; const next = () => { try { const w = new Worker("setInterval(() => {}, 1e6)", { eval: true });
        w.on("online", () => { if (++n > 60) { broke(n + " threads of Node"); process.exit() } next(); }); w.on("error", () => { console.log("HELD"); process.exit() }) } catch { console.log("HELD"); process.exit() } }; next();`,
    limits: { processesMax: 64 },
    ends: ["exited", "signaled", "memory-limit"],
  },
  {
    name: "takes all memory in one process",
    language: "perl",
    program: `my @a; for (1 .. 2000) { push @a, "x" x 1048576 } broke("2 GB held"); sleep 1`,
    limits: { memoryBytes: 128 * MIB },
    ends: STOPPED,
  },
  {
    name: "takes all memory in a herd of small processes",
    language: "bash",
    program: `for i in {1..12}; do perl -e 'my $a = "x" x (30 * 1048576); sleep 6' & done; sleep 4
      (( $(jobs -r | wc -l) <= 4 )) || broke "$(jobs -r | wc -l) of 30 MB each"`,
    limits: { memoryBytes: 128 * MIB },
    ends: ["exited", "memory-limit", "signaled"],
  },
  {
    name: "takes all memory in daemons that left their parents",
    language: "bash",
    program: `for i in {1..12}; do (setsid perl -e 'my $a = "x" x (30 * 1048576); sleep 6' &) ; done; sleep 4
      alive=$(cat /proc/[0-9]*/comm | grep -c perl); (( alive <= 4 )) || broke "$alive of 30 MB each"`,
    limits: { memoryBytes: 128 * MIB },
    ends: ["exited", "memory-limit", "signaled"],
  },
  {
    name: "hides memory in files without a name",
    language: "perl",
    program: `my $nr = qx(uname -m) =~ /x86_64/ ? 319 : 279; $SIG{XFSZ} = "IGNORE"; my $all = 0; my $name = "m"; my @held;
      for (1 .. 20) { my $fd = syscall($nr, $name, 0); last if $fd < 0; open(my $f, ">&=", $fd); push @held, $f;
        for (1 .. 60) { my $n = syswrite($f, "x" x 1048576) // 0; $all += $n } } broke("$all bytes in memfds") if $all > 256 * 1048576;`,
    limits: { memoryBytes: 128 * MIB },
    ends: ["exited", "memory-limit", "signaled"],
  },
  {
    name: "hides memory in System V segments",
    language: "perl",
    program: `my $all = 0; for (1 .. 40) { my $id = shmget(0, 16 * 1048576, 0600); last unless defined $id; for my $at (0 .. 15) { shmwrite($id, "x" x 1048576, $at * 1048576, 1048576) and $all += 1048576 } }
      broke("$all bytes in segments") if $all > 256 * 1048576;`,
    limits: { memoryBytes: 128 * MIB },
    ends: ["exited", "memory-limit", "signaled"],
  },
  ...["/tmp", "/home/agent", "/run", "/dev/shm", "/dev", "/dev/pts"].map((folder): Attack => ({
    name: `fills ${folder}`,
    language: "bash",
    program: `for i in {1..8}; do head -c 10000000 /dev/zero >${folder}/fill$i; done 2>/dev/null; used=$(cat ${folder}/fill* 2>/dev/null | wc -c)
      (( used <= 70000000 )) || broke "$used bytes in ${folder}"; [[ ${folder} != /dev && ${folder} != /dev/pts ]] || (( used == 0 )) || broke "a file in ${folder}"`,
  })),
  {
    name: "writes one file without end",
    language: "bash",
    program: `head -c 300000000 /dev/zero >big 2>/dev/null; (( $(stat -c %s big) <= 64 * 1048576 )) || broke "$(stat -c %s big) bytes"
      truncate -s 10G sparse 2>/dev/null && broke "a sparse file of 10 GB"; fallocate -l 1G full 2>/dev/null && broke "1 GB at once"; true`,
  },
  {
    name: "fills the disk with many files of the largest size",
    language: "bash",
    program: `for i in {1..8}; do fallocate -l 60000000 f$i || head -c 60000000 /dev/zero >f$i; done; sleep 8; broke "480 MB kept"`,
    limits: { workspaceBytesMax: 128 * MIB },
    ends: ["disk-limit"],
  },
  {
    name: "fills the disk bit by bit, a command at a time",
    language: "bash",
    program: `for i in {1..8}; do (setsid fallocate -l 60000000 g$i &) ; done; sleep 8; broke "480 MB kept"`,
    limits: { workspaceBytesMax: 128 * MIB },
    ends: ["disk-limit"],
  },
  {
    name: "fills the disk in a folder that nobody may enter",
    language: "bash",
    program: `mkdir -p a/b; cd a/b; chmod 000 ..; for i in {1..8}; do fallocate -l 60000000 f$i; done; sleep 8; broke "480 MB kept"`,
    limits: { workspaceBytesMax: 128 * MIB },
    ends: ["disk-limit"],
  },
  {
    name: "fills the disk with files that have no name any more",
    language: "bash",
    program: `for i in {10..17}; do eval "exec $i>f$i"; fallocate -l 60000000 f$i; rm f$i; done; sleep 8; broke "480 MB kept"`,
    limits: { workspaceBytesMax: 128 * MIB },
    ends: ["disk-limit"],
  },
  {
    name: "uses up the disk's inodes",
    language: "perl",
    program: `mkdir "many"; for my $i (1 .. 60000) { open(my $f, ">", "many/$i") or last } sleep 8; broke("60,000 files kept")`,
    limits: { workspaceFilesMax: 20_000 },
    ends: ["disk-limit"],
    timeoutMs: 60_000,
  },
  {
    name: "digs a folder deeper than a path is long",
    language: "perl",
    program: `for (1 .. 3000) { mkdir "d" x 100 or last; chdir "d" x 100 or last }`,
  },
  { name: "floods its output", language: "bash", program: `yes`, ends: ["output-limit"] },
  {
    name: "floods its errors from a daemon",
    language: "bash",
    program: `(setsid yes >&2 &); sleep 60`,
    ends: ["output-limit"],
  },
  {
    name: "never ends, and ignores signals",
    language: "bash",
    program: `trap '' TERM INT HUP QUIT; while :; do sleep 1; done`,
    ends: ["timed-out"],
    timeoutMs: 1000,
  },
  {
    name: "opens more files than it may",
    language: "perl",
    program: `my @held; for (1 .. 20000) { open(my $f, "<", "/dev/null") or last; push @held, $f } broke(scalar(@held) . " open files") if @held > 4096;`,
  },
  {
    name: "fills the kernel's queues of messages",
    language: "perl",
    program: `my $n = 0; for (1 .. 200) { my $q = msgget(0, 0600); last unless defined $q; while (msgsnd($q, pack("l! a*", 1, "x" x 8000), 04000)) { $n += 8000; last if $n > 1e9 } }
      broke("$n bytes of messages") if $n > 64 * 1048576;`,
  },
];
