# Writes and deletes files of the folder it starts in: all of them, or none. Nothing outside of it and no .git is touched.
# Arguments, four for each change: write or delete, path, bytes, permissions (- keeps them). Standard input: the contents in a row.
# Prints ok NUL and each real path NUL; or refused NUL index NUL reason NUL, and then nothing has been changed.
umask 022
root=$(pwd -P; echo x)
root=${root%?x}
count=0 folders=0

undo() {
  i=0
  while [ $i -lt $count ]; do
    eval "temp=\${temp_$i-}"
    [ -z "$temp" ] || rm -f -- "$temp"
    i=$((i + 1))
  done
  while [ $folders -gt 0 ]; do
    folders=$((folders - 1))
    eval "rmdir -- \"\$folder_$folders\""
  done
}

refuse() {
  printf 'refused\0%s\0%s\0' "$1" "$2"
  undo
  exit 0
}

# Sets real. Symbolic links are followed, a part that does not exist yet stays as it is.
resolve() {
  real=$(realpath -m -- "$1" 2>/dev/null; echo x)
  real=${real%?x}
}

# Remembers what it made, so that a refusal can take it back.
make_folder() {
  [ -d "$1" ] && return 0
  make_folder "${1%/*}" && mkdir -- "$1" || return 1
  eval "folder_$folders=\$1"
  folders=$((folders + 1))
}

# First look at everything ...
seen=//
while [ $# -gt 0 ]; do
  op=$1 path=$2 size=$3 mode=$4
  shift 4
  if [ $op = write ]; then resolve "$path"
  else
    # A link is deleted itself, not what it points to.
    case $path in
      */*) resolve "${path%/*}"; real=$real/${path##*/} ;;
      *) real=$root/$path ;;
    esac
  fi
  case $real in
    "$root"/*) ;;
    *) refuse $count outside ;;
  esac
  case ${real#"$root"}/ in
    */[.][gG][iI][tT]/* | */[.][gG][iI][tT][.\ ]/*) refuse $count git ;;
  esac
  case $seen in
    *"//$real//"*) refuse $count twice ;;
  esac
  seen=$seen$real//
  if [ $op = delete ] && [ -L "$real" ]; then :
  elif [ -d "$real" ]; then refuse $count directory
  elif [ ! -e "$real" ]; then [ $op = write ] || refuse $count missing
  elif [ ! -f "$real" ]; then refuse $count special
  elif [ ! -w "$real" ]; then refuse $count read-only
  fi
  if [ $op = delete ] && [ ! -w "${real%/*}" ]; then refuse $count read-only; fi
  eval "op_$count=\$op real_$count=\$real size_$count=\$size mode_$count=\$mode temp_$count="
  count=$((count + 1))
done

# ... then write everything beside its place ...
n=0
while [ $n -lt $count ]; do
  eval "op=\$op_$n real=\$real_$n size=\$size_$n mode=\$mode_$n"
  if [ $op = write ]; then
    make_folder "${real%/*}" || refuse $n failed
    temp=$(mktemp "${real%/*}/.pullwright-XXXXXXXXXX") || refuse $n failed
    eval "temp_$n=\$temp"
    head -c "$size" >"$temp" || refuse $n failed
    [ "$(stat -c %s -- "$temp")" = "$size" ] || refuse $n failed
    if [ "$mode" = - ]; then
      mode=644
      [ ! -e "$real" ] || mode=$(stat -c %a -- "$real")
    fi
    chmod "$mode" -- "$temp" || refuse $n failed
  fi
  n=$((n + 1))
done

# ... then move it there, which cannot fail for lack of space or rights any more.
n=0
while [ $n -lt $count ]; do
  eval "op=\$op_$n real=\$real_$n temp=\$temp_$n"
  if [ $op = write ]; then mv -fT -- "$temp" "$real" || exit 1
  else rm -f -- "$real" || exit 1; fi
  eval "temp_$n="
  n=$((n + 1))
done
printf 'ok\0'
n=0
while [ $n -lt $count ]; do
  eval "real=\$real_$n"
  printf '%s\0' "${real#"$root"/}"
  n=$((n + 1))
done
