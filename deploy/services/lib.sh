# shellcheck shell=bash disable=SC2034 # the variables are for the scripts that source it
# Shared by start.sh and stop.sh: settings, and how a process is known to be ours.
# Written for bash 3.2 and later; sourced, never run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

kafka_port=${KAFKA_PORT:-19092}
kafka_brokers=${KAFKA_BROKERS:-1}
redis_port=${REDIS_PORT:-16379}
txn_backoff=${KAFKA_TXN_BACKOFF_MS:-1}
dir=${KYCBRIDGE_SERVICES_DIR:-$root/.services}
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac

# Clusters of one and of three keep their data apart: a quorum does not change its size.
cluster=$dir/kafka-$kafka_brokers
redis=$dir/redis

say() { printf 'services: %s\n' "$*"; }
fail() {
  printf 'services: %s\n' "$*" >&2
  exit 1
}

is_port() {
  case $1 in '' | *[!0-9]*) return 1 ;; esac
  [ "$1" -ge 1024 ] && [ "$1" -le 65530 ]
}

check_settings() {
  is_port "$kafka_port" || fail "KAFKA_PORT=$kafka_port is no port: give a number from 1024 to 65530"
  is_port "$redis_port" || fail "REDIS_PORT=$redis_port is no port: give a number from 1024 to 65530"
  case $kafka_brokers in
    1 | 3) ;;
    *) fail "KAFKA_BROKERS=$kafka_brokers is not supported: give 1 or 3" ;;
  esac
  case $txn_backoff in
    0* | *[!0-9]*) fail "KAFKA_TXN_BACKOFF_MS=$txn_backoff is no time: give milliseconds, 1 or more" ;;
  esac
  if [ "$redis_port" -ge "$kafka_port" ] && [ "$redis_port" -le $((kafka_port + 5)) ]; then
    fail "REDIS_PORT=$redis_port lies within the six ports Kafka takes from $kafka_port on: choose another"
  fi
}

# Six ports in a row belong to one cluster: three for clients, three for the quorum.
broker_port() { echo $((kafka_port + $1 - 1)); }
controller_port() { echo $((kafka_port + 3 + $1 - 1)); }
node_dir() { echo "$cluster/node-$1"; }
nodes() { seq 1 "$kafka_brokers"; }

command_line() {
  if [ -r "/proc/$1/cmdline" ]; then
    tr '\0' ' ' <"/proc/$1/cmdline"
  else
    ps -p "$1" -o command= 2>/dev/null
  fi
}

# owned_pid FILE MARK prints the process id in FILE if that process still runs and MARK
# is in its command line. A pid file outlives its process; the number may be another's.
owned_pid() {
  local pid
  [ -f "$1" ] || return 1
  pid=$(cat "$1")
  kill -0 "$pid" 2>/dev/null || return 1
  case $(command_line "$pid") in
    *"$2"*) echo "$pid" ;;
    *) return 1 ;;
  esac
}

kafka_pid() { owned_pid "$1/pid" "$1/server.properties"; }
redis_pid() { owned_pid "$redis/pid" "redis-server 127.0.0.1:$(cat "$redis/port" 2>/dev/null)"; }

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

redis_answers() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$redis_port" || exit 1
    printf 'PING\r\n' >&3
    IFS= read -r -t 2 -u 3 line && [ "${line%%[!+A-Z]*}" = +PONG ]
  ) 2>/dev/null
}

# kafka_answers PORT sends an ApiVersions request (key 18, version 0, no client id). The
# answer begins with its length, whose first byte is 0 and so ends a read up to NUL.
kafka_answers() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf '\0\0\0\012\0\022\0\0\0\0\0\001\377\377' >&3
    IFS= read -r -t 2 -d '' -u 3 first && [ -z "$first" ]
  ) 2>/dev/null
}

# One start or stop at a time in one folder. Where flock is missing, it is up to the user.
# The servers are started with the descriptor closed, or they would keep the lock.
take_lock() {
  mkdir -p "$dir"
  exec 9>"$dir/lock"
  if command -v flock >/dev/null; then
    flock -w 120 9 || fail "another start or stop in $dir does not end; look for it with: lsof $dir/lock"
  fi
}
