package e2e

import (
	"crypto/subtle"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/e2e/foreign"
	"github.com/kycbridge/kycbridge/schemas"
)

// TestForeignRegistry: with a registry that is not ours, schemas are registered as README of it says, and events are
// read by the deserializers of others. All of it shares one process of the registry, which each part empties.
func TestForeignRegistry(t *testing.T) {
	foreign.Need(t, "java", "mvn", "python3", "node", "npm")
	address := foreign.Registry(t, freePort(t))
	t.Run("Decoders", func(t *testing.T) { decoders(t, emptied(t, address)) })
	t.Run("Once", func(t *testing.T) { registeredOnce(t, emptied(t, address)) })
	t.Run("OtherLayout", func(t *testing.T) { otherLayout(t, emptied(t, address)) })
	t.Run("Incompatible", func(t *testing.T) { incompatible(t, emptied(t, address)) })
	t.Run("Credentials", func(t *testing.T) { credentials(t, address) })
	t.Run("NoIDs", func(t *testing.T) { refusedWithoutIDs(t, emptied(t, address)) })
	t.Run("Integrity", func(t *testing.T) { integrity(t, emptied(t, address)) }) // last: its rule is of the whole registry
}

// apiPath is where Apicurio has Confluent's API, adminPath where its own is.
const (
	apiPath   = "/apis/ccompat/v7"
	adminPath = "/apis/registry/v2"
)

// emptied deletes everything in the registry.
func emptied(t *testing.T, address string) string {
	t.Helper()
	if status := ask(t, http.MethodDelete, strings.TrimSuffix(address, apiPath)+adminPath+"/groups/default/artifacts", nil, nil); status != http.StatusNoContent && status != http.StatusNotFound { // it was empty
		t.Fatalf("the registry was not emptied: %d", status)
	}
	return address
}

// behindPassword puts a proxy with TLS before the registry, for a user kyc alone. ca is the file with the authority to
// trust.
func behindPassword(t *testing.T, address, password string) (registry, ca string) {
	t.Helper()
	target, err := url.Parse(strings.TrimSuffix(address, apiPath))
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("Authorization")
	}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, _ := r.BasicAuth()
		if user != "kyc" || subtle.ConstantTimeCompare([]byte(given), []byte(password)) == 0 {
			http.Error(w, `{"error_code":401,"message":"Unauthorized"}`, http.StatusUnauthorized)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ca = writeFile(t, filepath.Join(t.TempDir(), "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return server.URL + apiPath, ca
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// schema runs a command on the registry and gives all that it printed.
func schema(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, errs, got := command(t, nil, append([]string{"schema"}, args...)...)
	if got != code {
		t.Fatalf("schema %q ends with %d, expected %d:\n%s%s", args, got, code, out, errs)
	}
	return out + errs
}

// says fails unless a text holds all that is wanted.
func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, one := range want {
		if !strings.Contains(text, one) {
			t.Errorf("printed\n%s\nexpected %q in it", text, one)
		}
	}
}

// ask is a request to the registry as others make it.
func ask(t *testing.T, method, address string, body, answer any) int {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer != nil {
		if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode
}

type schemaBody struct {
	Schema     string           `json:"schema"`
	Type       string           `json:"schemaType"`
	References []map[string]any `json:"references,omitempty"`
}

// registeredOnce: what one command registers, the next finds, and a check agrees.
func registeredOnce(t *testing.T, registry string) {
	says(t, schema(t, 1, "check", "--registry", registry), "would register kyc.session.v1-value: there is no such subject", "14 changes to make")
	says(t, schema(t, 0, "diff", "--registry", registry), "would register buf/validate/validate.proto", "would set compatibility of kyc/v1/event.proto to BACKWARD_TRANSITIVE; it is NONE")
	says(t, schema(t, 0, "register", "--registry", registry), "registered buf/validate/validate.proto version 1", "registered kyc.resource.v1-value version 1", "set compatibility of kyc.resource.v1-value")
	if again := schema(t, 0, "register", "--registry", registry); again != "nothing to do: all 7 schemas are registered\n" {
		t.Errorf("the second time printed\n%s", again)
	}
	says(t, schema(t, 0, "diff", "--registry", registry), "nothing would change")
	says(t, schema(t, 0, "check", "--registry", registry), "ok kyc/v1/event.proto version 1", "BACKWARD_TRANSITIVE")
	if status := ask(t, http.MethodPut, registry+"/config/kyc.aml.v1-value", map[string]string{"compatibility": "NONE"}, nil); status != http.StatusOK {
		t.Fatalf("the level was not changed: %d", status)
	}
	says(t, schema(t, 1, "check", "--registry", registry), "would set compatibility of kyc.aml.v1-value to BACKWARD_TRANSITIVE; it is NONE", "1 change to make")
}

// sessionAs registers our schemas but that of sessions, and that as it is changed.
func sessionAs(t *testing.T, registry string, change func(string) string) {
	t.Helper()
	schema(t, 0, "register", "--registry", registry, "--topic-prefix", "first.")
	var first schemaBody
	if status := ask(t, http.MethodGet, registry+"/subjects/first.session.v1-value/versions/1", nil, &first); status != http.StatusOK {
		t.Fatalf("what was registered cannot be read: %d", status)
	}
	other := change(first.Schema)
	if other == first.Schema {
		t.Fatal("the schema was not changed")
	}
	first.Schema, first.Type = other, "PROTOBUF"
	if status := ask(t, http.MethodPost, registry+"/subjects/kyc.session.v1-value/versions", first, nil); status != http.StatusOK {
		t.Fatalf("the registry refuses the changed schema: %d", status)
	}
}

func otherLayout(t *testing.T, registry string) {
	sessionAs(t, registry, func(text string) string { return "// Of somebody else.\n" + strings.ReplaceAll(text, "\n", "\n\n") })
	if out := schema(t, 0, "register", "--registry", registry); strings.Contains(out, "registered kyc.session.v1-value") || !strings.Contains(out, "registered kyc.aml.v1-value") {
		t.Errorf("what differs in layout alone was registered again:\n%s", out)
	}
}

func incompatible(t *testing.T, registry string) {
	sessionAs(t, registry, func(text string) string {
		return strings.Replace(text, "Decision decision = 3", "repeated string decision = 3", 1)
	})
	says(t, schema(t, 0, "diff", "--registry", registry), "would register kyc.session.v1-value: no version of it is the schema of this release")
	says(t, schema(t, 1, "register", "--registry", registry), "cannot register a version of subject kyc.session.v1-value", "not compatible with versions that consumers may still use")
	says(t, schema(t, 1, "check", "--registry", registry), "the registry would refuse it as incompatible")
}

func credentials(t *testing.T, address string) {
	const password = "a-registry's password"
	registry, ca := behindPassword(t, emptied(t, address), password)
	good, bad := writeFile(t, filepath.Join(t.TempDir(), "good"), password+"\n"), writeFile(t, filepath.Join(t.TempDir(), "bad"), "hunter2hunter2")
	says(t, schema(t, 1, "diff", "--registry", registry), "certificate signed by unknown authority")
	says(t, schema(t, 1, "diff", "--registry", registry, "--ca-file", ca), "refuses the credentials (401)")
	wrong := schema(t, 1, "diff", "--registry", registry, "--ca-file", ca, "--user", "kyc", "--password-file", bad)
	says(t, wrong, "refuses the credentials (401)")
	right := schema(t, 0, "register", "--registry", registry, "--ca-file", ca, "--user", "kyc", "--password-file", good)
	says(t, right, "registered kyc.session.v1-value version 1")
	file := writeFile(t, filepath.Join(t.TempDir(), "kycbridge.yaml"), fmt.Sprintf(
		"kafka: {brokers: [\"127.0.0.1:9092\"]}\nregistry:\n  url: %s\n  ca_file: %s\n  username: kyc\n  password: ${REGISTRY_PASSWORD}\n", registry, ca))
	out, errs, code := command(t, []string{"REGISTRY_PASSWORD=" + password}, "schema", "check", "--config", file)
	if code != 0 || strings.Contains(out+errs+wrong+right, password) || strings.Contains(wrong, "hunter2") {
		t.Errorf("with the configuration: code %d\n%s%s", code, out, errs)
	}
	clear := schema(t, 1, "diff", "--registry", "http://registry.invalid:8081", "--user", "kyc", "--password-file", good)
	says(t, clear, "must begin with https://")
}

// refusedWithoutIDs: a process that would write ids does not start, and says what to do.
func refusedWithoutIDs(t *testing.T, registry string) {
	d := startDev(t, filepath.Join(t.TempDir(), "data"))
	file := writeFile(t, filepath.Join(t.TempDir(), "kycbridge.yaml"), fmt.Sprintf(
		"kafka: {brokers: [%q]}\nredis: {address: %q}\ntopics: {encoding: CONFLUENT_PROTOBUF, partitions: 4}\nregistry: {url: \"${REGISTRY}\"}\n", d.kafka, d.redis(t)))
	for address, want := range map[string]string{
		registry:                          "schemas are not registered at " + registry,
		"http://" + freePort(t) + apiPath: "it does not answer",
		"http://" + d.admin:               "expected Confluent's API",
	} {
		for _, args := range [][]string{{"normalize"}, {"replay", "--mode", "re-emit", "--all", "--dry-run"}} {
			_, errs, code := command(t, []string{"REGISTRY=" + address}, append(args, "--config", file)...)
			if code != 1 {
				t.Errorf("%s ends with %d", args[0], code)
			}
			says(t, errs, "events cannot be written without the ids of their schemas", want)
		}
	}
}

// integrity: where the registry insists that references exist, the order of registering is right.
func integrity(t *testing.T, registry string) {
	admin := strings.TrimSuffix(registry, apiPath) + adminPath + "/admin/rules"
	if status := ask(t, http.MethodPost, admin, map[string]string{"type": "INTEGRITY", "config": "REFS_EXIST"}, nil); status != http.StatusNoContent {
		t.Fatalf("the rule was not set: %d", status)
	}
	lost := schemaBody{Schema: "syntax = \"proto3\"; import \"kyc/v1/event.proto\"; message A { kyc.v1.Subject s = 1; }", Type: "PROTOBUF", References: []map[string]any{
		{"name": "kyc/v1/event.proto", "subject": "kyc/v1/event.proto", "version": 1},
	}}
	if status := ask(t, http.MethodPost, registry+"/subjects/a/versions", lost, nil); status != http.StatusUnprocessableEntity {
		t.Fatalf("the rule does not hold: a schema without what it refers to is answered %d", status)
	}
	schema(t, 0, "register", "--registry", registry)
	says(t, schema(t, 0, "check", "--registry", registry), "ok kyc.session.v1-value")
}

// domainTopics are the full names of the topics that hold events, with their messages.
func domainTopics() (names, messages []string) {
	for _, topic := range schemas.Topics() {
		if topic.Domain {
			names = append(names, topic.Name(schemas.DefaultPrefix))
			messages = append(messages, topic.Name(schemas.DefaultPrefix)+"="+string(topic.Message.ProtoReflect().Descriptor().FullName()))
		}
	}
	return names, messages
}

// line is what a decoder says of a record, and `tail` as well.
type decodedLine struct {
	Topic     string            `json:"topic"`
	Partition int               `json:"partition"`
	Offset    int64             `json:"offset"`
	Headers   map[string]string `json:"headers"`
	Value     any               `json:"value"`
}

func place(l decodedLine) string { return fmt.Sprintf("%s %d@%d", l.Topic, l.Partition, l.Offset) }

func decodedLines(t *testing.T, text string) map[string]decodedLine {
	t.Helper()
	all := map[string]decodedLine{}
	for line := range strings.Lines(text) {
		var l decodedLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all[place(l)] = l
	}
	return all
}

// decoders: what Confluent's deserializers make of every event is what `tail` says, whether the id of the schema is
// in a header or in front of the value; and a topic that holds both, and plain values, is read as one.
func decoders(t *testing.T, registry string) {
	schema(t, 0, "register", "--registry", registry, "--form", "descriptor", "--any-compatibility")
	data := filepath.Join(t.TempDir(), "data")
	d := startDev(t, data, "--registry", registry, "--registry-header")
	d.sendAll(t)
	d.stop(t)
	d = startDev(t, data, "--registry", registry)
	d.sendAll(t)
	want := d.events(t)
	for _, name := range []string{"session", "check", "aml", "renewal", "resource"} {
		inHeader, inFront := 0, 0
		for _, l := range want {
			if l.Topic == "kyc."+name+".v1" && l.Headers["ce_schemasubject"] == l.Topic+"-value" && l.Headers["ce_schemaversion"] == "1" {
				if l.Headers["__value_schema_id"] != "" {
					inHeader++
				} else {
					inFront++
				}
			}
		}
		if inHeader == 0 || inFront == 0 {
			t.Errorf("%s holds %d events with the id in a header and %d with it in front; expected some of each", name, inHeader, inFront)
		}
	}
	descriptors := filepath.Join(t.TempDir(), "kyc.binpb")
	schema(t, 0, "export", "-o", descriptors)
	names, messages := domainTopics()
	common := []string{d.kafka, registry, descriptors, fmt.Sprint(len(want))}
	here := foreign.Root(t) + "/e2e/testdata/registry"
	python := foreign.Python(t, here+"/python/requirements.txt")
	same(t, "python", foreign.Run(t, ".", nil, append([]string{python, here + "/python/decode.py"}, append(common, messages...)...)...), want)
	node := foreign.Node(t, here+"/javascript")
	same(t, "javascript", foreign.Run(t, node, nil, append([]string{"node", "decode.js"}, append(common, names...)...)...), want)
	d.stop(t)

	d = startDev(t, data)
	d.sendAll(t)
	if all := d.events(t); len(all) <= len(want) {
		t.Errorf("after plain ones were added there are %d events, before %d", len(all), len(want))
	}
}

// same fails unless a decoder read every event as tail does, and one that says nothing.
func same(t *testing.T, who, printed string, want map[string]decodedLine) {
	t.Helper()
	got := decodedLines(t, printed)
	empty, ok := got["empty 0@0"]
	delete(got, "empty 0@0")
	if value, _ := empty.Value.(map[string]any); !ok || len(value) != 0 {
		t.Errorf("%s reads an event that says nothing as %v (%v)", who, empty.Value, ok)
	}
	if len(got) != len(want) {
		t.Errorf("%s read %d events, want %d", who, len(got), len(want))
	}
	for at, l := range got {
		if !reflect.DeepEqual(l.Value, want[at].Value) {
			t.Errorf("%s reads %s as\n%v\ntail as\n%v", who, at, l.Value, want[at].Value)
		}
	}
}
