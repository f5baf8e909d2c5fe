package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program under test, built once for the whole package.
var binary string

// scratch is removed after the last test.
var scratch string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kycbridge-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	defer report.print()
	scratch = dir
	binary = filepath.Join(dir, "kycbridge")
	if named := os.Getenv("KYCBRIDGE_TEST_BINARY"); named != "" {
		binary = named
		return m.Run()
	}
	build := exec.Command("go", "build", "-o", binary, "../cmd/kycbridge")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program under test: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
