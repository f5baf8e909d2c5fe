#!/usr/bin/env bash
# Runs govulncheck (first argument) on the module. GOVULNDB names another database than
# vuln.go.dev, as a URL (https:// or file://).
#
# A vulnerability fails. A database that cannot be had, or that knows nothing, says nothing
# about the code: that is said as loudly as a script can, and fails where
# KYCBRIDGE_RELEASE=1 (make release-check) and nowhere else.
set -u -o pipefail
tool=$1
db=()
if [ -n "${GOVULNDB:-}" ]; then db=(-db "$GOVULNDB"); fi
check() { "$tool" ${db[@]+"${db[@]}"} "$@" 2>&1; }

not_checked() { # WHY
  echo '***********************************************************************'
  echo "NOT CHECKED for known vulnerabilities: $1"
  if [ "${KYCBRIDGE_RELEASE:-}" = 1 ]; then
    echo 'A release must be checked: run this where vuln.go.dev can be reached, or'
    echo 'name a copy of it in GOVULNDB.'
    echo '***********************************************************************'
    exit 1
  fi
  echo '***********************************************************************'
  exit 0
}

output=$(check ./...)
code=$?
if [ $code != 0 ] && [ $code != 3 ]; then # 3: it has found something
  if why=$(printf '%s' "$output" | grep -m 1 -E 'fetching vulnerabilities|creating client'); then
    not_checked "the database cannot be had: $why"
  fi
fi
# An empty database finds nothing, too. Every real one knows something of Go 1.17.
if [ $code = 0 ] && ! check -mode query -format json stdlib@v1.17.0 | grep '"osv"' >/dev/null; then
  not_checked "the database ${GOVULNDB:-vuln.go.dev} knows no vulnerability of Go 1.17, so it is empty"
fi
printf '%s\n' "$output"
exit $code
