#!/usr/bin/env bash
# What the tests with programs of other languages need on the machine, installed where that
# is possible (apt-get as root).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/need.sh"

mkdir -p "$dir"
need default-jdk-headless javac
need maven mvn
need python3 python3
python3 -c 'import ensurepip' 2>/dev/null || missing_packages+=(python3-venv)
need nodejs node
need npm npm
install_missing
check_java
version=$(node --version)
version=${version#v}
[ "${version%%.*}" -ge 20 ] || fail "node is version $version, and the example in TypeScript needs 20 or newer: install one and put it first in PATH"
command -v gradle >/dev/null || echo "NOT CHECKED: Gradle's plugin on the exported contract, since there is no gradle on this machine"
