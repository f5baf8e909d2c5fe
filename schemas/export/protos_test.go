package export_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/schemas/export"
)

// The exported folder is closed: what a file imports is in it, or comes with every compiler.
func TestProtosAreWhole(t *testing.T) {
	var want []string
	for _, file := range schemas.DescriptorSet().File {
		if !strings.HasPrefix(file.GetName(), "google/protobuf/") {
			want = append(want, file.GetName())
		}
	}
	slices.Sort(want)
	var got []string
	for _, file := range export.Protos() {
		got = append(got, file.Path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("exported are %q, want %q", got, want)
	}
}

// What is exported is what is written in proto/, with its comments, byte for byte.
func TestProtosAreTheSources(t *testing.T) {
	for _, file := range export.Protos() {
		if !strings.HasPrefix(file.Path, "kyc/") {
			continue
		}
		source, err := os.ReadFile(filepath.Join("../../proto", file.Path))
		if err != nil || !bytes.Equal(source, file.Text) {
			t.Errorf("%s is not its source: %v", file.Path, err)
		}
	}
}

// `kycbridge schema export` takes files without this word for somebody else's.
func TestFilesCarryTheMark(t *testing.T) {
	for _, file := range append(export.Protos(), export.JSONSchemas()...) {
		if !bytes.Contains(file.Text, []byte("kycbridge")) {
			t.Errorf("%s does not name kycbridge", file.Path)
		}
	}
}

func TestCallersCannotChangeWhatIsExported(t *testing.T) {
	export.Protos()[0].Text[0] = '!'
	if export.Protos()[0].Text[0] == '!' {
		t.Error("a change of one export is seen in the next")
	}
}
