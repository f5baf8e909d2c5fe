//go:build !race

// Everything here runs in processes of their own, which are built without the race detector: with it,
// the same would be tested twice.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/freeport"
)

// patience bounds every wait; it only runs out when something is broken.
const patience = 90 * time.Second

// checkListed adds the line to the catalogue that the tool prints, in an overlay of this
// tree, and asks whoever lists the vendors: the vendors' document, the configuration, dev,
// send and tail, and the tests that go through all vendors.
func checkListed(t *testing.T, here, dir string) {
	overlay, documents := overlayWith(t, here, dir), documentRoot(t, here, dir)
	binary := filepath.Join(t.TempDir(), "kycbridge")
	for _, args := range [][]string{
		{"build", "-overlay", overlay, "-o", binary, "./cmd/kycbridge"},
		{"run", "-overlay", overlay, "./tools/vendordoc", "-root", documents},
		// vet would run in the vendor's folder, which is only in the overlay.
		{"test", "-vet=off", "-overlay", overlay, "./providers/catalog", "./internal/simulate", "./internal/dev"},
	} {
		if output, err := goIn(here, args...); err != nil {
			t.Fatalf("go %q: %v\n%s", args, err, output)
		}
	}
	page := read(t, filepath.Join(documents, "docs", "vendors.md")) + read(t, filepath.Join(documents, "docs", "vendors", "zenith.md"))
	for _, want := range []string{"| [Zenith ID](vendors/zenith.md) | ", "header `Zenith-Signature`", "| `verification.finished` | `session`", "Make a webhook"} {
		if !strings.Contains(page, want) {
			t.Errorf("the vendors' document has no %q", want)
		}
	}
	checkConfig(t, binary, dir)
	checkDev(t, binary)
}

// overlayWith is the tree with the vendor in its place and in the catalogue.
func overlayWith(t *testing.T, here, dir string) string {
	t.Helper()
	scratch := t.TempDir()
	catalogue := filepath.Join(here, "providers", "catalog", "catalog.go")
	lines := read(t, catalogue)
	for before, line := range map[string]string{
		"\n)\n":   "\n\t\"github.com/kycbridge/kycbridge/providers/zenith\"",
		"\n\t}\n": "\n\t\tzenith.Provider,",
	} {
		head, tail, ok := strings.Cut(lines, before)
		if !ok {
			t.Fatalf("%s has no %q", catalogue, before)
		}
		lines = head + line + before + tail
	}
	save(t, filepath.Join(scratch, "catalog.go"), lines)
	replace := map[string]string{catalogue: filepath.Join(scratch, "catalog.go")}
	for _, file := range filesOf(t, dir) {
		replace[filepath.Join(here, "providers", "zenith", file)] = filepath.Join(dir, file)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(scratch, "overlay.json")
	save(t, file, string(text))
	return file
}

// documentRoot is a root with what the vendors' document is made from.
func documentRoot(t *testing.T, here, dir string) string {
	t.Helper()
	scratch := t.TempDir()
	readmes, err := filepath.Glob(filepath.Join(here, "providers", "*", "README.md"))
	if err != nil || len(readmes) == 0 {
		t.Fatal(readmes, err)
	}
	for _, file := range append(readmes, filepath.Join(dir, "README.md")) {
		save(t, filepath.Join(scratch, "providers", filepath.Base(filepath.Dir(file)), "README.md"), read(t, file))
	}
	return scratch
}

// servers are the rest of a configuration.
const servers = `
kafka: {brokers: ["127.0.0.1:9092"]}
redis: {address: "127.0.0.1:6379"}
ingest: {listen: "127.0.0.1:8080"}
admin: {listen: "127.0.0.1:9090"}
`

// checkConfig checks a file with the endpoint that the vendor's README shows.
func checkConfig(t *testing.T, binary, dir string) {
	t.Helper()
	_, block, _ := strings.Cut(read(t, filepath.Join(dir, "README.md")), "```yaml\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("the README shows no endpoint")
	}
	t.Setenv("ZENITH_WEBHOOK_SECRET", "no-secret-only-a-check")
	file := filepath.Join(t.TempDir(), "config.yaml")
	save(t, file, servers+block)
	if output, err := exec.Command(binary, "config", "check", file).CombinedOutput(); err != nil {
		t.Errorf("config check: %v\n%s", err, output)
	}
}

// checkDev sends the vendor's sample as the vendor would, and reads the event.
func checkDev(t *testing.T, binary string) {
	t.Helper()
	listen, admin, kafka, data := freeAddress(t), freeAddress(t), freeAddress(t), t.TempDir()
	startDev(t, binary, admin, "dev", "--listen", listen, "--admin", admin, "--kafka", kafka, "--data", data)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	output, err := exec.CommandContext(ctx, binary, "send", "zenith", "--case", "finished", "--to", "http://"+listen+"/hooks/zenith", "--admin", "http://"+admin, "--data", data).CombinedOutput()
	if err != nil {
		t.Fatalf("send: %v\n%s", err, output)
	}
	line, err := exec.CommandContext(ctx, binary, "tail", "session", "--from-start", "--count", "1", "--brokers", kafka).Output()
	if err != nil {
		t.Fatalf("tail: %v\n%s", err, line)
	}
	for _, want := range []string{`"provider":"zenith"`, `"decision":"DECISION_DECLINED"`, `"environment":"ENVIRONMENT_SANDBOX"`} {
		if !bytes.Contains(line, []byte(want)) {
			t.Errorf("the event is %s, want %s in it", line, want)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// startDev returns once the process is ready.
func startDev(t *testing.T, binary, admin string, args ...string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
		if t.Failed() {
			t.Logf("dev said:\n%s", &log)
		}
	})
	for deadline := time.Now().Add(patience); !ready(admin); {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("dev ended: %v", err)
		case <-time.After(20 * time.Millisecond):
			if time.Now().After(deadline) {
				t.Fatalf("dev is not ready after %s", patience)
			}
		}
	}
}

func ready(admin string) bool {
	answer, err := http.Get("http://" + admin + "/readyz")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
