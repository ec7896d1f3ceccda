# Prints a browser, or nothing. Starting one to see whether it starts would cost each run a tenth of a second of work, so what is known
# not to start is passed over: Debian's wrapper of chromium wants settings in /etc (what it wraps stands before it), Ubuntu's a snap.
for browser in /usr/lib/chromium/chromium-headless-shell chrome-headless-shell headless_shell /usr/lib/chromium/chromium \
  /usr/lib/chromium-browser/chromium-browser google-chrome-stable google-chrome chromium chromium-browser; do
  path=$(command -v "$browser") || continue
  [ "$(head -c 2 "$path")" = '#!' ] && grep -q snap "$path" && continue
  echo "$path"
  exit 0
done
