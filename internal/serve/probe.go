package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// longestAnswer bounds what a health check reads of an answer.
const longestAnswer = 64 << 10

// Probe asks the admin address of a running process (host:port) for a path, /readyz or
// /livez, once. The error says what is down, or that nothing answers before ctx ends. It
// uses no proxy and follows no redirect.
func Probe(ctx context.Context, admin, path string) error {
	transport := &http.Transport{DisableKeepAlives: true} // no Proxy: it is this machine
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, (&url.URL{Scheme: "http", Host: admin, Path: path}).String(), nil)
	if err != nil {
		return fmt.Errorf("%q is no address of a process, expected host:port: %w", admin, err)
	}
	answer, err := client.Do(r)
	if err != nil {
		return silence(ctx, admin, path, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	if err != nil {
		return silence(ctx, admin, path, err)
	}
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	var state readiness
	if json.Unmarshal(body, &state) != nil || len(state.Down) == 0 {
		return fmt.Errorf("%s at %s answers %s, expected 200: is another program at that address?", path, admin, answer.Status)
	}
	var down []string
	for _, part := range slices.Sorted(maps.Keys(state.Down)) {
		down = append(down, part+": "+state.Down[part])
	}
	return fmt.Errorf("not ready, %s", strings.Join(down, ", "))
}

// silence explains a request without an answer.
func silence(ctx context.Context, admin, path string, err error) error {
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s at %s has no answer in time", path, admin)
	}
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("nothing listens at %s (%w): is it the process's admin.listen?", admin, dial.Err)
	}
	return fmt.Errorf("%s at %s: %w", path, admin, errors.Unwrap(err))
}
