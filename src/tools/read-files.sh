# Reads files of the folder it starts in, and nothing outside of it. Arguments: most bytes of one file, most bytes of all, then paths.
# Prints for each path: kind NUL permissions NUL bytes NUL real path NUL, followed by the bytes of a file.
file_max=$1 all_max=$2
shift 2
# The x keeps line breaks at the end of a name, which $() drops.
root=$(pwd -P; echo x)
root=${root%?x}
all=0
for path in "$@"; do
  real=$(realpath -m -- "$path" 2>/dev/null; echo x)
  real=${real%?x}
  mode=- size=0
  case $real in
    "$root" | "$root"/*) inside=1 ;;
    *) inside=0 ;;
  esac
  if [ $inside = 0 ]; then kind=outside
  elif [ -d "$real" ]; then kind=directory
  elif [ ! -e "$real" ]; then kind=missing
  elif [ ! -f "$real" ]; then kind=special
  elif [ ! -r "$real" ]; then kind=unreadable
  else
    kind=file
    facts=$(stat -c '%a %s' -- "$real")
    mode=${facts% *} size=${facts#* }
    if [ "$size" -gt "$file_max" ] || [ $((all + size)) -gt "$all_max" ]; then kind=too-large
    else all=$((all + size)); fi
  fi
  printf '%s\0%s\0%s\0%s\0' $kind "$mode" "$size" "${real#"$root"/}"
  if [ $kind = file ]; then head -c "$size" -- "$real" || exit 1; fi
done
