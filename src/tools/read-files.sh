# Reads files of the folder it starts in, and nothing outside of it. Arguments: most bytes of one file, most bytes of all, then paths.
# Prints for each path: kind NUL permissions NUL bytes NUL real path NUL; then the bytes of all files in a row.
file_max=$1 all_max=$2
shift 2

# What each path is. One stat and one cat serve all files.
count=0
for path in "$@"; do
  resolve "$path"
  case $real in
    "$root" | "$root"/*) inside=1 ;;
    *) inside=0 ;;
  esac
  if [ $inside = 0 ]; then kind=outside
  elif [ -L "$real" ]; then kind=loop
  elif [ -d "$real" ]; then kind=directory
  elif [ ! -e "$real" ]; then kind=missing
  elif [ ! -f "$real" ]; then kind=special
  elif [ ! -r "$real" ]; then kind=unreadable
  else kind=file; fi
  eval "kind_$count=\$kind real_$count=\$real"
  count=$((count + 1))
done

set --
n=0
while [ $n -lt $count ]; do
  eval "kind=\$kind_$n real=\$real_$n"
  [ $kind != file ] || set -- "$@" "$real"
  n=$((n + 1))
done
facts=
if [ $# -gt 0 ]; then facts=$(stat -c '%a %s' -- "$@") || exit 1; fi

set --
all=0 n=0
while [ $n -lt $count ]; do
  eval "kind=\$kind_$n real=\$real_$n"
  mode=- size=0
  if [ $kind = file ]; then
    fact=${facts%%"
"*}
    facts=${facts#*"
"}
    mode=${fact% *} size=${fact#* }
    if [ "$size" -gt "$file_max" ] || [ $((all + size)) -gt "$all_max" ]; then kind=too-large
    else
      all=$((all + size))
      set -- "$@" "$real"
    fi
  fi
  printf '%s\0%s\0%s\0%s\0' $kind "$mode" "$size" "${real#"$root"/}"
  n=$((n + 1))
done
if [ $# -gt 0 ]; then exec cat -- "$@"; fi
