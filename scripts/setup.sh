#!/bin/sh
# Makes this checkout ready to run on Debian 12 (or a relative with apt): system packages, node modules, a check.
# Safe to run again: what is there already is left alone, and the network is asked only for what is missing.
# With --with-docker, or in CI (the variable CI is set), also an engine for the container sandbox and its tests: 65 MB to fetch.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# Programs, and the packages that bring them.
missing_packages() {
  command -v bwrap >/dev/null 2>&1 || printf 'bubblewrap '
  command -v git >/dev/null 2>&1 || printf 'git '
  { command -v setpriv && command -v prlimit && command -v unshare; } >/dev/null 2>&1 || printf 'util-linux '
  command -v bash >/dev/null 2>&1 || printf 'bash '
  [ -e /etc/ssl/certs/ca-certificates.crt ] || printf 'ca-certificates '
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_packages() {
  command -v apt-get >/dev/null 2>&1 || fail "please install: $1(there is no apt-get here)"
  if [ "$(id -u)" -ne 0 ] && ! sudo -n true >/dev/null 2>&1; then
    fail "please ask an administrator to run: apt-get install $1"
  fi
  # Another apt may be at work, as on a machine that has just started.
  apt="apt-get -o DPkg::Lock::Timeout=120 -qq"
  tries=1
  until as_root $apt update && as_root env DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends $1; do
    [ "$tries" -lt 5 ] || fail "apt-get failed $tries times; please install by hand: $1"
    say "apt-get failed (is another one running?), trying again in $((tries * 5)) s"
    sleep $((tries * 5))
    tries=$((tries + 1))
  done
}

# $1: a program, $2: the package that brings it, $3: what it is. Only the tests need it; where it cannot be had they say that they
# are skipped.
install_for_tests() {
  if command -v "$1" >/dev/null 2>&1; then return; fi
  if ! command -v apt-get >/dev/null 2>&1 || { [ "$(id -u)" -ne 0 ] && ! sudo -n true >/dev/null 2>&1; }; then
    say "no $3: $2 cannot be installed here; its tests will be skipped"
    return
  fi
  (install_packages "$2 ") || say "no $3: $2 was not installed; its tests will be skipped"
}

# npm writes its own lock file last; newer than ours means that nothing changed since. `npm ci` deletes the folder first,
# so it must not run needlessly under a server that is up.
install_modules() {
  installed=node_modules/.package-lock.json
  if [ -x node_modules/.bin/node ] && [ -e "$installed" ] &&
    [ "$installed" -nt package-lock.json ]; then
    say "node modules are up to date"
    return
  fi
  command -v npm >/dev/null 2>&1 || fail "please install Node.js with npm (any version from 18; Pullwright brings its own Node 24)"
  npm ci --no-audit --no-fund
}

# A start reads what was built in a third of the time; without it the sources are read.
build_start() {
  if [ -e dist/start.mjs ] && [ -z "$(find src bin scripts package-lock.json -newer dist/start.mjs -print -quit)" ]; then return; fi
  node_modules/.bin/node scripts/build.ts || say "the build failed; starts will read the sources, which takes longer"
}

# A user namespace is the floor of the sandbox. bwrap itself is asked: switches differ between distributions.
check_namespaces() {
  if bwrap --unshare-user --unshare-pid --unshare-net --ro-bind / / --proc /proc true 2>/dev/null; then return; fi
  say "bubblewrap cannot make a user namespace here; Pullwright will refuse to run repository code. Remedies:"
  if [ "$(cat /proc/sys/user/max_user_namespaces 2>/dev/null || echo 1)" = 0 ]; then
    say "  sysctl -w user.max_user_namespaces=65536"
  elif [ "$(cat /proc/sys/kernel/unprivileged_userns_clone 2>/dev/null || echo 1)" = 0 ]; then
    say "  sysctl -w kernel.unprivileged_userns_clone=1"
  elif [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null || echo 0)" = 1 ]; then
    say "  sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
  else
    say "  in a container: a seccomp profile that allows clone, unshare, mount, umount2 and pivot_root,"
    say "  and --security-opt systempaths=unconfined; \`pullwright doctor\` tells more"
  fi
}

packages=$(missing_packages)
if [ -n "$packages" ]; then install_packages "$packages"; fi
packages=$(missing_packages)
[ -z "$packages" ] || fail "still missing after installation: $packages"

if [ "${1:-}" = --with-docker ] || [ -n "${CI:-}" ]; then
  install_for_tests dockerd docker.io "engine for the container sandbox"
fi
if [ "${1:-}" = --with-browser ] || [ -n "${CI:-}" ]; then
  install_for_tests chromium-headless-shell chromium-headless-shell "browser for screenshots"
fi
if [ -n "${CI:-}" ]; then install_for_tests git-lfs git-lfs "Git LFS"; fi

install_modules
version=$(node_modules/.bin/node --version 2>/dev/null) || fail "node_modules/.bin/node does not run; delete node_modules and try again"
case $version in
  v24.*) ;;
  *) fail "node_modules/.bin/node is $version, not Node 24; delete node_modules and try again" ;;
esac
build_start
check_namespaces
say "ready: Node $version, $(bwrap --version), $(git --version)"
