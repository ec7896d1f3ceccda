# Writes and deletes files of the folder it starts in: all of them, or none. Nothing outside of it and no .git is touched.
# Arguments, four for each change: write, delete or prune (a folder, when it is empty), path, bytes, permissions (- keeps them).
# Standard input: the contents in a row.
# Prints ok NUL, each real path NUL and each folder it has made NUL, a folder before those in it; or refused NUL index NUL reason NUL, and then nothing has been changed.
# New files get 644 from this.
umask 022
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
  if [ $op != delete ]; then resolve "$path"
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
  if [ $op = prune ] || { [ $op = delete ] && [ -L "$real" ]; }; then :
  elif [ -L "$real" ]; then refuse $count loop
  elif [ -d "$real" ]; then refuse $count directory
  elif [ ! -e "$real" ]; then [ $op = write ] || refuse $count missing
  elif [ ! -f "$real" ]; then refuse $count special
  elif [ ! -w "$real" ]; then refuse $count read-only
  fi
  if [ $op = delete ] && [ ! -w "${real%/*}" ]; then refuse $count read-only; fi
  eval "op_$count=\$op real_$count=\$real size_$count=\$size mode_$count=\$mode temp_$count="
  count=$((count + 1))
done

# ... then write everything beside its place, under a name that nobody can have prepared ...
name=.pullwright-$(mktemp -u XXXXXXXXXXXX) || exit 1
n=0
while [ $n -lt $count ]; do
  eval "op=\$op_$n real=\$real_$n size=\$size_$n"
  if [ $op = write ]; then
    make_folder "${real%/*}" || refuse $n failed
    temp=${real%/*}/$name-$n
    eval "temp_$n=\$temp"
    head -c "$size" >"$temp" || refuse $n failed
  fi
  n=$((n + 1))
done

# ... whole, and with the permissions it shall have ...
set --
n=0
while [ $n -lt $count ]; do
  eval "real=\$real_$n mode=\$mode_$n temp=\$temp_$n"
  if [ -n "$temp" ]; then
    set -- "$@" "$temp"
    [ "$mode" != - ] || [ ! -e "$real" ] || set -- "$@" "$real"
  fi
  n=$((n + 1))
done
facts=
if [ $# -gt 0 ]; then facts=$(stat -c '%a %s' -- "$@") || exit 1; fi

# Sets mode and size from the next line of what stat said.
next_fact() {
  fact=${facts%%"
"*}
  facts=${facts#*"
"}
  fact_mode=${fact% *} fact_size=${fact#* }
}

n=0
while [ $n -lt $count ]; do
  eval "real=\$real_$n size=\$size_$n mode=\$mode_$n temp=\$temp_$n"
  if [ -n "$temp" ]; then
    next_fact
    [ "$fact_size" = "$size" ] || refuse $n failed
    made=$fact_mode
    if [ "$mode" = - ]; then
      mode=644
      if [ -e "$real" ]; then next_fact; mode=$fact_mode; fi
    fi
    [ "$made" = "$mode" ] || chmod "$mode" -- "$temp" || refuse $n failed
  fi
  n=$((n + 1))
done

# ... then move it there, which cannot fail for lack of space or rights any more.
n=0
while [ $n -lt $count ]; do
  eval "op=\$op_$n real=\$real_$n temp=\$temp_$n"
  case $op in
    write) mv -fT -- "$temp" "$real" || exit 1 ;;
    delete) rm -f -- "$real" || exit 1 ;;
    prune) rmdir -- "$real" 2>/dev/null || : ;;
  esac
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
n=0
while [ $n -lt $folders ]; do
  eval "real=\$folder_$n"
  printf '%s\0' "${real#"$root"/}"
  n=$((n + 1))
done
