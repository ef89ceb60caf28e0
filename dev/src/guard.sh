# Ends every process that carries the run id $1 in its environment, then removes
# the folder $2, if one is named.
#
# It begins when its standard input ends: the program that started it holds the
# other end of the pipe, which closes however the program ends, kill -9 included.
trap '' HUP INT TERM
cat >/dev/null

# Lists the processes in whose environment the variable $1 has the value $2.
list() {
    if [ -r /proc/self/environ ]; then
        grep -lzxF "$1=$2" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
    else
        # Name and value apart: awk would list itself if its own environment
        # held what it looks for.
        ps -axEww -o pid=,command= | name=$1 value=$2 awk '
            BEGIN { wanted = " " ENVIRON["name"] "=" ENVIRON["value"] " " }
            index($0 " ", wanted) { print $1 }'
    fi
}

# By the clock and not by rounds: on a busy machine a round takes seconds.
began=$(date +%s)
waited=0
while [ "$waited" -lt 15 ]; do
    # Most processes can be killed at once.
    at_once=$(list QUOTES_DEV_KILL "$1")
    # Postgres must shut down in order.
    in_order=$(list QUOTES_DEV_INTERRUPT "$1")
    [ -n "$at_once$in_order" ] || break
    if [ "$waited" -lt 5 ]; then signal=INT; else signal=KILL; fi
    # shellcheck disable=SC2086 # one argument for each process
    {
        [ -z "$at_once" ] || kill -s KILL $at_once
        [ -z "$in_order" ] || kill -s "$signal" $in_order
    } 2>/dev/null
    sleep 0.1
    waited=$(($(date +%s) - began))
done

[ -z "$2" ] || rm -rf -- "$2"
