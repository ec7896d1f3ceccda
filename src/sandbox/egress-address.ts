/** Which addresses the egress proxy may connect to: those of the public internet, by the registries of special ranges, and no other. */
import { BlockList, isIP, isIPv4 } from "node:net";

// RFC 6890 and IANA's registry of special-purpose IPv4 addresses, with multicast and what is reserved.
const REFUSED_IPV4: readonly (readonly [network: string, prefix: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10], // Shared by carriers; Alibaba's metadata is 100.100.100.200.
  ["127.0.0.0", 8],
  ["169.254.0.0", 16], // Link-local; the metadata of AWS, Google, Azure and others is 169.254.169.254.
  ["172.16.0.0", 12],
  ["192.0.0.0", 24], // Oracle's metadata was 192.0.0.192.
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
  ["168.63.129.16", 32], // A public number, but inside Azure the machine's own agent answers there.
];

/** Only 2000::/3 is unicast of the internet; these parts of it are not, or carry an IPv4 address that nobody looked at. */
const REFUSED_IPV6: readonly (readonly [network: string, prefix: number])[] = [
  ["2001::", 23], // Teredo, ORCHID, benchmarks
  ["2001:db8::", 32],
  ["2002::", 16], // 6to4
  ["3fff::", 20],
];

/** False for what is no address at all, and for an IPv4 address written as an IPv6 one. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0 || address.includes("%")) return false;
  if (isIPv4(address)) return !blockList(REFUSED_IPV4, "ipv4").check(address, "ipv4");
  const unicast = new BlockList();
  unicast.addSubnet("2000::", 3, "ipv6");
  return unicast.check(address, "ipv6") && !blockList(REFUSED_IPV6, "ipv6").check(address, "ipv6");
}

function blockList(subnets: typeof REFUSED_IPV4, family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, family);
  return list;
}
