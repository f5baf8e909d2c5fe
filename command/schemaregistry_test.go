package command

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRegistryIsNamed: flags that do not say which registry, or say it twice, are usage errors; secrets are not printed.
func TestRegistryIsNamed(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer refuses.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hunter2hunter2hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"none":           {nil, 2, "no registry is given"},
		"both":           {[]string{"--config", "a.yaml", "--registry", refuses.URL}, 2, "not both"},
		"form":           {[]string{"--registry", refuses.URL, "--form", "avro"}, 2, `--form is "avro"; expected text`},
		"no address":     {[]string{"--registry", "registry:8081"}, 1, "registry.url: must be an address such as https://"},
		"refused":        {[]string{"--registry", refuses.URL + "/", "--token-file", token}, 1, "refuses the credentials (401)"},
		"token in clear": {[]string{"--registry", "http://registry.invalid", "--token-file", token}, 1, "must begin with https://"},
		"user alone":     {[]string{"--registry", refuses.URL, "--user", "kyc"}, 1, "username needs password"},
	} {
		for _, command := range []string{"register", "check", "diff"} {
			stdout, stderr, code := call(t, nil, append([]string{"schema", command}, c.args...)...)
			if code != c.code || !strings.Contains(stderr, c.want) || strings.Contains(stdout+stderr, "hunter2") {
				t.Errorf("%s, %s: code %d, printed %q; want %d and %q", command, name, code, stdout+stderr, c.code, c.want)
			}
		}
	}
}
