package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/e2e/foreign"
	"github.com/kycbridge/kycbridge/schemas"
)

// opinion is what the official parser says of a document.
type opinion struct {
	Channels []string
	Problems []string
}

// spoils are faults that the parser must see: what to put in place of what.
var spoils = map[string][2]string{
	"a message that is not there":    {"$ref: '#/components/messages/AmlEvent'", "$ref: '#/components/messages/AmlEvents'"},
	"an operation of another kind":   {"action: receive", "action: consume"},
	"partitions that are no number":  {"partitions: 12", "partitions: a dozen"},
	"a policy that Kafka has not":    {"- delete", "- remove"},
	"a header of no type":            {"type: string", "type: text"},
	"protobuf that does not parse":   {"string event_id = 1", "strings event_id == 1"},
	"protobuf with a type too few":   {"message Subject {", "message Subjects {"},
	"a version that there never was": {"asyncapi: 3", "asyncapi: 9"},
}

// TestForeignAsyncAPI has docs/asyncapi.yaml read by AsyncAPI's own parser, which must find nothing to say, not even a
// warning, and all channels. Spoiled in each of several ways, it must not pass.
func TestForeignAsyncAPI(t *testing.T) {
	root := foreign.Root(t)
	folder := foreign.Node(t, filepath.Join(root, "e2e", "testdata", "asyncapi"))
	page := filepath.Join(root, "docs", "asyncapi.yaml")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	files, spoiled := []string{page}, map[string]string{}
	for what, by := range spoils {
		if !strings.Contains(string(text), by[0]) {
			t.Errorf("%s: the document has no %q to spoil", what, by[0])
		}
		file := filepath.Join(t.TempDir(), "spoiled.yaml")
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), by[0], by[1], 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		files, spoiled[file] = append(files, file), what
	}

	var said map[string]opinion
	out := foreign.Run(t, folder, nil, append([]string{"node", "check.mjs"}, files...)...)
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, problem := range said[page].Problems {
		t.Error("docs/asyncapi.yaml: ", problem)
	}
	var want []string
	for _, topic := range append(schemas.Topics(), schemas.JSONTopics()...) {
		want = append(want, topic.Name(schemas.DefaultPrefix))
	}
	slices.Sort(want)
	if got := slices.Sorted(slices.Values(said[page].Channels)); !slices.Equal(got, want) {
		t.Errorf("the parser finds the channels %q, want %q", got, want)
	}
	for file, what := range spoiled {
		if len(said[file].Problems) == 0 {
			t.Errorf("%s: the parser has nothing to say", what)
		}
	}
}
