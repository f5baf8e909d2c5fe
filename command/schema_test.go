package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/schemas/export"
)

// exported calls the command with --proto on a folder.
func exported(t *testing.T, dir string) (stderr string, code int) {
	t.Helper()
	stdout, stderr, code := call(t, nil, "schema", "export", "--proto", dir)
	if stdout != "" {
		t.Errorf("standard output holds %d bytes, want none", len(stdout))
	}
	return stderr, code
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// holds fails unless the folder holds the export, byte for byte.
func holds(t *testing.T, dir string) {
	t.Helper()
	for _, file := range export.Protos() {
		if text, err := os.ReadFile(filepath.Join(dir, file.Path)); err != nil || !bytes.Equal(text, file.Text) {
			t.Errorf("%s is not what is exported: %v", file.Path, err)
		}
	}
}

func TestExportProtoMakesTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "proto")
	if stderr, code := exported(t, dir); code != 0 || stderr != "wrote 11 files to "+dir+"\n" {
		t.Errorf("code %d, printed %q", code, stderr)
	}
	holds(t, dir)
}

func TestExportProtoAgain(t *testing.T) {
	dir := t.TempDir()
	exported(t, dir)
	aged, session := filepath.Join(dir, "kyc/v1/aml.proto"), filepath.Join(dir, "kyc/v1/session.proto")
	long := time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(aged, long, long); err != nil {
		t.Fatal(err)
	}
	put(t, session, "syntax = \"proto3\"; // kycbridge, an earlier version\n")
	put(t, filepath.Join(dir, "kyc/v1/gone.proto"), "message Gone {}")
	put(t, filepath.Join(dir, "kyc/v1/README.md"), "mine")
	put(t, filepath.Join(dir, "mine.proto"), "message Mine {}")

	stderr, code := exported(t, dir)
	if code != 0 {
		t.Fatalf("code %d: %s", code, stderr)
	}
	holds(t, dir)
	if info, err := os.Stat(aged); err != nil || !info.ModTime().Equal(long) {
		t.Errorf("a file that says the same was written again: %v, %v", info.ModTime(), err)
	}
	want := filepath.Join(dir, "kyc/v1/gone.proto") + " is no part of this export and was left alone; delete it if an earlier version wrote it\n"
	if _, rest, _ := strings.Cut(stderr, "\n"); rest != want {
		t.Errorf("printed %q, want %q", rest, want)
	}
	for name, text := range map[string]string{"kyc/v1/gone.proto": "message Gone {}", "kyc/v1/README.md": "mine", "mine.proto": "message Mine {}"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != text {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
}

// Nothing of others is overwritten, and nothing is written beside it.
func TestExportProtoRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		there map[string]string // paths and texts; a path that ends in / is a folder
		want  string
	}{
		"files of others": {map[string]string{"buf/validate/validate.proto": "package buf.validate;", "kyc/v1/raw.proto": "package kyc.v1;"},
			"DIR/buf/validate/validate.proto was not written by an export; DIR/kyc/v1/raw.proto was not written by an export: move it away"},
		"a long file":                 {map[string]string{"kyc/v1/raw.proto": "kycbridge" + strings.Repeat(" ", longestExport)}, "DIR/kyc/v1/raw.proto was not written by an export: move it away"},
		"a file for a folder":         {map[string]string{"kyc/v1": ""}, "DIR/kyc/v1 is a file where a folder belongs: move it away"},
		"a folder for a file":         {map[string]string{"kyc/v1/raw.proto/x": ""}, "DIR/kyc/v1/raw.proto is a folder where a file belongs: move it away"},
		"a file for the whole folder": {map[string]string{"": ""}, "DIR is a file where a folder belongs: move it away"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "proto")
			for path, text := range c.there {
				put(t, filepath.Join(dir, path), text)
			}
			stderr, code := exported(t, dir)
			if want := strings.ReplaceAll(c.want, "DIR", dir); code != 1 || !strings.Contains(stderr, want) {
				t.Errorf("code %d, printed %q, want %q", code, stderr, want)
			}
			if _, err := os.Stat(filepath.Join(dir, "kyc/v1/session.proto")); err == nil {
				t.Error("a file was written all the same")
			}
		})
	}
}

func TestExportProtoNeedsAFolder(t *testing.T) {
	if stderr, code := exported(t, ""); code != 2 || !strings.Contains(stderr, "--proto is empty; expected a folder") {
		t.Errorf("code %d, printed %q", code, stderr)
	}
}

func TestExportJSONSchemas(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "mine.schema.json"), "{}")
	stdout, stderr, code := call(t, nil, "schema", "export", "--json-schema", dir)
	if code != 0 || stdout != "" || stderr != "wrote 9 files to "+dir+"\n" {
		t.Fatalf("code %d, printed %q and %q", code, stdout, stderr)
	}
	for _, file := range export.JSONSchemas() {
		if text, err := os.ReadFile(filepath.Join(dir, file.Path)); err != nil || !bytes.Equal(text, file.Text) {
			t.Errorf("%s is not what is exported: %v", file.Path, err)
		}
	}
	put(t, filepath.Join(dir, "kyc.v1.AmlEvent.schema.json"), "{}")
	if _, stderr, code := call(t, nil, "schema", "export", "--json-schema", dir); code != 1 || !strings.Contains(stderr, "kyc.v1.AmlEvent.schema.json was not written by an export") {
		t.Errorf("code %d, printed %q", code, stderr)
	}
}

// The descriptor set goes where it is asked for: to standard output unless another form alone was.
func TestExportForms(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "kyc.binpb")
	for name, c := range map[string]struct {
		args   []string
		stdout bool
		file   bool
	}{
		"no flag":          {nil, true, false},
		"dash":             {[]string{"-o", "-"}, true, false},
		"file":             {[]string{"-o", file}, false, true},
		"sources and file": {[]string{"--proto", dir, "-o", file}, false, true},
		"sources and dash": {[]string{"--proto", dir, "-o", "-"}, true, false},
		"sources alone":    {[]string{"--proto", dir}, false, false},
		"JSON alone":       {[]string{"--json-schema", dir}, false, false},
		"all":              {[]string{"--json-schema", dir, "--proto", dir, "-o", file}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(file)
			stdout, stderr, code := call(t, nil, append([]string{"schema", "export"}, c.args...)...)
			if code != 0 {
				t.Fatalf("code %d: %s", code, stderr)
			}
			written, err := os.ReadFile(file)
			if (err == nil) != c.file || (stdout != "") != c.stdout {
				t.Fatalf("%d bytes on standard output, %d in the file (%v)", len(stdout), len(written), err)
			}
			var set descriptorpb.FileDescriptorSet
			if err := proto.Unmarshal(append(written, stdout...), &set); err != nil || (c.file || c.stdout) != (len(set.File) > 0) {
				t.Errorf("%d files in the set: %v", len(set.File), err)
			}
		})
	}
}
