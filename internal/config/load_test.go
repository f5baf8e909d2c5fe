package config

import (
	"crypto"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// secretValue must appear in no output of this package.
const secretValue = "hunter2hunter2hunter2"

// No two purposes share a secret.
const redisValue, pepperValue = secretValue + "-redis", secretValue + "-pepper"

// everything is what `all` needs, with vendors to name that differ in what they
// can be proved with.
func everything() Needs {
	return Needs{Ingest: true, Normalize: true, Hydrate: true, Vendors: []providers.Provider{
		{Name: "vendor", Title: "Vendor", Scheme: auth.HMAC{Header: "X-Signature", Hash: crypto.SHA256}},
		{Name: "other", Title: "Other", Proofs: []auth.Scheme{
			auth.Basic{}, auth.Bearer{}, auth.Header{}, auth.PathToken{}, auth.JWT{}, auth.JWT{Header: "X-Token"}}},
		{Name: "strict", Title: "Strict", Proofs: []auth.Scheme{auth.PathToken{}, auth.JWT{Header: "X-Token"}}},
	}}
}

// environment makes a folder of secret files and variables that name it.
func environment(t testing.TB) Lookup {
	t.Helper()
	dir := t.TempDir()
	for name, f := range map[string]struct {
		content string
		mode    os.FileMode
	}{
		"secret":   {secretValue + "\n", 0o600},
		"readable": {secretValue + "\n", 0o644},
		"writable": {secretValue + "\n", 0o666},
		"short":    {"hunter2\n", 0o600},
		"empty":    {"\n", 0o600},

		"two-line-feeds": {secretValue + "\n\n", 0o600},
		"of-dev":         {"dev-secret-hunter2\n", 0o600},
		"open.key":       {"hunter2", 0o622},
		"open/secret":    {secretValue, 0o600},
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, f.mode); err != nil { // WriteFile's mode is subject to the umask
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "open"), 0o777); err != nil {
		t.Fatal(err)
	}
	writeCertificates(t, dir)
	variables := map[string]string{
		"SECRET": secretValue, "USER_AND_PASSWORD": "user:" + secretValue + "A", "SHORT": "hunter2", "EMPTY": "", "DIR": dir,
		"REDIS_PASSWORD": redisValue, "PEPPER": pepperValue,
		"SHORT_PASSWORD": "a-long-user-name:hunter2", "SLASHES": "hunter2/hunter2/hunter2",
		"LINE_FEED": secretValue + "\n", "CARRIAGE_RETURN": secretValue + "\r", "BLANK": " " + secretValue, "MARK": "\ufeff" + secretValue,
		"CONTROL": "hunter2\x07hunter2hunter2", "QUOTED": `"` + secretValue + `"`, "REFERENCE": "${HUNTER_HUNTER_HUNTER}", "NO_TEXT": secretValue + "\xff",
		"OF_DEV": "dev-secret-hunter2", "REPEATED": "abcdabcdabcdabcd", "PLACEHOLDER": "change-me-hunter2-hunter2",
	}
	for _, each := range "ABCDEF" { // different secrets
		variables["SECRET_"+string(each)] = secretValue + string(each)
	}
	return func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	}
}

// TestFaults loads every file of testdata/bad, each named by its fault, and
// compares all that is said about it with one golden file, which reads as the
// list of messages a person can get.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	lookup := environment(t)
	dir, _ := lookup("DIR")
	var all strings.Builder
	for _, path := range files {
		_, err := Load(path, lookup, everything())
		var faults *Error
		if !errors.As(err, &faults) {
			t.Errorf("%s: error is %v, want an *Error", path, err)
			continue
		}
		if strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("%s: the error has several lines: %q", path, err)
		}
		for _, line := range faults.Lines() {
			line = strings.ReplaceAll(line, dir, "DIR")
			fmt.Fprintln(&all, strings.TrimPrefix(line, "testdata/bad/"))
		}
	}
	if strings.Contains(all.String(), "hunter2") {
		t.Error("a message shows a secret")
	}
	compare(t, "testdata/faults.txt", all.String())
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run the test with -update and review the change\ngot:\n%s", golden, got)
	}
}

// TestGood compares what the good files resolve to, defaults included.
func TestGood(t *testing.T) {
	for _, name := range []string{"smallest", "everything", "proofs", "secured"} {
		t.Run(name, func(t *testing.T) {
			lookup := environment(t)
			c, err := Load("testdata/good/"+name+".yaml", lookup, everything())
			if err != nil {
				t.Fatal(err)
			}
			dir, _ := lookup("DIR")
			text := strings.ReplaceAll(stable(t, c), dir, "DIR")
			if strings.Contains(text, "hunter2") {
				t.Error("the resolved message holds a secret")
			}
			compare(t, "testdata/good/"+name+".json", text)
			for _, e := range c.Endpoints {
				if e.Vendor.Name != e.Provider || !e.Proofs.Prove() {
					t.Errorf("endpoint %s has vendor %q and checks %v, want %q and some", e.Name, e.Vendor.Name, e.Proofs, e.Provider)
				}
			}
		})
	}
}

// stable is protojson without its deliberately random spaces.
func stable(t *testing.T, c *Config) string {
	t.Helper()
	out, err := protojson.MarshalOptions{Multiline: true, EmitUnpopulated: true}.Marshal(c.File)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), ":  ", ": ") + "\n"
}

func TestLeastPrivilege(t *testing.T) {
	const path = "testdata/good/everything.yaml"
	none := func(string) (string, bool) { return "", false }
	only := func(names ...string) Lookup {
		return func(name string) (string, bool) {
			for _, n := range names {
				if n == name {
					return secretValue + name, true
				}
			}
			return "", false
		}
	}
	vendors := everything().Vendors
	if _, err := Load(path, only("REDIS_PASSWORD", "PEPPER"), Needs{Normalize: true, Vendors: vendors}); err != nil {
		t.Errorf("normalize needs the endpoints' secrets: %v", err)
	}
	c, err := Load(path, none, Needs{})
	if err != nil {
		t.Errorf("a command that only talks to Kafka needs secrets: %v", err)
	} else if len(c.Endpoints) > 0 || c.File.Redis.Address != "" {
		t.Error("a command that only talks to Kafka keeps endpoints or Redis")
	}
	if c, err = Load(path, only("PEPPER"), Needs{Pepper: true}); err != nil || string(c.Pepper.Reveal()) != secretValue+"PEPPER" {
		t.Errorf("a command that searches has no pepper: %v", err)
	}
	_, err = Load(path, none, Needs{Ingest: true, Vendors: vendors})
	if err == nil || !strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "PEPPER") {
		t.Errorf("ingest without secrets: error is %v, want one about SECRET alone", err)
	}
}

func TestReadableSecretFileWarns(t *testing.T) {
	data := strings.ReplaceAll(read(t, "testdata/good/smallest.yaml"), `value: "${SECRET}"`, `file: "${DIR}/readable"`)
	c, err := Parse("x.yaml", []byte(data), environment(t), everything())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Warnings, "\n"); !strings.Contains(got, "chmod 600") || strings.Contains(got, "hunter2") {
		t.Errorf("warnings are %q, want one with chmod 600 and no secret", got)
	}
}

func TestHiddenPrintsNothing(t *testing.T) {
	c, err := Load("testdata/good/everything.yaml", environment(t), everything())
	if err != nil {
		t.Fatal(err)
	}
	if c.RedisPassword.Reveal() != redisValue || c.Pepper.Reveal() != pepperValue {
		t.Error("password or pepper is not what the variable holds")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		text := fmt.Sprintf(verb, *c) + fmt.Sprintf(verb, c.Pepper) + fmt.Sprintf(verb, c.Endpoints)
		if strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", secretValue)) {
			t.Errorf("%s shows a secret", verb)
		}
	}
}

func TestNoSuchFile(t *testing.T) {
	_, err := Load("nowhere.yaml", environment(t), everything())
	if err == nil || !strings.Contains(err.Error(), "nowhere.yaml") || !strings.Contains(err.Error(), "--config") {
		t.Errorf("error is %v, want the file and --config in it", err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
