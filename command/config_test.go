package command

import (
	"fmt"
	"strings"
	"testing"
)

// TestDangerousConfigurations: what opens a door is refused by the check and by every command that would serve with it,
// with its place and its rule and without the secret; where nobody's data is behind it, it is warned of.
func TestDangerousConfigurations(t *testing.T) {
	const file = `kafka: {brokers: ["127.0.0.1:1"]}
redis: {address: "127.0.0.1:1"}
ingest: {listen: "127.0.0.1:0", trusted_proxies: [%q]}
dedupe: {pepper: "${PEPPER}"}
endpoints:
  - name: shop
    provider: idenfy
    environment: %s
    secrets: [{id: own, value: "${OWN}"}]
    headers: [{name: %s, secrets: [{id: primary, value: "${SECRET}"}]}]
`
	const live, sandbox = "ENVIRONMENT_LIVE", "ENVIRONMENT_SANDBOX"
	variables := map[string]string{"SECRET": testSecret, "OWN": testSecret + "-own", "PEPPER": testSecret + "-pepper"}
	for _, tc := range []struct {
		name, proxies, environment, header string
		refused, warned                    string
	}{
		{"nothing wrong", "10.0.3.0/24", live, "X-Auth-Token", "", ""},
		{"a standard header as proof", "10.0.3.0/24", sandbox, "User-Agent", "kycbridge.yaml:10:22: endpoints[0].headers[0].name: User-Agent is a standard header", ""},
		{"the header of the media type", "10.0.3.0/24", sandbox, "content-type", "endpoints[0].headers[0].name: Content-Type is a standard header", ""},
		{"a header that is kept", "10.0.3.0/24", sandbox, "idenfy-event-type", "kycbridge.yaml:10:22: endpoints[0].headers[0].name: Idenfy-Event-Type is a header of iDenfy", ""},
		{"everybody a proxy of real customers", "0.0.0.0/0", live, "X-Auth-Token", "kycbridge.yaml:3:51: ingest.trusted_proxies[0]: trusts all of 0.0.0.0/0", ""},
		{"one that is refused beside one that is warned of", "0.0.0.0/0", sandbox, "User-Agent", "endpoints[0].headers[0].name: User-Agent is", "ingest.trusted_proxies[0]: trusts all of 0.0.0.0/0"},
		{"everybody a proxy of a sandbox", "0.0.0.0/0", sandbox, "X-Auth-Token", "", "kycbridge.yaml:3:51: ingest.trusted_proxies[0]: trusts all of 0.0.0.0/0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := writeFile(t, "kycbridge.yaml", fmt.Sprintf(file, tc.proxies, tc.environment, tc.header))
			out, errs, code := call(t, variables, "config", "check", path)
			if (code != 0) != (tc.refused != "") || !strings.Contains(errs, tc.refused) {
				t.Errorf("config check: code %d: %s; want %q", code, errs, tc.refused)
			}
			if strings.Contains(out, "warning: ") != (tc.warned != "") || !strings.Contains(out, tc.warned) {
				t.Errorf("config check says %q, want a warning of %q", out, tc.warned)
			}
			if strings.Contains(out+errs, "hunter2") {
				t.Errorf("a secret is shown: %s%s", out, errs)
			}
			if tc.refused == "" {
				return
			}
			for _, command := range []string{"ingest", "all"} {
				if _, errs, code := call(t, variables, command, "--config", path); code != exitFailed || !strings.Contains(errs, tc.refused) {
					t.Errorf("%s: code %d: %s; want %q", command, code, errs, tc.refused)
				}
			}
		})
	}
}
