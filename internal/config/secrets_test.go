package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// notSecret are fields whose names sound as if they held a secret.
var notSecret = map[protoreflect.FullName]string{
	"kycbridge.config.v1.Oauth.token_url":            "an address",
	"kycbridge.config.v1.Api.token_url":              "an address",
	"kycbridge.config.v1.Dedupe.accept_other_pepper": "a switch",
}

// TestSecretFieldsAreKnown: every field that sounds like a secret is one, or has a reason why not, and is hidden where
// the decoder would quote it; beside each is one for a file.
func TestSecretFieldsAreKnown(t *testing.T) {
	sounds := regexp.MustCompile(`secret|password|pepper|token|key|value|credential`)
	seen := 0
	var walk func(md protoreflect.MessageDescriptor, path string)
	walk = func(md protoreflect.MessageDescriptor, path string) {
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			here := join(path, string(fd.Name()))
			if fd.IsList() {
				here += "[0]"
			}
			if m := fd.Message(); m != nil {
				if m.ParentFile().Package() == "kycbridge.config.v1" {
					walk(m, here)
				}
				continue
			}
			name := string(fd.Name())
			file, isFile := strings.CutSuffix(name, "_file")
			switch {
			case isSecret(fd):
				seen++
				if md.Fields().ByName(protoreflect.Name(name+"_file")) == nil && md.Fields().ByName("file") == nil {
					t.Errorf("%s has no field for a file beside it", here)
				}
				if !holdsSecret(here) {
					t.Errorf("%s is quoted in errors", here)
				}
			case isFile && file != "", notSecret[fd.FullName()] != "":
			case sounds.MatchString(name):
				t.Errorf("%s sounds like a secret: add it to secretFields, or here with the reason why not", fd.FullName())
			}
		}
	}
	walk((&configv1.Config{}).ProtoReflect().Descriptor(), "")
	if want := 13; seen < want {
		t.Errorf("%d places for secrets were seen, want %d or more", seen, want)
	}
}

// TestWeakSecretsWarn: what is refused for live customers is a warning for none, and nothing where the program itself
// says what it accepts.
func TestWeakSecretsWarn(t *testing.T) {
	data := strings.ReplaceAll(read(t, "testdata/good/everything.yaml"), "ENVIRONMENT_LIVE", "ENVIRONMENT_SANDBOX")
	data = regexp.MustCompile(`\$\{SECRET[_A-F]*\}`).ReplaceAllString(data, "$${OF_DEV}")
	data = strings.NewReplacer("${PEPPER}", "${REPEATED}", "${DIR}/secret", "${DIR}/of-dev").Replace(data)
	c, err := Parse("x.yaml", []byte(data), environment(t), everything())
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(c.Warnings, "\n")
	for _, want := range []string{
		"dedupe.pepper is one short text", "endpoints[0].secrets[0].value is a secret of `kycbridge dev`",
		"endpoints[0].secrets[1].file is a secret of `kycbridge dev`", "endpoints[1].secrets[0].value is",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning says %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "it is refused once an endpoint"); n != 4 || strings.Contains(got, "hunter") || strings.Contains(got, "abcd") {
		t.Errorf("warnings are:\n%s", got)
	}
}

// TestSecretsOfTheProgramItself: it knows what it guards with them, as `dev` does sample data.
func TestSecretsOfTheProgramItself(t *testing.T) {
	c, err := Build("dev", &configv1.Config{
		Kafka: &configv1.Kafka{Brokers: []string{"127.0.0.1:1"}}, Ingest: &configv1.Ingest{Listen: "127.0.0.1:2"},
		Endpoints: []*configv1.Endpoint{{
			Name: "one", Provider: "vendor", Environment: kycv1.Environment_ENVIRONMENT_LIVE,
			Secrets: []*configv1.Secret{{Id: "dev", Value: "dev-secret-vendor"}},
		}},
	}, Needs{Ingest: true, Vendors: everything().Vendors})
	if err != nil || len(c.Warnings) > 0 {
		t.Errorf("warnings %q, error %v", c.Warnings, err)
	}
}

// TestSharedSecretsOfLive: who needs no endpoints still knows that live customers depend on the pepper.
func TestSharedSecretsOfLive(t *testing.T) {
	data := strings.ReplaceAll(read(t, "testdata/good/everything.yaml"), "${PEPPER}", "${REPEATED}")
	needs := everything()
	needs.Ingest, needs.Hydrate = false, false
	if _, err := Parse("x.yaml", []byte(data), environment(t), needs); err == nil || !strings.Contains(err.Error(), "dedupe.pepper: is one short text") {
		t.Errorf("error is %v", err)
	}
	data = strings.ReplaceAll(data, "password: \"${REDIS_PASSWORD}\"", "password: \"${PLACEHOLDER}\"")
	if _, err := Parse("x.yaml", []byte(data), environment(t), needs); err == nil || !strings.Contains(err.Error(), "redis.password: is a placeholder") {
		t.Errorf("error is %v", err)
	}
}

// TestSecretFilesAreReadAgain: a password that changes in its file is the new one for the next connection.
func TestSecretFilesAreReadAgain(t *testing.T) {
	lookup := environment(t)
	c, err := Load("testdata/good/secured.yaml", lookup, everything())
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := lookup("DIR")
	password := c.RedisOptions().Password
	for _, want := range []string{"second-password", "third-password"} {
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := password(); got != want {
			t.Errorf("the password is %q, want %q", got, want)
		}
	}
}

// TestKeysOpenToOthers: a private key that others may change is refused, wherever it is for.
func TestKeysOpenToOthers(t *testing.T) {
	lookup := environment(t)
	dir, _ := lookup("DIR")
	data := read(t, "testdata/good/secured.yaml")
	served := strings.ReplaceAll(data, "ingest:\n", "ingest:\n  tls: {certificate_file: \"${DIR}/ca.pem\", key_file: \"${DIR}/client.key\"}\n")
	if _, err := Parse("x.yaml", []byte(served), lookup, everything()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "client.key"), 0o620); err != nil {
		t.Fatal(err)
	}
	var faults *Error
	if _, err := Parse("x.yaml", []byte(served), lookup, everything()); !errors.As(err, &faults) {
		t.Fatalf("error is %v", err)
	}
	got := strings.Join(faults.Lines(), "\n")
	for _, want := range []string{"kafka.tls.key_file: " + dir, "ingest.tls.key_file: " + dir} {
		if !strings.Contains(got, want) || !strings.Contains(got, "others can change it") {
			t.Errorf("nothing says %q:\n%s", want, got)
		}
	}
}
