#!/bin/sh
# Writes a tar of a small root file system to standard output: the packages below with all they need, as dpkg has them installed here.
# No network, no registry; an engine imports it as an image.
set -eu
packages="base-files bash coreutils findutils grep sed mawk tar gzip util-linux mount procps perl git hostname libc-bin passwd
login bubblewrap debianutils dash diffutils libstdc++6 libgcc-s1 libatomic1 libcap2-bin"
list=$(mktemp)
trap 'rm -f "$list"' EXIT
# shellcheck disable=SC2086
needed=$(apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances $packages | grep '^[a-z0-9]' | sort -u)
# shellcheck disable=SC2086
installed=$(dpkg-query -W -f '${binary:Package} ${db:Status-Abbrev}\n' $needed 2>/dev/null | awk '$2 == "ii" { print $1 }')
cd /
{
  ls -d bin sbin lib lib32 lib64 libx32 etc/ld.so.cache 2>/dev/null || true
  # Packages of a merged /usr still name /bin and /lib.
  # shellcheck disable=SC2086
  dpkg -L $installed | sed -E 's#^/(bin|sbin|lib|lib32|lib64|libx32)/#/usr/\1/#; s#^/##' |
    grep -vE '^(var|usr/share/(doc|man|locale|info|lintian|i18n|zoneinfo)|usr/lib/[^/]*/gconv)(/|$)' |
    while read -r path; do
      if [ -h "$path" ] || [ -f "$path" ]; then printf '%s\n' "$path"; fi
    done
} | sort -u >"$list"
tar --create --numeric-owner --no-recursion --files-from "$list"
