package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An edit is one change of a contract file: old becomes new, once.
type edit struct{ file, old, new string }

const (
	statusField = "string vendor_status = 8 [\n    (buf.validate.field).string.max_len = 128,\n    (buf.validate.field).string.pattern = \"^[^\\\\r\\\\n]*$\"\n  ];"
	deadline    = "  // The deadline in the vendor's own words; empty where there is none.\n  string vendor_deadline = 4 ["
)

// A changed contract is one edit of what is in proto/, and a word of the check that must refuse it; "" where it passes.
var changes = []struct {
	name string
	edit edit
	want string
}{
	{"a renumbered field", edit{"session", "Decision decision = 3;", "Decision decision = 33;"}, `field "3" with name "decision"`},
	{"a removed enum value", edit{"session", "  // Failed for a technical reason, not for what the customer showed.\n  SESSION_TRANSITION_FAILED = 9;\n", ""},
		`enum value "9" on enum "SessionTransition" was deleted`},
	{"a renamed enum value", edit{"session", "SESSION_TRANSITION_FAILED = 9;", "SESSION_TRANSITION_BROKEN = 9;"}, `changed name from "SESSION_TRANSITION_FAILED"`},
	{"a changed type", edit{"event", "int64 offset = 3", "sint64 offset = 3"}, `changed type from "int64"`},
	{"one value made many", edit{"session", "  Finality finality = 5;", "  repeated Finality finality = 5;"}, `changed cardinality`},
	{"a removed field", edit{"session", "  DecidedBy decided_by = 4;\n", ""}, `field "4" with name "decided_by"`},
	{"a removed field, reserved", edit{"session", "  DecidedBy decided_by = 4;\n", "  reserved 4;\n  reserved \"decided_by\";\n"}, `field "4" with name "decided_by"`},
	{"a renamed JSON name", edit{"session", "DecidedBy decided_by = 4;", "DecidedBy decided_by = 4 [json_name = \"decider\"];"}, `option "json_name"`},
	{"a removed message", edit{"dead_letter", "message DeadLetter {", "message Dead {"}, `message "DeadLetter" was deleted`},

	{"a smaller maximum", edit{"session", statusField, strings.Replace(statusField, "128", "64", 1)}, "SessionEvent.vendor_status: string.max_len: was 128, is 64"},
	{"a larger minimum", edit{"event", "string.min_len = 1,\n    (buf.validate.field).string.max_len = 249", "string.min_len = 2,\n    (buf.validate.field).string.max_len = 249"},
		"RawPosition.topic: string.min_len: was 1, is 2"},
	{"a higher least value", edit{"event", "int32.gte = 0", "int32.gte = 1"}, "RawPosition.partition: int32.gte: was gte 0, is gte 1"},
	{"a new limit", edit{"event", "int32.gte = 0", "int32 = {gte: 0, lte: 9}"}, "RawPosition.partition: int32.lte: was not there, is lte 9"},
	{"another pattern", edit{"session", statusField, strings.Replace(statusField, "^[^", "^[A-Z^", 1)}, "SessionEvent.vendor_status: string.pattern: was"},
	{"a new rule", edit{"session", "Decision decision = 3;", "Decision decision = 3 [(buf.validate.field).required = true];"}, "SessionEvent.decision: required: was not there"},
	{"a closed enum", edit{"session", "Decision decision = 3;", "Decision decision = 3 [(buf.validate.field).enum.defined_only = true];"}, "SessionEvent.decision: enum.defined_only: was not there"},
	{"another expression", edit{"session", "this.transition != 0 || this.vendor_status != ''", "this.transition != 0"}, "SessionEvent: cel[session.transition_or_word]: was"},
	{"a new expression", edit{"session", "  option (buf.validate.message).cel = {\n    id: \"session.transition_or_word\"",
		"  option (buf.validate.message).cel = {id: \"session.new\" message: \"new\" expression: \"this.decision != 0\"};\n  option (buf.validate.message).cel = {\n    id: \"session.transition_or_word\""},
		"SessionEvent: cel[session.new]: was not there"},
	{"a stricter item", edit{"event", "string.pattern = \"^[a-z][a-z0-9_-]{0,31}=", "string.max_bytes = 9, (buf.validate.field).repeated.items.string.pattern = \"^[a-z][a-z0-9_-]{0,31}="},
		"EventMetadata.flags: repeated.items.string.max_bytes: was not there"},
	{"a new field that must be there", edit{"event", deadline, "  // New.\n  string zone = 5 [(buf.validate.field).string.min_len = 1];\n" + deadline}, "RequiredStep.zone: string.min_len: was not there"},
	{"another first message", edit{"session", "// SessionEvent is one step", "// New.\nmessage Step {}\n\n// SessionEvent is one step"}, "was SessionEvent as the first message of the file, is Step"},

	{"a new enum value", edit{"session", "  SESSION_TRANSITION_FAILED = 9;", "  SESSION_TRANSITION_FAILED = 9;\n  // New.\n  SESSION_TRANSITION_PAUSED = 10;"}, ""},
	{"a new field with rules", edit{"event", deadline, "  // New.\n  string zone = 5 [(buf.validate.field).string.max_len = 9];\n" + deadline}, ""},
	{"a new message with rules", edit{"session", "// SessionTransition is what", "// New.\nmessage Step {\n  // New.\n  string id = 1 [(buf.validate.field).required = true];\n}\n\n// SessionTransition is what"}, ""},
	{"a larger maximum", edit{"session", statusField, strings.Replace(statusField, "128", "256", 1)}, ""},
	{"a rule that is gone", edit{"session", statusField, "string vendor_status = 8;"}, ""},
	{"another comment", edit{"session", "// Who decided.", "// Who it was that decided."}, ""},
}

// TestChangesOfTheContract runs what `make proto-lint` runs on changed copies of proto/.
func TestChangesOfTheContract(t *testing.T) {
	buf, checker := tools(t)
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, passed := check(t, contractWith(t, c.edit), buf, checker)
			switch {
			case c.want == "" && !passed:
				t.Errorf("refused, expected it to pass:\n%s", out)
			case c.want != "" && passed:
				t.Error("passed, expected it to be refused")
			case !strings.Contains(out, c.want):
				t.Errorf("refused with another reason than %q:\n%s", c.want, out)
			}
		})
	}
}

// TestReviewedChange: a change that can only be read passes with the line that its refusal prints. The line excuses
// no further change, and none that is there no more.
func TestReviewedChange(t *testing.T) {
	buf, checker := tools(t)
	const expression = "this.transition != 0 || this.vendor_status != ''"
	looser := contractWith(t, edit{"session", expression, expression + " || this.vendor_outcome != ''"})
	out, passed := check(t, looser, buf, checker)
	_, line, found := strings.Cut(out, "add to proto/loosened.txt: ")
	line, _, _ = strings.Cut(line, "\n")
	if passed || !found {
		t.Fatalf("passed %t, expected a refusal with the line to add:\n%s", passed, out)
	}
	for _, c := range []struct {
		name, dir string
		passes    bool
	}{
		{"the change that was read", looser, true},
		{"another change of the same rule", contractWith(t, edit{"session", expression, "this.transition != 0"}), false},
		{"no change", contractWith(t, edit{"session", "// Who decided.", "// Who it was."}), false},
	} {
		writeFile(t, filepath.Join(c.dir, "proto", "loosened.txt"), "# a comment\n\n"+line+"\n")
		if out, passed := check(t, c.dir, buf, checker); passed != c.passes {
			t.Errorf("%s: passed %t, expected %t:\n%s", c.name, passed, c.passes, out)
		}
	}
}

// tools are buf and a built rulecheck.
func tools(t *testing.T) (buf, checker string) {
	t.Helper()
	if buf = os.Getenv("KYCBRIDGE_TEST_BUF"); buf == "" {
		t.Skip("needs buf: make proto-check runs it")
	}
	checker = filepath.Join(t.TempDir(), "rulecheck")
	if out, err := exec.Command("go", "build", "-o", checker, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return buf, checker
}

// contractWith is a folder in which buf finds the contract, changed.
func contractWith(t *testing.T, e edit) string {
	t.Helper()
	dir, root := t.TempDir(), filepath.Join("..", "..")
	for _, part := range []string{"proto", ".buf-deps/buf", "tools/protoc-gen-go-contract/testdata", "normalize/testdata/evolution"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(root, part))); err != nil {
			t.Fatal(err)
		}
	}
	workspace := readFile(t, filepath.Join(root, ".buf-deps", "workspace.yaml"))
	writeFile(t, filepath.Join(dir, ".buf-deps", "workspace.yaml"), workspace)
	path := filepath.Join(dir, "proto", "kyc", "v1", e.file+".proto")
	text := readFile(t, path)
	if strings.Count(text, e.old) != 1 {
		t.Fatalf("%s has %d times what is to change, expected once:\n%s", path, strings.Count(text, e.old), e.old)
	}
	writeFile(t, path, strings.Replace(text, e.old, e.new, 1))
	return dir
}

// check runs the recipe of make/proto.mk in dir.
func check(t *testing.T, dir, buf, checker string) (output string, passed bool) {
	t.Helper()
	recipe, err := filepath.Abs(filepath.Join("..", "..", "make", "proto.mk"))
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command("make", "-C", dir, "-f", recipe, "-o", "proto-deps", "proto-breaking",
		"BIN="+filepath.Dir(buf), "RULECHECK="+checker)
	run.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=") // of a make around the test
	out, err := run.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), err == nil
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
