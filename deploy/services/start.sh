#!/usr/bin/env bash
# Starts a real Apache Kafka and a real Redis on this machine, without containers, and
# returns once both answer. Run again, it starts what is not running.
#
#   KAFKA_PORT=19092               first of six ports: brokers, then controllers
#   KAFKA_BROKERS=1                or 3: replication 3, two in-sync replicas
#   KAFKA_HEAP_OPTS=-Xmx512m       heap of each broker
#   KAFKA_JVM_PERFORMANCE_OPTS=-XX:+UseSerialGC   its collector: the smallest; Kafka's own scripts
#                                  take -XX:+UseG1GC -XX:MaxGCPauseMillis=20, which stops it less
#   KAFKA_TXN_BACKOFF_MS=1         add.partitions.to.txn.retry.backoff.ms; Kafka's default is 20
#   REDIS_PORT=16379
#   KYCBRIDGE_SERVICES_DIR=.services   data, logs and pid files
#
# Another pair beside the first takes other ports and another folder.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=need.sh
. "$(dirname "$0")/need.sh"

# A folder has one set of servers; with other settings it would get a second one.
check_running_settings() {
  local wanted running pidfile
  wanted="KAFKA_PORT=$kafka_port KAFKA_BROKERS=$kafka_brokers REDIS_PORT=$redis_port"
  [ "$txn_backoff" = 1 ] || wanted+=" KAFKA_TXN_BACKOFF_MS=$txn_backoff"
  running=$(cat "$dir/settings" 2>/dev/null || echo "$wanted")
  if [ "$running" != "$wanted" ]; then
    for pidfile in "$dir"/kafka-*/node-*/pid; do
      kafka_pid "$(dirname "$pidfile")" >/dev/null && fail_settings "$running"
    done
    redis_pid >/dev/null && fail_settings "$running"
  fi
  echo "$wanted" >"$dir/settings"
}
fail_settings() { fail "already running in $dir with $1: stop them first with: make services-stop"; }

require_free() { # PORT VARIABLE WHAT
  ! port_taken "$1" || fail "port $1, wanted for $3, is taken by another program: stop that one, or choose other ports with $2=…"
}

write_properties() { # NODE
  local node=$1 home voters="" n
  home=$(node_dir "$node")
  for n in $(nodes); do voters+="${voters:+,}$n@127.0.0.1:$(controller_port "$n")"; done
  cat "$here/kafka.properties" "$here/kafka-$([ "$kafka_brokers" = 3 ] && echo three || echo one).properties"
  printf '\n# This node.\n'
  cat <<EOF
node.id=$node
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$(broker_port "$node"),CONTROLLER://127.0.0.1:$(controller_port "$node")
advertised.listeners=PLAINTEXT://127.0.0.1:$(broker_port "$node")
log.dirs=$home/data

# While the markers of a transaction are being written, the broker makes the next
# transaction of the same id wait this long. The default, 20 ms, decides the pace of
# short transactions; 1 ms is worth setting in production as well.
add.partitions.to.txn.retry.backoff.ms=$txn_backoff
EOF
}

java_kafka() { java -cp "$libs/*" "-Dlog4j2.configurationFile=$here/log4j2.yaml" "$@"; }

# Storage is formatted once; every node of a cluster gets the same cluster id.
format_node() { # NODE
  local home id=$cluster/cluster.id
  home=$(node_dir "$1")
  [ -f "$home/data/meta.properties" ] && return 0
  if [ ! -s "$id" ]; then
    head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n' >"$id"
  fi
  java_kafka -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format -t "$(cat "$id")" -c "$home/server.properties" \
    >"$home/format.log" 2>&1 || fail "Kafka could not format $home/data (its output: $home/format.log)"
}

launch_kafka() { # NODE
  local home
  home=$(node_dir "$1")
  # shellcheck disable=SC2086 # several options in one variable, as in Kafka's own scripts
  nohup java $heap $jvm -cp "$libs/*" \
    "-Dlog4j2.configurationFile=$here/log4j2.yaml" kafka.Kafka "$home/server.properties" \
    >"$home/server.log" 2>&1 </dev/null 9>&- &
  echo $! >"$home/pid"
}

prepare_kafka() { # NODE
  local home
  home=$(node_dir "$1")
  require_free "$(broker_port "$1")" KAFKA_PORT "Kafka broker $1"
  require_free "$(controller_port "$1")" KAFKA_PORT "Kafka controller $1"
  mkdir -p "$home/data"
  [ ! -f "$home/server.log" ] || mv "$home/server.log" "$home/server.log.1"
  write_properties "$1" >"$home/server.properties"
}

launch_redis() {
  require_free "$redis_port" REDIS_PORT Redis
  mkdir -p "$redis/data"
  echo "$redis_port" >"$redis/port"
  nohup redis-server "$here/redis.conf" --port "$redis_port" --dir "$redis/data" \
    >"$redis/server.log" 2>&1 </dev/null 9>&- &
  echo $! >"$redis/pid"
}

# wait_for NAME PIDFILE LOG COMMAND… waits until COMMAND succeeds, and gives up when the
# process has ended or 60 s have passed.
wait_for() {
  local name=$1 pidfile=$2 log=$3 tries=600
  shift 3
  until "$@"; do
    tries=$((tries - 1))
    if ! kill -0 "$(cat "$pidfile")" 2>/dev/null || [ $tries = 0 ]; then
      grep -E 'ERROR|FATAL|Exception|#' "$log" | tail -n 5 >&2 || true
      fail "$name $([ $tries = 0 ] && echo 'does not answer after a minute' || echo 'ended while starting'); its log: $log"
    fi
    sleep 0.1
  done
}
kafka_ready() { grep -q 'Kafka Server started' "$1/server.log" && kafka_answers "$2"; }

check_settings
take_lock
check_running_settings
heap=${KAFKA_HEAP_OPTS:--Xms256m -Xmx512m}
jvm=${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC}

start_redis=yes
! redis_pid >/dev/null || start_redis=
start_nodes=()
for n in $(nodes); do
  kafka_pid "$(node_dir "$n")" >/dev/null || start_nodes+=("$n")
done

if [ -z "$start_redis" ] && [ ${#start_nodes[@]} = 0 ]; then
  already=" already"
else
  already=
  need redis-server redis-server
  need default-jre-headless java
  [ -d "$libs" ] || need maven mvn # only to fetch the jars
  install_missing
  check_java
  fetch_jars
fi

for n in ${start_nodes[@]+"${start_nodes[@]}"}; do prepare_kafka "$n"; done
[ -z "$start_redis" ] || launch_redis
for n in ${start_nodes[@]+"${start_nodes[@]}"}; do format_node "$n"; done
for n in ${start_nodes[@]+"${start_nodes[@]}"}; do launch_kafka "$n"; done

wait_for Redis "$redis/pid" "$redis/server.log" redis_answers
servers=
for n in $(nodes); do
  home=$(node_dir "$n")
  wait_for "Kafka broker $n" "$home/pid" "$home/server.log" kafka_ready "$home" "$(broker_port "$n")"
  servers+="${servers:+,}127.0.0.1:$(broker_port "$n")"
done
say "Kafka at $servers and Redis at 127.0.0.1:$redis_port are$already up (data and logs: $dir; stop: make services-stop)"
