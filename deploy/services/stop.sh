#!/usr/bin/env bash
# Stops the servers that start.sh started in this folder, by their pid files, never by
# name. With --remove-data their data goes as well; the fetched jars stay.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# The last nodes of a quorum wait for one another in a controlled shutdown, so a server
# that has not ended after five seconds is killed. What it acknowledged is on disk.
end_all() { # PID…
  local tries=50 pid left
  kill -TERM "$@" 2>/dev/null || true
  while [ $tries -gt 0 ]; do
    left=
    for pid in "$@"; do
      ! kill -0 "$pid" 2>/dev/null || left=yes
    done
    [ -n "$left" ] || return 0
    tries=$((tries - 1))
    sleep 0.1
  done
  kill -KILL "$@" 2>/dev/null || true
}

check_settings
case ${1:-} in
  '' | --remove-data) ;;
  *) fail "unknown argument $1: the only one is --remove-data" ;;
esac
if [ ! -d "$dir" ]; then
  say "nothing runs in $dir"
  exit 0
fi
take_lock

pids=()
for home in "$dir"/kafka-*/node-*; do
  if pid=$(kafka_pid "$home"); then pids+=("$pid"); fi
done
if pid=$(redis_pid); then pids+=("$pid"); fi

if [ ${#pids[@]} -gt 0 ]; then
  end_all "${pids[@]}"
  say "stopped Kafka and Redis of $dir"
else
  say "nothing runs in $dir"
fi
rm -f "$dir"/kafka-*/node-*/pid "$redis/pid"

if [ "${1:-}" = --remove-data ]; then
  rm -rf "$dir/kafka-1" "$dir/kafka-3" "$redis" "$dir/settings"
  say "removed their data"
fi
