/** What to do where the container driver cannot work. */
export const CONTAINER_REMEDIES = {
  engine:
    "Start Docker (`systemctl start docker`) or podman's service (`systemctl start podman.socket`, then " +
    "DOCKER_HOST=unix:///run/podman/podman.sock), and let this user use its socket: whoever may is root on this machine.",
  apiVersion: "Install Docker 20.10 or podman 4, or newer.",
  runtime:
    "Install the runtime that PULLWRIGHT_SANDBOX_RUNTIME names and add it to Docker's settings, or unset it; " +
    "podman's service has its one runtime from containers.conf.",
  seccomp: "The engine must support seccomp filters, on x86-64 or arm64.",
  rootless: "Run Pullwright as the user whose engine it is, or give it an engine of root's.",
  socket:
    "Take the folder with the engine's socket out of PULLWRIGHT_SANDBOX_TOOLS: whoever reaches it is root on this machine.",
  files:
    "The engine must see this machine's files under the same paths. When Pullwright runs in a container itself, mount its data " +
    "folder and /tmp there under the paths they have on the host.",
  limits: "Give the engine control groups with memory and pids: rootless engines need cgroup v2 with delegation.",
  programs:
    "Use an image with bash 4.3 or newer, coreutils and git, and glibc 2.28 or newer (Debian, Ubuntu, Fedora; not Alpine).",
  cores: "Crashed commands hand their memory to a program of the host. Set `sysctl -w kernel.core_pattern=core`.",
} as const;

export function pullRemedy(image: string): string {
  return `docker pull ${image}`;
}
