/** Attacks on what processes show and share: environments, arguments, descriptors, /proc. */
import { readFile } from "node:fs/promises";
import type { Attack } from "./attack.ts";

export const PROCESS_ATTACKS: readonly Attack[] = [
  {
    name: "reads environments and arguments of other processes",
    language: "bash",
    program: `for p in /proc/[0-9]*; do [[ $p == /proc/$$ ]] || cat $p/environ $p/task/*/environ; done 2>/dev/null | tr '\\0' '\\n' >all
      head -c 60 /proc/1/cmdline | tr '\\0' '\\n' >>all
      grep -aqE 'PULLWRIGHT|GITHUB|TOKEN|DATABASE_URL|ANTHROPIC|OPENAI|@DIR@|setpriv|node_modules' all && broke "$(grep -aE 'PULLWRIGHT|TOKEN|@DIR@|setpriv' all | head -3)"
      env | grep -E 'PULLWRIGHT|TOKEN|KEY|SECRET' && broke "its own environment"; echo; head -c 5000 all; echo`,
  },
  {
    name: "sees or signals processes of the host",
    language: "bash",
    program: `for p in @PID@ @VICTIM@; do refuse kill -0 $p; refuse ls /proc/$p; kill -9 $p 2>/dev/null; kill -9 -- -$p 2>/dev/null; done
      for p in /proc/[0-9]*; do [[ \${p#/proc/} -lt 50 ]] || broke "process \${p#/proc/}"; done
      [[ $(tr '\\0' ' ' </proc/1/cmdline) == @(bwrap|/sbin/docker-init|/run/podman-init)* ]] || broke "process 1 is $(tr '\\0' ' ' </proc/1/cmdline)"`,
  },
  {
    name: "kills everything it can",
    language: "bash",
    program: `trap '' TERM; (sleep 0.1; perl -e 'kill 9, 1; kill 9, -1') ; true`,
    ends: ["exited", "signaled"],
  },
  {
    name: "uses descriptors it inherited",
    language: "perl",
    program: `for my $dir (glob("/proc/[0-9]*")) { opendir(my $d, "$dir/fd") or next; for my $fd (readdir $d) { next if $fd =~ /^\\./;
        my $to = readlink("$dir/fd/$fd") // next; next if $fd <= 2 || $to =~ m{^/proc/} || $to eq "anon_inode:[eventfd]";
        next if $to =~ /pipe:/ && ($dir eq "/proc/$$" || $to eq readlink("/proc/$$/fd/2")); broke("$dir/fd/$fd is $to") } }
      for my $fd (3 .. 300) { open(my $f, "<&=", $fd) or next; my $to = readlink("/proc/self/fd/$fd") // ""; next if $to =~ m{^/proc/}; broke("descriptor $fd is $to") }`,
  },
  {
    name: "writes kernel settings",
    language: "bash",
    program: `for f in kernel/core_pattern kernel/core_uses_pid kernel/modprobe kernel/hotplug kernel/hostname kernel/domainname kernel/ns_last_pid kernel/sysrq \
        kernel/panic kernel/shmall vm/overcommit_memory vm/drop_caches vm/panic_on_oom fs/file-max fs/suid_dumpable fs/binfmt_misc/register \
        net/ipv4/ip_forward user/max_user_namespaces; do
        if (echo 1 >"/proc/sys/$f") 2>/dev/null; then broke "/proc/sys/$f"; fi; refuse chmod 777 "/proc/sys/$f"; done`,
  },
  {
    name: "writes the other switches in /proc",
    language: "bash",
    program: `for f in sysrq-trigger irq/0/smp_affinity bus/pci/00/00.0 acpi/wakeup mtrr scsi/scsi latency_stats timer_list self/timerslack_ns 1/attr/current self/attr/exec self/loginuid; do
        [[ $f == self/timerslack_ns || /proc/$f -ef /dev/null ]] || if (echo b >"/proc/$f") 2>/dev/null; then broke "/proc/$f"; fi; done
      for f in uid_map gid_map setgroups projid_map; do if (echo "0 0 1" >/proc/self/$f) 2>/dev/null; then broke "$f"; fi; done
      if (echo -1000 >/proc/self/oom_score_adj) 2>/dev/null; then broke "safe from the OOM killer"; fi`,
  },
  {
    name: "reads the kernel's memory and log",
    language: "bash",
    program: `for f in /proc/kcore /proc/kmsg /proc/vmallocinfo /proc/kpageflags /proc/kpagecount /proc/slabinfo; do
        if (head -c 16 "$f") >/dev/null 2>&1; then broke "$f"; fi; done
      refuse dmesg; grep -qvE '^0+ ' /proc/kallsyms 2>/dev/null && broke "kernel addresses"`,
  },
  {
    name: "lists the host's keys",
    language: "bash",
    program: `[[ -z $(cat /proc/keys 2>/dev/null) ]] || broke "$(cat /proc/keys)"`,
  },
  {
    name: "finds control groups or kernel folders to write",
    language: "bash",
    program: `[[ -z $(ls -A /sys) ]] || broke "/sys: $(ls /sys)"; refuse mkdir /sys/fs; refuse ls /sys/fs/cgroup; refuse ls /sys/kernel/debug; refuse ls /sys/firmware
      grep -q pullwright /proc/self/cgroup && grep -q '@PID@' /proc/self/cgroup && broke "the group's name: $(cat /proc/self/cgroup)"`,
  },
  {
    name: "keeps capabilities, or a filter it can shed",
    language: "bash",
    program: `for p in self 1; do grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/$p/status | grep -qv '0000000000000000$' && broke "capabilities of $p"
        grep -q '^Seccomp:.2' /proc/$p/status || broke "no filter on $p"; done
      perl -e 'my $c = pack("VV", 0x20080522, 0); my $d = pack("V6", 1<<21, 1<<21, 0, 0, 0, 0); my $nr = (split " ", \`uname -m\`)[0] eq "x86_64" ? 126 : 91;
        print "BROKE: capset\\n" if syscall($nr, $c, $d) == 0;'`,
  },
  {
    name: "raises its own limits",
    language: "bash",
    program: `for l in "-Hu 100000" "-Hn 1000000" "-Hf unlimited" "-n 1000000" "-u 100000"; do if (ulimit $l) 2>/dev/null; then broke "ulimit $l"; fi; done
      if (renice -n -10 $$) >/dev/null 2>&1; then broke "a higher priority"; fi; chrt -f 10 true 2>/dev/null && broke "real-time"; true`,
  },
  {
    name: "has the host write its core",
    language: "bash",
    program: `ulimit -c unlimited 2>/dev/null; ulimit -c 0 2>/dev/null; bash -c 'kill -SEGV $$'; bash -c 'kill -ABRT $$'
      ls core* 2>/dev/null && broke "a core in the workspace"; grep -E '^Max core file size' /proc/self/limits | grep -qE ' (0|1) +(0|1) ' || broke "a limit above 1"`,
    look: async () => {
      const pattern = (await readFile("/proc/sys/kernel/core_pattern", "utf8")).trim();
      return pattern === "1" ? "the pattern was changed" : null;
    },
  },
  {
    // As an ordinary user it owns the file and may write it; its size is limited and counts as the workspace's.
    name: "turns its own input file into a place on the host's disk",
    language: "bash",
    program: `chmod 666 /proc/self/fd/0 2>/dev/null; timeout 5 head -c 300000000 /dev/zero 2>/dev/null >/proc/self/fd/0
      (( $(stat -Lc %s /proc/self/fd/0) <= 64 * 1048576 )) || broke "its input grew past one file"`,
  },
];
