#!/usr/bin/env bash
# Starts a Kafka or Redis set up the way companies run them, for tests: `secure.sh start kafka`
# is one broker with TLS, mutual TLS and SASL listeners, `secure.sh start redis` a Redis with
# TLS and users, one behind a Sentinel, and a Cluster. `secure.sh stop` ends what runs in the
# folder. Certificates and a password are made anew in each folder.
#
#   SECURE_PORT=19300              first of ten ports in a row
#   KYCBRIDGE_SERVICES_DIR=…       data, certificates and pid files; one of its own, not that
#                                  of `make services`
#
# Kafka:  +0 plain, +1 controller, +2 TLS, +3 TLS with a client certificate, +4 SASL over TLS
#         (SCRAM-SHA-256, SCRAM-SHA-512, PLAIN, and OAUTHBEARER with unsigned tokens)
# Redis:  +0 TLS with a client certificate and users, +1 master and +2 replica behind the
#         Sentinel at +3, +4 to +6 a Cluster (its bus: +7 to +9)
# User: kyc, with the rights that kycbridge needs; its password: in the file `password`.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=need.sh
. "$(dirname "$0")/need.sh"

first=${SECURE_PORT:-19300}
is_port "$first" || fail "SECURE_PORT=$first is no port: give a number from 1024 to 65530"
port() { echo $((first + $1)); }

# quietly COMMAND… shows output only where the command fails.
quietly() {
  local out
  out=$("$@" 2>&1 9>&-) || { printf '%s\n' "$out" >&2; fail "failed: $*"; }
}

# await WHAT PIDFILE LOG COMMAND… waits two minutes, or until the process has ended.
await() {
  local what=$1 pidfile=$2 log=$3 tries=1200
  shift 3
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ $tries = 0 ] || ! kill -0 "$(cat "$pidfile")" 2>/dev/null; then
      tail -n 20 "$log" >&2
      fail "$what did not come up; its log: $log"
    fi
    sleep 0.1
  done
}

authority() { # NAME
  quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.crt"
}

certificate() { # NAME AUTHORITY USAGE
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=%s\n' "$3" >"$dir/$1.ext"
  quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
    -keyout "$dir/$1.key" -out "$dir/$1.csr"
  quietly openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.crt" -CAkey "$dir/$2.key" -CAcreateserial \
    -days 30 -extfile "$dir/$1.ext" -out "$dir/$1.crt"
}

# Authorities ca and foreign; certificates server and client of the one, stranger of the other.
prepare() {
  umask 077
  [ ! -s "$dir/password" ] || return 0
  authority ca
  authority foreign
  certificate server ca serverAuth,clientAuth
  certificate client ca clientAuth
  certificate stranger foreign clientAuth
  quietly openssl pkcs8 -topk8 -nocrypt -in "$dir/server.key" -out "$dir/server.p8"
  cat "$dir/server.p8" "$dir/server.crt" >"$dir/server.pem"
  head -c 24 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' >"$dir/password"
}

kafka_properties() {
  local sasl=listener.name.sasl modules=org.apache.kafka.common.security
  sed '/^listener.security.protocol.map=/d' "$here/kafka.properties"
  cat "$here/kafka-one.properties"
  cat <<EOF
node.id=1
controller.quorum.voters=1@127.0.0.1:$(port 1)
listeners=PLAINTEXT://127.0.0.1:$(port 0),CONTROLLER://127.0.0.1:$(port 1),TLS://127.0.0.1:$(port 2),MTLS://127.0.0.1:$(port 3),SASL://127.0.0.1:$(port 4)
advertised.listeners=PLAINTEXT://127.0.0.1:$(port 0),TLS://127.0.0.1:$(port 2),MTLS://127.0.0.1:$(port 3),SASL://127.0.0.1:$(port 4)
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,MTLS:SSL,SASL:SASL_SSL
log.dirs=$dir/kafka/data
ssl.keystore.type=PEM
ssl.keystore.location=$dir/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/ca.crt
listener.name.mtls.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER
$sasl.scram-sha-256.sasl.jaas.config=$modules.scram.ScramLoginModule required;
$sasl.scram-sha-512.sasl.jaas.config=$modules.scram.ScramLoginModule required;
$sasl.plain.sasl.jaas.config=$modules.plain.PlainLoginModule required user_kyc="$1";
$sasl.oauthbearer.sasl.jaas.config=$modules.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="kyc";
connections.max.reauth.ms=60000
EOF
}

kafka_up() { grep -q 'Kafka Server started' "$dir/kafka/server.log" && kafka_answers "$(port 0)"; }

start_kafka() {
  local home=$dir/kafka secret id
  need default-jre-headless java
  [ -d "$libs" ] || need maven mvn
  install_missing
  check_java
  fetch_jars
  mkdir -p "$home/data"
  secret=$(cat "$dir/password")
  kafka_properties "$secret" >"$home/server.properties"
  if [ ! -f "$home/data/meta.properties" ]; then
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
    quietly java -cp "$libs/*" "-Dlog4j2.configurationFile=$here/log4j2.yaml" -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format \
      -t "$id" -c "$home/server.properties" --add-scram "SCRAM-SHA-256=[name=kyc,password=$secret]" --add-scram "SCRAM-SHA-512=[name=kyc,password=$secret]"
  fi
  nohup java -Xms256m -Xmx512m -XX:+UseSerialGC -cp "$libs/*" "-Dlog4j2.configurationFile=$here/log4j2.yaml" \
    kafka.Kafka "$home/server.properties" >"$home/server.log" 2>&1 </dev/null 9>&- &
  echo $! >"$home/pid"
  await Kafka "$home/pid" "$home/server.log" kafka_up
}

# launch NAME PORT SETTING… starts one redis-server, its configuration in a file so that no
# password shows in the list of processes.
launch() {
  local home=$dir/redis-$1 line
  mkdir -p "$home"
  port "$2" >"$home/port"
  shift 2
  cat "$here/redis.conf" >"$home/redis.conf"
  for line in "dir $home" "$@"; do echo "$line" >>"$home/redis.conf"; done
  nohup redis-server "$home/redis.conf" >"$home/server.log" 2>&1 </dev/null 9>&- &
  echo $! >"$home/pid"
}

redis_up() { grep -q 'Ready to accept connections' "$dir/redis-$1/server.log"; }
cli() { REDISCLI_AUTH=$secret redis-cli -h 127.0.0.1 -p "$(port "$1")" "${@:2}"; }
replicated() { cli 1 info replication | grep -q 'state=online'; }
watched() { redis-cli -h 127.0.0.1 -p "$(port 3)" -a "$secret" --no-auth-warning sentinel ckquorum kyc | grep -q '^OK'; }
clustered() {
  local n
  for n in 4 5 6; do cli $n cluster info | grep -q cluster_state:ok || return 1; done
}

start_redis() {
  need redis-server redis-server
  install_missing
  local secret user n home
  secret=$(cat "$dir/password")
  # kyc may do what the normaliser needs, and no more; the servers talk as another user.
  local admin="user default on >$secret ~* &* +@all"
  user="user kyc on >$secret ~kyc:d:* resetchannels -@all +@connection +get +set +eval +multi +exec +del +incr +expire +info +cluster|slots +command"
  launch tls 0 "port 0" "tls-port $(port 0)" "tls-cert-file $dir/server.crt" "tls-key-file $dir/server.key" \
    "tls-ca-cert-file $dir/ca.crt" "tls-auth-clients yes" "user default off" "$user"
  for n in 1 2; do
    launch "$n" "$n" "port $(port $n)" "$user" "$admin" "masterauth $secret" "repl-diskless-sync-delay 0" \
      "$([ $n = 1 ] || echo "replicaof 127.0.0.1 $(port 1)")"
  done
  for n in 4 5 6; do
    launch "$n" "$n" "port $(port $n)" "$user" "$admin" "masterauth $secret" "cluster-enabled yes" \
      "cluster-port $(port $((n + 3)))" "cluster-config-file nodes.conf" "cluster-node-timeout 2000"
  done
  for n in tls 1 2 4 5 6; do await "Redis $n" "$dir/redis-$n/pid" "$dir/redis-$n/server.log" redis_up "$n"; done
  await "the replica" "$dir/redis-2/pid" "$dir/redis-2/server.log" replicated
  home=$dir/redis-sentinel
  mkdir -p "$home"
  port 3 >"$home/port"
  cat >"$home/sentinel.conf" <<EOF
port $(port 3)
bind 127.0.0.1
dir $home
requirepass $secret
sentinel monitor kyc 127.0.0.1 $(port 1) 1
sentinel auth-pass kyc $secret
sentinel down-after-milliseconds kyc 1000
sentinel failover-timeout kyc 5000
EOF
  nohup redis-server "$home/sentinel.conf" --sentinel >"$home/server.log" 2>&1 </dev/null 9>&- &
  echo $! >"$home/pid"
  quietly cli 4 --cluster create "127.0.0.1:$(port 4)" "127.0.0.1:$(port 5)" "127.0.0.1:$(port 6)" --cluster-replicas 0 --cluster-yes
  await "the Sentinel" "$home/pid" "$home/server.log" watched
  await "the Cluster" "$dir/redis-4/pid" "$dir/redis-4/server.log" clustered
}

# mine prints the process of a pid file if it is one of this folder's.
mine() { # PIDFILE
  case $1 in
    */kafka/pid) owned_pid "$1" "$dir/kafka/server.properties" ;;
    *) owned_pid "$1" "redis-server 127.0.0.1:$(cat "${1%pid}port" 2>/dev/null)" ;;
  esac
}

stop_all() {
  local file pid tries=50
  local pids=()
  for file in "$dir"/kafka/pid "$dir"/redis-*/pid; do
    if pid=$(mine "$file"); then pids+=("$pid"); fi
    rm -f "$file"
  done
  [ ${#pids[@]} -gt 0 ] || return 0
  kill -TERM "${pids[@]}" 2>/dev/null || true
  while [ $tries -gt 0 ] && kill -0 "${pids[@]}" 2>/dev/null; do
    tries=$((tries - 1))
    sleep 0.1
  done
  kill -KILL "${pids[@]}" 2>/dev/null || true
}

case "${1:-} ${2:-}" in
  'start kafka' | 'start redis')
    take_lock
    need openssl openssl
    install_missing
    prepare
    for n in 0 1 2 3 4 5 6 7 8 9; do ! port_taken "$(port $n)" || fail "port $(port $n) is taken: choose others with SECURE_PORT=…"; done
    "start_$2"
    say "$2 is up from port $first on (data: $dir; stop: deploy/services/secure.sh stop)"
    ;;
  'stop ')
    [ ! -d "$dir" ] || take_lock
    stop_all
    ;;
  *) fail "say: secure.sh start kafka, secure.sh start redis, or secure.sh stop" ;;
esac
