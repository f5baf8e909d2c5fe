package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/kycbridge/kycbridge/schemas"
)

// subjects are those of the contract, in the order in which they are registered.
var subjects = []string{
	"buf/validate/validate.proto", "kyc/v1/event.proto",
	"kyc.session.v1-value", "kyc.check.v1-value", "kyc.aml.v1-value", "kyc.renewal.v1-value", "kyc.resource.v1-value",
}

func newFake(t *testing.T) (*srfake.Registry, *Client) {
	t.Helper()
	fake := srfake.New(srfake.WithGlobalCompat(sr.CompatNone))
	t.Cleanup(fake.Close)
	return fake, newClient(t, Options{URL: fake.URL()})
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var ours = Query{Prefix: schemas.DefaultPrefix}

func register(t *testing.T, c *Client, q Query) (registered, levels []string) {
	t.Helper()
	err := c.Register(t.Context(), q, func(change Change) {
		if change.Registered {
			registered = append(registered, change.Subject)
		}
		if change.SetLevel {
			levels = append(levels, change.Subject)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return registered, levels
}

func compare(t *testing.T, c *Client, q Query) (lacking, lax []string) {
	t.Helper()
	findings, err := c.Compare(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if !f.Found() {
			lacking = append(lacking, f.Subject)
		}
		if !q.Strict(f.Level) {
			lax = append(lax, f.Subject)
		}
	}
	return lacking, lax
}

func TestRegisterIsDoneOnce(t *testing.T) {
	for _, form := range []Form{AnyForm, Text, Descriptor} {
		fake, c := newFake(t)
		q := Query{Prefix: schemas.DefaultPrefix, Form: form}
		if lacking, lax := compare(t, c, q); !slices.Equal(lacking, subjects) || !slices.Equal(lax, subjects) {
			t.Errorf("an empty registry lacks %q and is lax in %q", lacking, lax)
		}
		if registered, levels := register(t, c, q); !slices.Equal(registered, subjects) || !slices.Equal(levels, subjects) {
			t.Errorf("registered %q, made strict %q; want all", registered, levels)
		}
		if registered, levels := register(t, c, q); registered != nil || levels != nil {
			t.Errorf("the second time registered %q, made strict %q; want none", registered, levels)
		}
		if lacking, lax := compare(t, c, q); lacking != nil || lax != nil {
			t.Errorf("what was registered is lacking: %q; is lax: %q", lacking, lax)
		}
		session, _ := fake.GetSchema("kyc.session.v1-value", 1)
		want := []sr.SchemaReference{
			{Name: "kyc/v1/event.proto", Subject: "kyc/v1/event.proto", Version: 1},
			{Name: "buf/validate/validate.proto", Subject: "buf/validate/validate.proto", Version: 1},
		}
		if !slices.Equal(session.References, want) {
			t.Errorf("sessions refer to %+v, want the importing one first: %+v", session.References, want)
		}
	}
}

// Each topic has its own prefix, and files that are imported are shared.
func TestPrefixIsOfSubjects(t *testing.T) {
	_, c := newFake(t)
	register(t, c, ours)
	registered, _ := register(t, c, Query{Prefix: "shop."})
	if want := []string{"shop.session.v1-value", "shop.check.v1-value", "shop.aml.v1-value", "shop.renewal.v1-value", "shop.resource.v1-value"}; !slices.Equal(registered, want) {
		t.Errorf("registered %q, want %q", registered, want)
	}
}

func TestCompatibilityIsLeftWhereAskedFor(t *testing.T) {
	fake, c := newFake(t)
	if _, levels := register(t, c, Query{Prefix: schemas.DefaultPrefix, AnyLevel: true}); levels != nil {
		t.Errorf("made strict %q", levels)
	}
	if err := fake.SetCompat("kyc.aml.v1-value", sr.CompatFullTransitive); err != nil {
		t.Fatal(err)
	}
	if _, levels := register(t, c, ours); slices.Contains(levels, "kyc.aml.v1-value") || len(levels) != len(subjects)-1 {
		t.Errorf("made strict %q, want all but the one that is stricter", levels)
	}
}

// changed is a text of the contract with something in it replaced.
func changed(t *testing.T, path, old, with string) string {
	t.Helper()
	all, err := Contract(schemas.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(s Schema) bool { return s.Path == path })
	if !strings.Contains(all[at].text, old) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	return strings.Replace(all[at].text, old, with, 1)
}

// TestSameInOtherWords: what a registry has is known by what it says.
func TestSameInOtherWords(t *testing.T) {
	const path, subject = "kyc/v1/session.proto", "kyc.session.v1-value"
	references := []sr.SchemaReference{
		{Name: "buf/validate/validate.proto", Subject: "buf/validate/validate.proto", Version: 1},
		{Name: "kyc/v1/event.proto", Subject: "kyc/v1/event.proto", Version: 1},
	}
	text := changed(t, path, "message SessionEvent {", "message SessionEvent {")
	for name, c := range map[string]struct {
		schema     string
		references []sr.SchemaReference
		same       bool
	}{
		"other layout":         {strings.ReplaceAll(text, "\n", "\n\n  "), references, true},
		"another comment":      {"// Ours.\n" + text, references, true},
		"imports by name":      {changed(t, path, "import \"kyc/v1/event.proto\";\nimport \"buf/validate/validate.proto\";", "import \"buf/validate/validate.proto\";\nimport \"kyc/v1/event.proto\";"), references, true},
		"type in full":         {changed(t, path, "Decision decision =", ".kyc.v1.Decision decision ="), references, true},
		"another number":       {changed(t, path, "Decision decision = 3", "Decision decision = 33"), references, false},
		"another rule":         {changed(t, path, "repeated.max_items = 1000", "repeated.max_items = 999"), references, false},
		"another version":      {text, []sr.SchemaReference{references[0], {Name: "kyc/v1/event.proto", Subject: "kyc/v1/event.proto", Version: 2}}, false},
		"no references":        {text, nil, false},
		"no protobuf":          {`{"type":"string"}`, references, false},
		"longer than anything": {text + strings.Repeat("\n", maxSchema), references, false},
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := newFake(t)
			for i, imported := range []string{"buf/validate/validate.proto", "kyc/v1/event.proto"} {
				fake.SeedSchema(imported, 1, i+1, sr.Schema{Schema: changed(t, imported, "package", "package"), Type: sr.TypeProtobuf, References: references[:i]})
			}
			other := changed(t, "kyc/v1/event.proto", "message RawPosition {", "message Other {}\nmessage RawPosition {")
			fake.SeedSchema("kyc/v1/event.proto", 2, 70, sr.Schema{Schema: other, Type: sr.TypeProtobuf, References: references[:1]})
			fake.SeedSchema(subject, 5, 71, sr.Schema{Schema: c.schema, Type: sr.TypeProtobuf, References: c.references})
			lacking, _ := compare(t, client, ours)
			if slices.Contains(lacking, "kyc/v1/event.proto") {
				t.Error("an older version of what is imported is not known as ours")
			}
			if same := !slices.Contains(lacking, subject); same != c.same {
				t.Errorf("is known as ours: %v, want %v", same, c.same)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	secret := func() string { return "hunter2hunter2" }
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"plain":               {Options{URL: "http://registry.internal:8081"}, ""},
		"password over TLS":   {Options{URL: "https://registry.internal/api", Username: "kyc", Password: secret}, ""},
		"token to localhost":  {Options{URL: "http://localhost:8081", Token: secret}, ""},
		"token to [::1]":      {Options{URL: "http://[::1]:8081", Token: secret}, ""},
		"no address":          {Options{URL: "registry:8081"}, "must be such as https://"},
		"user in the address": {Options{URL: "https://a:b@registry.internal"}, "must hold no user"},
		"query":               {Options{URL: "https://registry.internal?token=x"}, "must hold no user, query"},
		"password in clear":   {Options{URL: "http://registry.internal", Username: "kyc", Password: secret}, "must begin with https://"},
		"token in clear":      {Options{URL: "http://registry.internal", Token: secret}, "must begin with https://"},
		"user alone":          {Options{URL: "https://registry.internal", Username: "kyc"}, "belong together"},
		"password alone":      {Options{URL: "https://registry.internal", Password: secret}, "belong together"},
		"both":                {Options{URL: "https://registry.internal", Username: "kyc", Password: secret, Token: secret}, "not both"},
	} {
		_, err := New(c.o)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestErrorsSayWhatToDo, and nothing that is secret.
func TestErrorsSayWhatToDo(t *testing.T) {
	const password = "hunter2hunter2"
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"credentials":   {401, `{"error_code":401,"message":"` + password + `"}`, "refuses the credentials (401)"},
		"rights":        {403, `no`, "does not allow that (403)"},
		"another page":  {404, "<html>" + password, "the answer is 404; expected Confluent's API"},
		"a page":        {200, "<html>", "not that of a schema registry"},
		"other JSON":    {200, `{"a":1}`, "not that of a schema registry"},
		"elsewhere":     {302, "", "it sends elsewhere (302)"},
		"broken":        {500, `{"error_code":50001,"message":"no disk\n` + password + `\u0007` + strings.Repeat("x", 999) + `"}`, "it answers 500 (code 50001): no disk [secret] xxx"},
		"without words": {503, ``, "it answers 503"},
		"too long":      {200, "[" + strings.Repeat("1,", maxAnswer) + "1]", "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer server.Close()
			client := newClient(t, Options{URL: server.URL, Username: "kyc", Password: func() string { return password }})
			_, err := client.Compare(t.Context(), ours)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), password) || len(err.Error()) > 700 {
				t.Errorf("error is %v, want %q and no secret", err, c.want)
			}
		})
	}
	_, err := newClient(t, Options{URL: "http://127.0.0.1:1"}).Compare(t.Context(), ours)
	if err == nil || !strings.Contains(err.Error(), "it does not answer") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestCredentialsAreSent(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"basic":  {Options{Username: "kyc", Password: func() string { return "secret" }}, "Basic a3ljOnNlY3JldA=="},
		"bearer": {Options{Token: func() string { return "secret" }}, "Bearer secret"},
	} {
		fake := srfake.New(srfake.WithAuth(c.want))
		defer fake.Close()
		if _, err := newClient(t, Options{URL: fake.URL()}).Compare(t.Context(), ours); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("%s: without credentials: %v", name, err)
		}
		c.o.URL = fake.URL() + "/"
		if _, err := newClient(t, c.o).Compare(t.Context(), ours); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzNormal(f *testing.F) {
	all, err := Contract(schemas.DefaultPrefix)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range all[1:] {
		f.Add(s.Path, s.text)
		f.Add(s.Path, s.descriptor)
	}
	f.Add("a.proto", `import "a.proto";`)
	f.Fuzz(func(t *testing.T, path, schema string) {
		file, form, err := normal(path, schema)
		if (file == nil) != (err != nil) || err == nil && form != Text && form != Descriptor {
			t.Errorf("%v, form %v, %v", file, form, err)
		}
	})
}
