#!/bin/sh
# Repeats a command of jaxgen as long as its exit status says that the same command goes on:
#
#   repeat.sh jaxgen train dcgan --workdir runs/a --distributed
#
# 75: another process died, or did not come. 137: this one was killed (128 + SIGKILL). All else is
# final: trained, bad input, diverged, stopped on purpose. SIGTERM is passed on, and nothing is
# repeated after it. It gives up after REPEAT_MOST deaths in a row, each within REPEAT_QUICK seconds.
most=${REPEAT_MOST:-5} quick=${REPEAT_QUICK:-600}
soon=${REPEAT_SOON:-5} late=${REPEAT_LATE:-60} # the others notice a death within 60 s
deaths=0 stopped= child=

stop() {
    stopped=yes
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}
trap stop TERM
trap : INT # a terminal sends Ctrl-C to the command as well

while :; do
    began=$(date +%s)
    "$@" <&0 & # a shell passes no signal on to a command that it waits for in the foreground
    child=$!
    wait "$child"
    status=$?
    while [ "$status" -gt 128 ]; do # perhaps a signal ended the waiting, not the command
        wait "$child"
        again=$?
        [ "$again" -ne 127 ] || break # nothing is left to wait for: it was the command's own
        [ "$again" -ne "$status" ] || kill -0 "$child" 2>/dev/null || break
        status=$again
    done
    child=
    case $status in
    75) pause=$soon ;;
    137) pause=$late ;;
    *) break ;;
    esac
    [ $(($(date +%s) - began)) -lt "$quick" ] || deaths=0
    deaths=$((deaths + 1))
    if [ "$deaths" -ge "$most" ]; then
        echo "repeat.sh: status $status, the last of $deaths in a row: giving up" >&2
        break
    fi
    [ -n "$stopped" ] || echo "repeat.sh: status $status, the same again in $pause s" >&2
    while [ -z "$stopped" ] && [ "$pause" -gt 0 ]; do
        sleep 1
        pause=$((pause - 1))
    done
    [ -z "$stopped" ] || break
done
exit "$status"
