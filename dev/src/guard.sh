# Ends every process that carries the mark $1 in its environment, then removes
# the folder $2, if one is named.
#
# It begins when its standard input ends. The process that started it holds the
# other side, so that moment comes however that process ends, kill -9 included.
trap '' HUP INT TERM
cat >/dev/null

# Who has the variable $1 in its environment.
marked() {
    if [ -r /proc/self/environ ]; then
        grep -lzxF "$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
    else
        ps -axEww -o pid=,command= | wanted=" $1 " awk 'index($0 " ", ENVIRON["wanted"]) { print $1 }'
    fi
}

tenths=0
while [ "$tenths" -lt 100 ]; do
    # Most have nothing to lose, and would only complain about each other's end.
    at_once=$(marked "QUOTES_DEV_KILL=$1")
    # Postgres has.
    in_order=$(marked "QUOTES_DEV_INTERRUPT=$1")
    [ -n "$at_once$in_order" ] || break
    if [ "$tenths" -lt 45 ]; then signal=INT; else signal=KILL; fi
    # shellcheck disable=SC2086 # one argument for each process
    {
        [ -z "$at_once" ] || kill -s KILL $at_once
        [ -z "$in_order" ] || kill -s "$signal" $in_order
    } 2>/dev/null
    sleep 0.1
    tenths=$((tenths + 1))
done

[ -z "$2" ] || rm -rf -- "$2"
