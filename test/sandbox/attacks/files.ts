/** Attacks on files: the host's to read, the sandbox's own to change, and what may be left behind in the workspace. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Attack, Scene } from "./attack.ts";

export const FILE_ATTACKS: readonly Attack[] = [
  {
    name: "reads the host's accounts and keys",
    language: "bash",
    program: `for f in /etc/shadow /etc/gshadow /etc/sudoers /etc/ssh/ssh_host_rsa_key /root/.ssh/id_rsa /root/.bashrc \
      /etc/machine-id /var/log/syslog /boot /root /home/tester; do refuse ls "$f"; done
      [[ $(wc -l </etc/passwd) == 3 ]] || broke "the host's /etc/passwd"`,
  },
  { name: "reads a host file by its name", language: "bash", program: `refuse cat @DIR@/secret; refuse ls @DIR@` },
  {
    name: "reads a host file through a link, and a folder through another",
    language: "bash",
    program: `ln -s @DIR@/secret link; ln -s / top; ln -s ../../../../.. up
      cat link top@DIR@/secret up@DIR@/secret 2>/dev/null && broke "a link led to the host"`,
  },
  {
    name: "climbs out through /proc",
    language: "bash",
    program: `for p in /proc/self/root /proc/1/root /proc/1/cwd /proc/self/cwd/.. /proc/1/cwd/../..; do
      refuse cat "$p@DIR@/secret"; refuse ls "$p/../..@DIR@"; refuse ls "$p/root/.ssh"; done
      for fd in /proc/[0-9]*/fd/*; do refuse cat "$fd/../secret"; refuse ls "$fd/../../../..@DIR@"; done`,
  },
  {
    name: "reads another run's workspace",
    language: "bash",
    program: `refuse cat @DIR@/other-run/file; refuse ls /workspace/../other-run`,
  },
  {
    name: "reads the service's own folder",
    language: "bash",
    program: `for f in @INSTALL@ @INSTALL@/package.json @INSTALL@/.env /var/lib/pullwright /opt/pullwright; do refuse ls "$f"; done
      [[ $(ls /opt/bin | tr '\\n' ' ') == "node rg " ]] || broke "/opt/bin holds $(ls /opt/bin)"`,
  },
  {
    name: "finds a socket of a container engine or an agent",
    language: "bash",
    program: `for s in /var/run/docker.sock /run/docker.sock /run/podman/podman.sock /run/containerd/containerd.sock /run/crio/crio.sock \
      /run/systemd/private /run/dbus/system_bus_socket /run/user /run/snapd.socket /tmp/.X11-unix @DIR@/path.sock; do [[ -e $s ]] && broke "$s"; done
      [[ -z $SSH_AUTH_SOCK$DBUS_SESSION_BUS_ADDRESS$DISPLAY$DOCKER_HOST ]] || broke "an address in the environment"
      found=$(find / -xdev -type s 2>/dev/null); [[ -z $found ]] || broke "sockets: $found"`,
  },
  {
    name: "writes outside the workspace and the scratch folders",
    language: "bash",
    program: `for d in / /usr /usr/bin /usr/lib /usr/local/bin /etc /etc/ssl/certs /opt /opt/bin /sys /var /proc/sys/kernel /dev /dev/pts; do
      if (: >"$d/planted") 2>/dev/null; then broke "a file in $d"; fi; refuse mkdir "$d/folder"; done
      for f in /etc/passwd /etc/hosts /etc/ld.so.cache /usr/bin/env /opt/bin/node /opt/bin/rg; do
        if (: >>"$f") 2>/dev/null; then broke "$f"; fi; refuse rm -f "$f"; refuse mv "$f" /tmp/x; refuse chmod 777 "$f"; refuse ln -f "$f" hard; done`,
  },
  {
    name: "leaves setuid and setgid files behind",
    language: "bash",
    program: `cp /usr/bin/id chmodded; chmod 4755 chmodded; cp /usr/bin/id group; chmod g+s group; mkdir folder; chmod 6777 folder
      perl -e 'use Fcntl; umask 0; sysopen(F, "made", O_CREAT|O_WRONLY, 06755); my $nr = (split " ", \`uname -m\`)[0] eq "x86_64" ? 133 : 33;
        my $path = "node"; syscall($nr == 133 ? 133 : 33, $nr == 133 ? ($path, 0106755, 0) : (-100, $path, 0106755, 0));
        my $how = pack("QQQ", O_CREAT|O_WRONLY, 06755, 0); my $other = "made2"; syscall(437, -100, $other, $how, 24);
        my $f = "fchmodat2"; open(G, ">", $f); close G; syscall(452, -100, $f, 06755, 0);'
      cp /usr/bin/id held; perl -e 'open(F, "<", "held"); chmod 06755, *F'`,
    look: lookForPrivileges,
  },
  {
    name: "becomes root through a setuid program",
    language: "bash",
    program: `grep -q '^NoNewPrivs:.1' /proc/self/status || broke "new privileges are possible"
      for p in su sudo mount passwd newgrp chsh pkexec; do
        if command -v $p >/dev/null; then timeout 2 $p --help </dev/null >/dev/null 2>&1; fi; done
      perl -e '$> = 0; print "BROKE: seteuid\\n" if $> == 0; $< = 0; print "BROKE: setuid\\n" if $< == 0; $) = "0 0"; print "BROKE: setgid\\n" if $)+0 == 0;'
      while read -r _ _ _ _ _ options _; do [[ @DRIVER@ != bubblewrap || $options == *nosuid* ]] || broke "a mount honours setuid: $options"; done </proc/self/mountinfo`,
  },
  {
    name: "gives a file capabilities or another owner",
    language: "bash",
    program: `cp /usr/bin/id cap; refuse chown 0 cap; refuse chgrp 0 cap; command -v setcap >/dev/null && refuse setcap cap_setuid+ep cap
      perl -e 'my $v = pack("VVVVV", 0x02000001, 0xffffffff, 0, 0xffffffff, 0); my ($p, $n) = ("cap", "security.capability");
        my $nr = (split " ", \`uname -m\`)[0] eq "x86_64" ? 188 : 5; print "BROKE: setxattr\\n" if syscall($nr, $p, $n, $v, 20, 0) == 0;'`,
  },
  {
    name: "makes or finds a device",
    language: "bash",
    program: `for d in "b 254 0" "b 8 0" "c 1 1" "c 1 2" "c 10 232" "c 10 229"; do refuse mknod "dev-\${d// /-}" $d; done
      for d in /dev/mem /dev/kmem /dev/port /dev/kmsg /dev/vda /dev/sda /dev/kvm /dev/fuse /dev/loop-control /dev/net/tun /dev/vhost-vsock /dev/vsock /dev/userfaultfd /dev/dri /dev/snd /dev/tty0 /dev/console; do
        [[ -e $d ]] && broke "$d"; done
      found=$(find /dev -type b 2>/dev/null); [[ -z $found ]] || broke "block devices: $found"`,
    look: async ({ workspaceDir }) => {
      const stats = await Promise.all((await readdir(workspaceDir)).map((name) => lstat(join(workspaceDir, name))));
      return stats.some((each) => each.isBlockDevice() || each.isCharacterDevice())
        ? "a device in the workspace"
        : null;
    },
  },
  {
    name: "links a file of the system into the workspace",
    language: "bash",
    program: `refuse ln /usr/bin/id hard; refuse ln /etc/passwd hard2; refuse ln /opt/bin/node hard3; refuse ln /proc/self/fd/1 hard4; refuse ln -L /proc/self/fd/0 hard5`,
  },
  {
    name: "learns names of the host from its mounts and its name",
    language: "bash",
    program: `[[ $(hostname) == sandbox && $(cat /proc/sys/kernel/hostname) == sandbox ]] || broke "the host's name"
      grep -qE '@DIR@|other-run|acme|widget' /proc/self/mountinfo /proc/self/mounts && broke "mountinfo tells of others"`,
  },
];

/** A file with the rights of whoever owns it, there for another user of the machine to run. */
async function lookForPrivileges({ workspaceDir }: Scene): Promise<string | null> {
  for (const name of await readdir(workspaceDir)) {
    const stats = await lstat(join(workspaceDir, name));
    if (stats.isFile() && (stats.mode & 0o6000) !== 0) return `${name} has mode ${stats.mode.toString(8)}`;
  }
  return null;
}
