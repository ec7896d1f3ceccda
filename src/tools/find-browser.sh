# Prints a browser that starts here, or nothing. Distributions put wrappers on the PATH that want settings in /etc or a snap: what they
# wrap is asked first.
for browser in chromium-headless-shell chrome-headless-shell headless_shell /usr/lib/chromium/chromium \
  /usr/lib/chromium-browser/chromium-browser chromium chromium-browser google-chrome-stable google-chrome; do
  command -v "$browser" >/dev/null 2>&1 || continue
  case $("$browser" --version 2>/dev/null) in
    *Chrom*)
      command -v "$browser"
      exit 0
      ;;
  esac
done
