# shellcheck shell=bash disable=SC2154 # variables come from lib.sh
# What the servers need on the machine, installed where that is possible. Sourced by
# start.sh after lib.sh.

# need PACKAGE COMMAND installs the Debian package that brings COMMAND, if it is missing.
missing_packages=()
need() { command -v "$2" >/dev/null || missing_packages+=("$1"); }

install_missing() {
  [ ${#missing_packages[@]} -gt 0 ] || return 0
  local packages="${missing_packages[*]}" log=$dir/apt.log
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    fail "missing on this machine: $packages (Debian's names). Install with: sudo apt-get install $packages"
  fi
  say "installing $packages with apt-get"
  # shellcheck disable=SC2086 # a list of package names
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; } \
    </dev/null >"$log" 2>&1 9>&-; then
    tail -n 5 "$log" >&2
    fail "apt-get could not install $packages (its output: $log)"
  fi
}

check_java() {
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ] || fail "java is version ${version:-unknown}, a Kafka 4 broker needs 17 or newer: install one and put it first in PATH"
}

# fetch_jars needs mvn. The jars are kept per content of pom.xml and shared by all data folders of a checkout.
libs=$root/.services/lib/$(cksum <"$here/pom.xml" | tr ' ' '-')

fetch_jars() {
  [ -d "$libs" ] && return 0
  local part=$libs.part.$$ log=$root/.services/maven.log
  mkdir -p "$part"
  say "fetching Kafka's jars with Maven (about 55 MB, once)"
  if ! mvn -q -B -f "$here/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$part" -DincludeScope=runtime </dev/null >"$log" 2>&1 9>&-; then
    rm -rf "$part"
    tail -n 5 "$log" >&2
    fail "Maven could not fetch Kafka (its output: $log). Is the repository reachable? A mirror goes into ~/.m2/settings.xml"
  fi
  # Another start may have been quicker; its folder holds the same jars.
  mv -T "$part" "$libs" 2>/dev/null || mv "$part" "$libs" 2>/dev/null || rm -rf "$part"
}
