package e2e

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// embedded is `kycbridge dev` on ports and a data directory of its own.
type embedded struct {
	*process
	listen, kafka, data string
	adminAddr           string
	extra               []string
}

func startEmbedded(t testing.TB, extra ...string) *embedded {
	t.Helper()
	e := &embedded{listen: freePort(t), kafka: freePort(t), adminAddr: freePort(t), data: filepath.Join(t.TempDir(), "data"), extra: extra}
	e.again(t)
	return e
}

// again starts the program on the same data, as after a crash.
func (e *embedded) again(t testing.TB) {
	t.Helper()
	args := append([]string{"dev", "--listen", e.listen, "--kafka", e.kafka, "--admin", e.adminAddr, "--data", e.data}, e.extra...)
	e.process = start(t, e.adminAddr, nil, args...)
	e.ready(t)
}

func (e *embedded) hook() string { return "http://" + e.listen + "/hooks/complycube" }

func newClient() *http.Client { return &http.Client{Timeout: 20 * time.Second} }
