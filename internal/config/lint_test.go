package config

import (
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/config/rules"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// A linted is a rule with sections of a file that break it, in the one place each, and with sections that do not.
type linted struct {
	rule       rules.Rule
	field      string // where it is broken
	bad, right []string
}

// lintVendors are those of everything, one that keeps a header, one with an API of its own, one that signs nothing,
// and one whose own headers have names that a customer may not choose.
func lintVendors() Needs {
	needs := everything()
	vendor := needs.Vendors[0]
	keeps, asks := vendor, vendor
	keeps.Name, keeps.Title = "keeps", "Keeps"
	keeps.KeepHeaders, keeps.Proofs = []string{"x-vendor-event"}, []auth.Scheme{auth.Header{}}
	asks.Name, asks.Title = "asks", "Asks"
	asks.Hydration = &providers.Hydration{BaseURL: "https://api.asks.example"}
	mute := providers.Provider{Name: "mute", Title: "Mute", Proofs: []auth.Scheme{auth.Bearer{}, auth.PathToken{}}}
	marks := providers.Provider{Name: "marks", Title: "Marks", KeepHeaders: []string{"X-Token"},
		Scheme: auth.HMAC{Header: "Digest", Hash: crypto.SHA256}, Proofs: []auth.Scheme{auth.JWT{Header: "X-Token", Claim: "data"}}}
	needs.Vendors = append(needs.Vendors, keeps, asks, mute, marks)
	return needs
}

// lintFile is a configuration in which no rule is broken, but for the sections given in place of its own. ENV stands
// for the environment of its endpoints, and ONE, TWO and so on for different secrets.
func lintFile(environment string, sections ...string) string {
	var all strings.Builder
	for _, own := range []string{
		`kafka: {brokers: ["127.0.0.1:9092"]}`,
		`redis: {address: "127.0.0.1:6379"}`,
		`topics: {}`,
		`ingest: {listen: "127.0.0.1:8080"}`,
		`dedupe: {pepper: "${PEPPER}"}`,
		`admin: {listen: "127.0.0.1:9090"}`,
		`endpoints: [{name: one, provider: vendor, environment: ENV, secrets: [{id: a, value: "${ONE}"}]}]`,
	} {
		name, _, _ := strings.Cut(own, ":")
		section := own
		for _, other := range sections {
			if strings.HasPrefix(other, name+":") {
				section = other
			}
		}
		all.WriteString(section + "\n")
	}
	return strings.ReplaceAll(all.String(), "environment: ENV,", "environment: "+environment+",")
}

func endpointsOf(each ...string) string {
	return "endpoints:\n  - {environment: ENV, " + strings.Join(each, "}\n  - {environment: ENV, ") + "}"
}

// lintFolder makes the files that the cases name, and a lookup in which every variable but DIR is a secret of its own.
func lintFolder(t testing.TB) Lookup {
	t.Helper()
	dir := t.TempDir()
	writeCertificates(t, dir)
	writeSecret := func(name string, mode os.FileMode) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(secretValue), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	copies := map[string]os.FileMode{"open.key": 0o644, "written.pem": 0o606}
	for name, mode := range copies {
		writeSecret(name, mode)
	}
	for _, f := range []string{"open/secret", "sticky/secret", "shut/secret"} {
		writeSecret(f, 0o600)
	}
	for name, mode := range map[string]os.FileMode{"open": 0o777, "sticky": 0o777 | os.ModeSticky, "shut": 0o700} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"shut/link": "open/secret", "sticky/link": "shut/secret"} {
		if err := os.Symlink(filepath.Join(dir, target), filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) (string, bool) {
		if name == "DIR" {
			return dir, true
		}
		if name == "NAME" { // one that a secret and a name may have
			return "a-secret-as-a-name-1", true
		}
		return secretValue + name, true
	}
}

func lintCases() []linted {
	return slices.Concat(lintedFiles(), lintedServers(), lintedIngest(), lintedProofs(), lintedEndpoints())
}

// TestLint breaks each rule in each way, on a live endpoint and on one of a sandbox: what is said is at the right
// place, names the rule, and refuses exactly where the table says so. What is right says nothing. What it reads
// like is in one golden file.
func TestLint(t *testing.T) {
	lookup := lintFolder(t)
	dir, _ := lookup("DIR")
	needs := lintVendors()
	needs.Check = true
	var all strings.Builder
	for _, tc := range lintCases() {
		for i, bad := range tc.bad {
			for _, environment := range []string{"ENVIRONMENT_LIVE", "ENVIRONMENT_SANDBOX"} {
				severity := tc.rule.For(environment == "ENVIRONMENT_LIVE")
				refused, warned := lint(t, lintFile(environment, strings.Split(bad, "\n;")...), lookup, needs)
				want := [2]bool{severity >= rules.RefusedByCheck, severity == rules.Warned}
				if got := [2]bool{says(refused, tc), says(warned, tc)}; got != want {
					t.Errorf("%s, %d, %s: refused and warned of are %v, want %v: %q %q", tc.rule.ID, i, environment, got, want, refused, warned)
				}
				for _, line := range append(refused, warned...) {
					if i == 0 && environment == "ENVIRONMENT_LIVE" && strings.Contains(line, tc.rule.ID) {
						fmt.Fprintf(&all, "%s\n", strings.ReplaceAll(line, dir, "DIR"))
					}
				}
			}
		}
		for i, right := range tc.right {
			refused, warned := lint(t, lintFile("ENVIRONMENT_LIVE", strings.Split(right, "\n;")...), lookup, needs)
			for _, line := range append(refused, warned...) {
				if strings.Contains(line, "["+tc.rule.ID) || !strings.HasSuffix(line, "]") { // the latter is not valid in itself
					t.Errorf("%s, right %d: %s", tc.rule.ID, i, line)
				}
			}
		}
		if len(tc.bad) == 0 || len(tc.right) == 0 {
			t.Errorf("%s has no configuration that breaks it, or none that does not", tc.rule.ID)
		}
	}
	if strings.Contains(all.String(), "hunter2") {
		t.Error("a message shows a secret")
	}
	compare(t, "testdata/lint.txt", all.String())
}

// lint gives what is refused and what is warned of, each line at its place.
func lint(t *testing.T, text string, lookup Lookup, needs Needs) (refused, warned []string) {
	t.Helper()
	c, err := Parse("c.yaml", []byte(text), lookup, needs)
	var faults *Error
	switch {
	case errors.As(err, &faults):
		return faults.Lines(), nil
	case err != nil:
		t.Fatalf("%v in\n%s", err, text)
	}
	return nil, c.Warnings
}

// says reports whether a line says that the rule is broken where it is.
func says(lines []string, tc linted) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "c.yaml:") && strings.Contains(line, ": "+tc.field+": ") &&
			strings.Contains(line, "["+tc.rule.ID) && strings.Contains(line, tc.rule.Why+"; "+tc.rule.Write)
	})
}

// TestEveryRuleIsTried: every rule of the table is looked for, by its id, once, and has configurations that break it.
func TestEveryRuleIsTried(t *testing.T) {
	looked, tried := map[string]int{rules.HeaderStandard.ID: 1, rules.HeaderKept.ID: 1}, map[string]bool{}
	for _, c := range checks() {
		looked[c.rule.ID]++
	}
	for _, tc := range lintCases() {
		tried[tc.rule.ID] = true
	}
	for _, r := range rules.All() {
		if looked[r.ID] != 1 || !tried[r.ID] {
			t.Errorf("%s is looked for %d times, want once, and is tried: %v", r.ID, looked[r.ID], tried[r.ID])
		}
		delete(looked, r.ID)
		if r.ID == "" || r.Why == "" || r.Write == "" || r.Live == rules.Nothing || r.Sandbox > r.Live {
			t.Errorf("%+v is no whole row, or harder on a sandbox than on real customers", r)
		}
	}
	if len(looked) > 0 {
		t.Errorf("looked for and not in the table: %v", looked)
	}
}

// TestRulesAreDocumented: the reference has the whole table.
func TestRulesAreDocumented(t *testing.T) {
	reference := read(t, "../../docs/configuration.md")
	for _, r := range rules.All() {
		if row := fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", r.ID, r.Live, r.Sandbox, r.Why, r.Write); !strings.Contains(reference, row) {
			t.Errorf("docs/configuration.md lacks the row %q; run make proto", row)
		}
	}
}

// TestRightIsSilent: the configuration that the cases change breaks nothing.
func TestRightIsSilent(t *testing.T) {
	for _, environment := range []string{"ENVIRONMENT_LIVE", "ENVIRONMENT_SANDBOX"} {
		if refused, warned := lint(t, lintFile(environment), lintFolder(t), lintVendors()); len(refused)+len(warned) > 0 {
			t.Errorf("%s: %q %q", environment, refused, warned)
		}
	}
}

// TestStartGoesOnWithoutValidSecrets: what time alone made wrong at one endpoint is refused by a check, and at a start
// does not keep the others from serving.
func TestStartGoesOnWithoutValidSecrets(t *testing.T) {
	text := lintFile("ENVIRONMENT_LIVE", lintedSecret(`not_after: "2020-01-01T00:00:00Z"`))
	for _, check := range []bool{true, false} {
		needs := lintVendors()
		needs.Check = check
		refused, warned := lint(t, text, lintFolder(t), needs)
		if got := [2]int{len(refused), len(warned)}; check && got != [2]int{1, 0} || !check && got != [2]int{0, 1} {
			t.Errorf("checked only: %v, refused %q, warned of %q", check, refused, warned)
		}
	}
}

// TestSecretOfTwoEnvironments: a test account's secret, which many may know, is none of real customers, whichever of
// the two stands first.
func TestSecretOfTwoEnvironments(t *testing.T) {
	endpoints := func(first, second string) string {
		const one = `  - {name: %s, provider: vendor, environment: %s, secrets: [{id: a, value: "${ONE}"}]}`
		return "endpoints:\n" + fmt.Sprintf(one, "one", first) + "\n" + fmt.Sprintf(one, "two", second)
	}
	for _, section := range []string{endpoints("ENVIRONMENT_LIVE", "ENVIRONMENT_SANDBOX"), endpoints("ENVIRONMENT_SANDBOX", "ENVIRONMENT_LIVE")} {
		refused, _ := lint(t, lintFile("", section), lintFolder(t), lintVendors())
		if len(refused) != 1 || !says(refused, linted{rule: rules.ProofAcrossTenants, field: "endpoints[1].secrets[0]"}) {
			t.Errorf("%s: %q", section, refused)
		}
	}
}

// TestWarningsAreBounded: thousands of endpoints that break one rule are no thousands of lines at each start.
func TestWarningsAreBounded(t *testing.T) {
	var endpoints []string
	for i := range 40 {
		endpoints = append(endpoints, fmt.Sprintf(`name: e%d, provider: vendor, secrets: [{id: a, value: "${ONE}"}]`, i))
	}
	_, warned := lint(t, lintFile("ENVIRONMENT_SANDBOX", endpointsOf(endpoints...)), lintFolder(t), lintVendors())
	if len(warned) != mostWarnings+1 || !slices.Contains(warned, "c.yaml: and 29 more such places [endpoint.proof_across_endpoints]") {
		t.Errorf("%d warnings, want %d and one of 29 more: %q", len(warned), mostWarnings, warned)
	}
}

// TestLintByNeeds: each process judges what it uses, and none what others do.
func TestLintByNeeds(t *testing.T) {
	text := lintFile("ENVIRONMENT_LIVE", `redis: {address: "10.0.0.1:6379", password: "${REDIS_PASSWORD}"}`,
		`ingest: {listen: "127.0.0.1:8080", trusted_proxies: ["0.0.0.0/0"]}`)
	for _, tc := range []struct {
		needs Needs
		want  []string
	}{
		{Needs{Ingest: true}, []string{rules.ProxiesEverybody.ID}},
		{Needs{Normalize: true}, []string{rules.RedisPasswordPlain.ID}},
		{Needs{Hydrate: true}, []string{rules.RedisPasswordPlain.ID}},
		{Needs{Ingest: true, Normalize: true}, []string{rules.RedisPasswordPlain.ID, rules.ProxiesEverybody.ID}},
		{Needs{}, nil},
	} {
		tc.needs.Vendors = everything().Vendors
		refused, _ := lint(t, text, lintFolder(t), tc.needs)
		if len(refused) != len(tc.want) {
			t.Errorf("%+v: %q, want %q", tc.needs, refused, tc.want)
			continue
		}
		for i, id := range tc.want {
			if !strings.Contains(refused[i], "["+id+"]") {
				t.Errorf("%+v: %q, want %q", tc.needs, refused[i], id)
			}
		}
	}
}

// TestConfigurationThatAnybodyMayWrite: the file itself is one of those that decide.
func TestConfigurationThatAnybodyMayWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	for mode, want := range map[os.FileMode]bool{0o644: false, 0o664: false, 0o646: true} {
		if err := os.WriteFile(path, []byte(lintFile("ENVIRONMENT_LIVE")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path, lintFolder(t), lintVendors())
		if refused := err != nil && strings.Contains(err.Error(), "["+rules.FilesWritable.ID+"]"); refused != want {
			t.Errorf("mode %04o: %v, want refused: %v", mode, err, want)
		}
	}
}

// TestShippedConfigurationsAreRight: no rule refuses what is shipped and what the documents show, with what they leave
// out filled in.
func TestShippedConfigurationsAreRight(t *testing.T) {
	needs := Needs{Ingest: true, Normalize: true, Hydrate: true, Check: true, Vendors: catalog.All()}
	folder := lintFolder(t)
	dir, _ := folder("DIR")
	files := regexp.MustCompile(`/etc/kycbridge/[a-z-]+\.(crt|key)`)
	tried := 0
	for name, text := range examples(t) {
		if strings.HasPrefix(name, "testdata/") {
			continue // of vendors that there are not
		}
		text = files.ReplaceAllStringFunc("\n"+text, func(path string) string {
			return filepath.Join(dir, map[string]string{".crt": "client.pem", ".key": "client.key"}[filepath.Ext(path)])
		})
		for _, missing := range []string{`kafka: {brokers: ["127.0.0.1:9092"]}`, `redis: {address: "127.0.0.1:6379"}`, `ingest: {listen: "127.0.0.1:8080"}`,
			`endpoints: [{name: one, provider: complycube, environment: ENVIRONMENT_LIVE, secrets: [{id: a, value: "${A}"}]}]`} {
			if section, _, _ := strings.Cut(missing, ":"); !strings.Contains(text, "\n"+section+":") {
				text += "\n" + missing
			}
		}
		if !strings.Contains(text, "brokers:") {
			text = strings.Replace(text, "\nkafka:\n", "\nkafka:\n  brokers: [\"127.0.0.1:9092\"]\n", 1)
		}
		lookup := func(variable string) (string, bool) {
			value := secretValue + strings.ReplaceAll(variable, "_", "-")
			if strings.Contains(variable, "USER_AND_PASSWORD") || variable == "KYCBRIDGE_SECRET_IDWISE" {
				value = "user:" + value
			}
			return value, !strings.Contains(text, "${"+variable+":-")
		}
		if _, err := Parse("c.yaml", []byte(text), lookup, needs); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tried++
	}
	if tried < 10 {
		t.Errorf("%d examples were tried, want those of deploy and of the documents", tried)
	}
}
