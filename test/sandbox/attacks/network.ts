/** Attacks by socket: to this machine, its neighbours, its hypervisor and its kernel. */
import type { Attack } from "./attack.ts";

const SOCKET = process.arch === "arm64" ? 198 : 41;
const CONNECT = process.arch === "arm64" ? 203 : 42;

/** Address families by number; 1 (unix), 2 and 10 (IP) and 16 (netlink) are judged by what they reach. */
const FAMILIES = Array.from({ length: 46 }, (_, family) => family).filter((family) => ![1, 2, 10, 16].includes(family));

export const NETWORK_ATTACKS: readonly Attack[] = [
  {
    name: "dials this machine's own servers",
    language: "bash",
    program: `for at in 127.0.0.1/@TCP4@ localhost/@TCP4@ ::1/@TCP6@; do if (exec 3<>/dev/tcp/$at && cat <&3) 2>/dev/null; then broke "$at"; fi; done`,
  },
  {
    name: "dials the outside: names, metadata, the local network",
    language: "bash",
    program: `for at in 169.254.169.254/80 1.1.1.1/53 10.0.0.1/80 192.168.0.1/80 172.17.0.1/2375 github.com/443; do
        if timeout 5 bash -c "exec 3<>/dev/tcp/$at" 2>/dev/null; then broke "$at"; fi; done
      refuse getent hosts github.com; if (echo x >/dev/udp/8.8.8.8/53) 2>/dev/null; then broke "a datagram left"; fi
      [[ $(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ') == lo ]] || broke "$(cat /proc/net/dev)"; [[ $(wc -l </proc/net/route) -le 1 ]] || broke "a route"`,
  },
  {
    name: "dials an abstract unix socket of the host",
    language: "perl",
    program: `use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; my $to = pack("Sa*", AF_UNIX, "\\0@ABSTRACT@");
      if (syscall(${CONNECT}, fileno($s), $to, length $to) == 0) { broke("connected"); print <$s> }
      open(my $f, "<", "/proc/net/unix"); broke("names: $_") for grep { /pullwright|dbus|X11/ } <$f>;`,
  },
  {
    name: "dials a unix socket of the host by path",
    language: "perl",
    program: `use Socket; for my $path ("@DIR@/path.sock", "/run/docker.sock", "/var/run/docker.sock", "/run/systemd/journal/socket", "/dev/log") {
      socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; broke($path) if connect($s, pack_sockaddr_un($path)) }`,
  },
  {
    name: "opens AF_VSOCK to the hypervisor",
    language: "perl",
    program: `for my $type (1, 2, 5) { refused("vsock $type", ${SOCKET}, 40, $type, 0) } broke("/dev/vsock") if -e "/dev/vsock";`,
  },
  {
    name: "opens AF_PACKET, AF_ALG or any other family",
    language: "perl",
    program: `for my $family (${FAMILIES.join(",")}) { for my $type (1, 2, 3, 5) { refused("family $family", ${SOCKET}, $family, $type, 0) } }
      my $pair = "\\0" x 8; for my $family (30, 40, 38, 21) { refused("pair of $family", ${process.arch === "arm64" ? 199 : 53}, $family, 1, 0, $pair) }`,
  },
  {
    name: "opens netlink protocols other than route",
    language: "perl",
    program: `for my $protocol (1 .. 22) { refused("netlink $protocol", ${SOCKET}, 16, 3, $protocol) }`,
  },
  {
    name: "opens raw sockets",
    language: "perl",
    program: `for my $family (2, 10) { for my $protocol (1, 6, 17, 58, 255) { refused("raw $family $protocol", ${SOCKET}, $family, 3, $protocol) } }`,
  },
  {
    name: "sets up an interface, an address or a route",
    language: "bash",
    program: `for c in "link add dummy0 type dummy" "link add veth0 type veth" "addr add 10.9.9.9/8 dev lo" "route add default dev lo" "tuntap add tun0 mode tun"; do
        command -v ip >/dev/null && refuse ip $c; done
      perl -e 'my $r = "lo" . "\\0" x 38; socket(my $s, 2, 2, 0); print "BROKE: SIOCSIFADDR\\n" if ioctl($s, 0x8916, $r); print "BROKE: SIOCSIFFLAGS\\n" if ioctl($s, 0x8914, my $f = "lo" . "\\0" x 14 . pack("s", 0))'`,
  },
];
