# Arguments: browser, address (or a path below the folder it runs in, with "file:" before it), port to wait for ("" for none), width,
# height, seconds to wait for the port, command of the server ("" for none).
# Standard output: the picture. Standard error: a word that says how it ended, then what the page and the server said.
browser=$1 address=$2 port=$3 width=$4 height=$5 seconds=$6 server=$7
dir=$(mktemp -d) || exit 1
: >"$dir/server" >"$dir/browser"

end() {
  echo "$1" >&2
  echo "$2" >&2
  # Chromium writes: [time:INFO:CONSOLE:line] "message", source: address (line)
  grep -E 'CONSOLE[:(]' "$dir/browser" | grep -v 'source: chrome:' | sed 's/^.*CONSOLE[^]]*\] //' | head -c 3000 >&2
  printf '\0' >&2
  tail -c 3000 "$dir/server" >&2
  exit 0
}

case $address in
  file:*)
    path=${address#file:}
    [ -f "$path" ] || end no-file ""
    # What an address gives a meaning of its own.
    address="file://$PWD/$(printf %s "$path" | sed 's/%/%25/g; s/#/%23/g; s/?/%3F/g; s/ /%20/g')"
    ;;
esac

if [ -n "$server" ]; then
  shell=/bin/sh
  command -v bash >/dev/null && shell=bash
  "$shell" -c "$server" >"$dir/server" 2>&1 </dev/null &
  pid=$!
  # Nobody else listens in a network of one's own, and a kernel's table needs no program to read it: state 0A is LISTEN (proc(5)).
  listening=$(printf ':%04X [0-9A-F]+:0000 0A' "$port")
  tries=$((seconds * 10))
  until grep -Eqs "$listening" /proc/net/tcp /proc/net/tcp6; do
    if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then
      wait "$pid" || end server-failed $?
      pid= # It may have left another process behind that serves.
    fi
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || end no-port "$(grep -Ehs ' 0A ' /proc/net/tcp /proc/net/tcp6 | sed 's/^[^:]*: [0-9A-F]*:\([0-9A-F]*\).*/\1/' | sort -u | tr '\n' ' ')"
    sleep 0.1
  done
fi

# The sandbox around us is the browser's; its own needs namespaces that we have closed. Shared memory is small here, /tmp is not.
shoot() {
  "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run --mute-audio \
    --disable-background-networking --disable-component-update --force-device-scale-factor=1 --user-data-dir="$(mktemp -d)" \
    --enable-logging=stderr --v=0 --window-size="$width,$height" --screenshot="$dir/page.png" "$@" "$address" \
    >/dev/null 2>"$dir/browser" </dev/null &
  shot=$!
  tries=150
  while kill -0 "$shot" 2>/dev/null && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
  done
  kill -9 "$shot" 2>/dev/null
  wait "$shot" 2>/dev/null
}

# Timers of the first five seconds run at once, while requests are waited for; a page that always waits for one is shown as it loads.
shoot --virtual-time-budget=5000
[ -s "$dir/page.png" ] || shoot --timeout=5000
[ -s "$dir/page.png" ] || end no-page ""
cat "$dir/page.png"
end shown ""
