package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
)

// bodies are the files of `dev` that are there to hold deliveries and events: the logs of all topics but one.
var bodies = regexp.MustCompile(`/kafka/partitions/[^/]+-[0-9]+/[0-9]+\.dat$`)

// TestCanariesOfDev lets them into `dev`, which is started as carelessly as can be: what it prints, what its admin
// address answers, and all files but the logs of topics hold none of them, and no file can be read by other users.
func TestCanariesOfDev(t *testing.T) {
	a := &aviary{T: t, seen: map[string][]string{}}
	e := &embedded{listen: freePort(t), kafka: freePort(t), adminAddr: freePort(t), data: filepath.Join(t.TempDir(), "data")}
	variable := func(vendor string) string { return "KYCBRIDGE_SECRET_" + strings.ToUpper(vendor) }
	secret := func(name string) (string, bool) { return secretCore + "-" + strings.ToLower(name), true }
	var env []string
	for _, v := range catalog.All() {
		value, _ := secret(variable(v.Name))
		env = append(env, variable(v.Name)+"="+value)
	}
	e.process = startBinary(t, "/bin/sh", e.adminAddr, env, "-c", `umask 0; exec "$0" "$@"`, binary, "dev", "--log-level", "debug",
		"--listen", e.listen, "--kafka", e.kafka, "--admin", e.adminAddr, "--data", e.data)
	e.ready(t)
	a.ingest, a.roles = &stage{process: e.process, listen: e.listen}, map[string]*stage{"dev": {process: e.process, listen: e.listen}}
	a.keys = simulate.Keyring{Dir: e.data, Lookup: secret}
	r := read(t, e.kafka, schemas.DefaultPrefix)
	a.release()
	if !eventually(patience, func() bool { f := sorted(t, r.snapshot()); return len(f.raw) >= a.raw && len(normalized(f)) >= a.raw }) {
		t.Fatalf("not all of %d deliveries are processed: %s", a.raw, r.missing())
	}
	a.lookAtFiles(e.data)
	a.lookAtProcesses()
	a.report()
}

// lookAtFiles reads the files of a data directory and their modes, while they are in use.
func (a *aviary) lookAtFiles(dir string) {
	a.Helper()
	files, closed := 0, map[string]bool{} // directories that others cannot enter
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		const others = 0o077
		within := closed[filepath.Dir(path)]
		switch {
		case d.IsDir():
			closed[path] = within || info.Mode().Perm()&others == 0
		case !within && info.Mode().Perm()&others != 0:
			a.Errorf("other users can read or write %s: its mode is %v, and no directory above it keeps them out", path, info.Mode())
		}
		if d.IsDir() || bodies.MatchString(path) && !strings.Contains(path, schemas.DispositionTopic) {
			return nil
		}
		files++
		content, err := os.ReadFile(path)
		a.look("the file "+strings.TrimPrefix(path, dir), string(content))
		return err
	})
	if err != nil || files < 20 {
		a.Errorf("%d files were looked at, %v", files, err)
	}
}
