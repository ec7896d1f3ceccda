# Prints the first of its arguments that is a browser, or nothing. Starting one to see whether it starts would cost each run a tenth of
# a second of work, so what is known not to start is passed over: Ubuntu's chromium is a script that wants a snap.
for browser; do
  path=$(command -v "$browser") || continue
  [ "$(head -c 2 "$path")" = '#!' ] && grep -q snap "$path" && continue
  echo "$path"
  exit 0
done
