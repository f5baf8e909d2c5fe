package config

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: whatever a file holds, reading it ends, in a configuration or in
// problems that each stand on one line of the file and on one line of text.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			f.Add([]byte(read(f, path)))
		}
	}
	lookup := environment(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data, lookup, everything())
		if err == nil {
			if len(c.Endpoints) == 0 || c.File.Topics.Partitions < 1 {
				t.Errorf("accepted without endpoints or defaults: %v", c.File)
			}
			return
		}
		var faults *Error
		if !errors.As(err, &faults) {
			t.Fatalf("error is %T (%v), want *Error", err, err)
		}
		lines := bytes.Count(bytes.ReplaceAll(data, []byte("\r"), []byte("\n")), []byte("\n")) + 1
		for _, p := range faults.Problems {
			if p.Line < 0 || p.Line > lines || p.Text == "" || strings.Contains(p.Text, "\n") {
				t.Errorf("problem %+v of a file of %d lines", p, lines)
			}
		}
		if strings.Contains(err.Error(), secretValue) && !bytes.Contains(data, []byte(secretValue)) {
			t.Errorf("the error shows a secret: %v", err)
		}
	})
}
