package command

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHealthcheck: the exit code and one line say what the process answers.
func TestHealthcheck(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := closed.Addr().String()
	closed.Close()
	released := make(chan struct{})
	for name, tc := range map[string]struct {
		handler http.HandlerFunc // nil: nobody listens
		args    []string
		code    int
		want    []string // in the line
	}{
		"ready": {handler: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" || r.Method != http.MethodGet {
				w.WriteHeader(http.StatusNotFound)
			}
		}},
		"not ready": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"ready":false,"up":["config"],"down":{"redis":"does not answer","kafka":"no broker answers"}}`))
		}, code: 1, want: []string{"not ready, kafka: no broker answers, redis: does not answer"}},
		"alive and not ready": {handler: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/livez" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}, args: []string{"--live"}},
		"another program": {handler: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusNotFound) }, code: 1, want: []string{"404", "expected 200", "another program"}},
		"a redirect is no answer": {handler: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
			}
		}, code: 1, want: []string{"302"}},
		"nobody":   {code: 1, want: []string{"nothing listens at " + free, "admin.listen"}},
		"too slow": {handler: func(http.ResponseWriter, *http.Request) { <-released }, args: []string{"--timeout", "50ms"}, code: 1, want: []string{"no answer in time"}},
		"no port":  {args: []string{"--admin", "localhost"}, code: exitUsage, want: []string{`--admin is "localhost"`, "host:port"}},
		"no time":  {args: []string{"--timeout", "0s"}, code: exitUsage, want: []string{"--timeout is 0s"}},
		"hostile answer": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"down":{"kafka":"\u009b2J\u202e` + strings.Repeat("x", 10) + `"}}`))
		}, code: 1, want: []string{`\u009b2J\u202e`}},
	} {
		t.Run(name, func(t *testing.T) {
			admin := free
			if tc.handler != nil {
				server := httptest.NewServer(tc.handler)
				admin = server.Listener.Addr().String()
				defer server.Close()
			}
			if name == "too slow" {
				defer close(released)
			}
			t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
			out, errs, code := call(t, nil, append([]string{"healthcheck", "--admin", admin}, tc.args...)...)
			if code != tc.code || out != "" || code == 0 && errs != "" || code != 0 && strings.Count(errs, "\n") != 1 {
				t.Errorf("code %d, want %d and no output but one line of an error:\n%s%s", code, tc.code, out, errs)
			}
			for _, want := range tc.want {
				if !strings.Contains(errs, want) {
					t.Errorf("the line does not say %q: %s", want, errs)
				}
			}
		})
	}
}

// TestHealthcheckOfDev asks a real process.
func TestHealthcheckOfDev(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil)
	for _, args := range [][]string{nil, {"--live"}} {
		if _, errs, code := call(t, nil, append([]string{"healthcheck", "--admin", dev.Admin}, args...)...); code != 0 {
			t.Errorf("%v: code %d: %s", args, code, errs)
		}
	}
}
