package command

import (
	"crypto"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// acme is a vendor that this repository does not have.
func acme() providers.Provider {
	return providers.Provider{
		Name: "acme", Title: "Acme", MapperVersion: "acme/7",
		Scheme:   auth.HMAC{Header: "Acme-Signature", Hash: crypto.SHA256},
		Key:      func(*providers.Delivery) string { return "" },
		Parse:    func(*providers.Delivery) (*providers.Notice, error) { return &providers.Notice{}, nil },
		Maps:     map[string]providers.MapFunc{"done": nothing},
		Testdata: fstest.MapFS{"testdata/done/body.json": {Data: []byte(`{"id":"e-1"}`)}},
	}
}

func nothing(*providers.Delivery, *providers.Notice) (providers.Mapping, error) {
	return providers.Mapping{}, nil
}

// ownCall runs a command of a binary with one vendor more to its end.
func ownCall(t *testing.T, vendors []providers.Provider, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	env, out, errs := surroundings(nil)
	env.program, env.vendors = "own-vendor", vendors
	code = run(t.Context(), args, env)
	return out.String(), errs.String(), code
}

// TestOwnVendorIsListed: whatever lists the vendors lists those of the binary, in the order
// of their names, and whatever takes one takes it.
func TestOwnVendorIsListed(t *testing.T) {
	vendors := append(catalog.All(), acme())
	const all = "acme, complycube, idenfy, idnow, idwise, proofme"
	wrong := writeFile(t, "wrong.yaml", "kafka: {brokers: [\"127.0.0.1:1\"]}\nredis: {address: \"127.0.0.1:1\"}\nendpoints:\n- {name: shop, provider: nobody, environment: ENVIRONMENT_SANDBOX, secrets: [{id: a, file: /nowhere}]}\n")
	for _, tc := range []struct {
		args []string
		code int
		want []string // in both outputs
	}{
		{[]string{"--help"}, 0, []string{"Vendors: " + all + "."}},
		{[]string{"send", "--help"}, 0, []string{"(" + all + ")"}},
		{[]string{"send"}, exitUsage, []string{"takes one vendor: " + all}},
		{[]string{"send", "nobody"}, exitUsage, []string{`unknown vendor "nobody"; expected one of ` + all}},
		{[]string{"send", "acme", "--list"}, 0, []string{"done\n"}},
		{[]string{"drift", "nobody"}, exitUsage, []string{all}},
		{[]string{"deadletter", "list", "--vendor", "nobody"}, exitUsage, []string{all}},
		{[]string{"replay", "--mode", "re-emit", "--vendor", "nobody"}, exitUsage, []string{all}},
		{[]string{"__complete", "send", ""}, 0, []string{"acme\ncomplycube\n"}},
		{[]string{"config", "check", wrong}, exitFailed, []string{"acme", "proofme", `"nobody"`}},
		{[]string{"version"}, 0, []string{"vendors: acme/7, complycube/", "proofme/"}},
	} {
		out, errs, code := ownCall(t, vendors, tc.args...)
		if code != tc.code {
			t.Errorf("%q ends with %d, expected %d:\n%s%s", tc.args, code, tc.code, out, errs)
		}
		for _, want := range tc.want {
			if !strings.Contains(out+errs, want) {
				t.Errorf("%q says\n%s%s\nexpected %q in it", tc.args, out, errs, want)
			}
		}
	}
}

// TestWrongCatalogue: nothing runs with a list that cannot be used, not even help.
func TestWrongCatalogue(t *testing.T) {
	unnamed := acme()
	unnamed.Name = ""
	for name, c := range map[string]struct {
		vendors []providers.Provider
		want    string
	}{
		"none":    {nil, "there is no vendor"},
		"twice":   {append(catalog.All(), acme(), acme()), `several vendors are named "acme"`},
		"unnamed": {append(catalog.All(), unnamed), "vendor 6 of 6"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{{"--help"}, {"version"}, {"send", "complycube", "--list"}, {"dev"}} {
				out, errs, code := ownCall(t, c.vendors, args...)
				if code != exitUsage || out != "" || !strings.HasPrefix(errs, "own-vendor: ") || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
					t.Errorf("%q ends with %d, says %q and prints %q; expected code %d and one line with %q", args, code, errs, out, exitUsage, c.want)
				}
			}
		})
	}
}

// TestOwnName: commands in help and errors begin with the name of the binary, so that they
// can be run as they stand; the product, its variables and its files keep theirs.
func TestOwnName(t *testing.T) {
	vendors := append(catalog.All(), acme())
	env, _, _ := surroundings(nil)
	root := newRoot(&env)
	for _, path := range paths(root, nil) {
		help, _, _ := ownCall(t, vendors, append(path, "--help")...)
		for _, c := range root.Commands() {
			if strings.Contains(help, "kycbridge "+c.Name()+" ") || strings.Contains(help, "kycbridge "+c.Name()+"`") {
				t.Errorf("the help of %q names kycbridge %s:\n%s", path, c.Name(), help)
			}
		}
		if !strings.Contains(help, "  own-vendor "+strings.Join(path, " ")) {
			t.Errorf("the help of %q does not name the binary:\n%s", path, help)
		}
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"all"}, "own-vendor: --config FILE is missing"},
		{[]string{"send", "acme", "--case", "x"}, "`own-vendor send acme --list`"},
		{[]string{"tail", "--brokers", "127.0.0.1:1"}, "start `own-vendor dev`"},
		{[]string{"tail", "--nonsense"}, "`own-vendor tail --help`"},
	} {
		if _, errs, _ := ownCall(t, vendors, tc.args...); !strings.Contains(errs, tc.want) {
			t.Errorf("%q says %q, expected %q in it", tc.args, errs, tc.want)
		}
	}
}

// TestExamplesHaveVendors: the examples of a binary without the vendors of this repository
// name one that it has.
func TestExamplesHaveVendors(t *testing.T) {
	env, _, _ := surroundings(nil)
	named := 0
	for _, path := range paths(newRoot(&env), nil) {
		help, _, _ := ownCall(t, []providers.Provider{acme()}, append(path, "--help")...)
		_, examples, _ := strings.Cut(help, "Examples:\n")
		examples, _, _ = strings.Cut(examples, "\n\n")
		named += strings.Count(examples, "acme")
		for _, v := range catalog.All() {
			if strings.Contains(examples, v.Name) {
				t.Errorf("the examples of %q name %s:\n%s", path, v.Name, examples)
			}
		}
	}
	if named < 8 {
		t.Errorf("the examples name acme %d times; are they still there?", named)
	}
}

// paths are the words that lead to a command and to each below it.
func paths(c *cobra.Command, words []string) [][]string {
	all := [][]string{words}
	for _, below := range c.Commands() {
		all = append(all, paths(below, append(slices.Clone(words), below.Name()))...)
	}
	return all
}

// TestRenamer: only what is a command of ours is renamed.
func TestRenamer(t *testing.T) {
	env, _, _ := surroundings(nil)
	env.program = "own"
	rename := renamer(newRoot(&env))
	for text, want := range map[string]string{
		"kycbridge send x": "own send x",
		"run `kycbridge topics create`; (kycbridge dev)": "run `own topics create`; (own dev)",
		"kycbridge receives webhooks":                    "kycbridge receives webhooks",
		"/opt/kycbridge dev":                             "/opt/kycbridge dev",
		"-c kycbridge.yaml":                              "-c kycbridge.yaml",
		"kycbridge developers":                           "kycbridge developers",
	} {
		if got := rename(text); got != want {
			t.Errorf("%q becomes %q, expected %q", text, got, want)
		}
	}
}

func TestCallee(t *testing.T) {
	for _, tc := range []struct {
		args        []string
		name, again string
	}{
		{nil, "kycbridge", "kycbridge"},
		{[]string{"/usr/bin/kycbridge", "dev"}, "kycbridge", "/usr/bin/kycbridge"},
		{[]string{"./own-vendor"}, "own-vendor", "./own-vendor"},
		{[]string{"own.exe"}, "own", "own.exe"},
		{[]string{"/opt/a b"}, "kycbridge", "/opt/a b"},
		{[]string{""}, "kycbridge", ""},
	} {
		if name, again := callee(tc.args); name != tc.name || again != tc.again {
			t.Errorf("%q: named %q and called again as %q, expected %q and %q", tc.args, name, again, tc.name, tc.again)
		}
	}
	if name, again := callee([]string{"/tmp/go-build1/b001/exe/own-vendor"}); name != "own-vendor" || !strings.HasPrefix(again, "go run ") {
		t.Errorf("one that go run built is named %q and called again as %q", name, again)
	}
}

func TestGoRun(t *testing.T) {
	for want, info := range map[string]*debug.BuildInfo{
		"go run ./cmd/kycbridge": {Path: "github.com/kycbridge/kycbridge/cmd/kycbridge", Main: debug.Module{Path: "github.com/kycbridge/kycbridge"}},
		"go run .":               {Path: "example.com/own", Main: debug.Module{Path: "example.com/own"}},
	} {
		if got := goRun(info); got != want {
			t.Errorf("%s of %s: %q, expected %q", info.Path, info.Main.Path, got, want)
		}
	}
	if got := goRun(nil); got != "go run ." {
		t.Errorf("without build information: %q", got)
	}
}

// TestVersionText: a binary with vendors of its own says both versions, and which is whose.
func TestVersionText(t *testing.T) {
	env, _, _ := surroundings(nil)
	env.vendors, env.program = vendors{acme()}, "own-vendor"
	for want, b := range map[string]serve.Build{
		"kycbridge v1.2.3 (revision abc, go1.26)\nvendors: acme/7\n":                         {Version: "v1.2.3", Revision: "abc", Go: "go1.26"},
		"own-vendor v0.4.0 (revision abc, go1.26), with kycbridge v1.2.3\nvendors: acme/7\n": {Version: "v1.2.3", Own: "v0.4.0", Revision: "abc", Go: "go1.26"},
	} {
		if got := versionText(&env, b); got != want {
			t.Errorf("%+v is told as %q, expected %q", b, got, want)
		}
	}
}

// TestVersionFlag: the flag that people try first says what the command says.
func TestVersionFlag(t *testing.T) {
	want, _, _ := call(t, nil, "version")
	if out, errs, code := call(t, nil, "--version"); code != 0 || out != want || errs != "" {
		t.Errorf("--version says %q (code %d, %s), want %q", out, code, errs, want)
	}
}
