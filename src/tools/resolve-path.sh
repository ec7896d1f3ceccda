# The beginning of both file scripts: sets root, the folder they start in, and defines resolve.

# The x keeps line breaks at the end of a name, which $() drops.
root=$(pwd -P; echo x)
root=${root%?x}

# Sets real to the path with links followed; parts that do not exist yet stay as they are. It may lie outside of root, and
# it is a link only where links lead in a circle.
# A process for each path would be most of the work, so realpath is asked only about links and "..".
resolve() {
  real=$root rest=$1
  case /$1/ in
    //* | */../*) rest=; asks=1 ;;
    *) asks=0 ;;
  esac
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    case $rest in
      */*) rest=${rest#*/} ;;
      *) rest= ;;
    esac
    [ "$part" = . ] || real=$real/$part
    if [ -L "$real" ]; then rest= asks=1; fi
  done
  if [ $asks = 1 ]; then
    real=$(realpath -m -- "$1" 2>/dev/null; echo x)
    real=${real%?x}
  fi
}
