package providertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
)

// spot is one value of a fixture, in its body or in what was fetched for it.
type spot struct {
	fetched bool
	steps   []any // names and indices
	value   any
}

// String is the path without indices, as drift has it.
func (at spot) String() string {
	var names []string
	for _, step := range at.steps {
		if name, ok := step.(string); ok {
			names = append(names, name)
		}
	}
	path := strings.Join(names, ".")
	if at.fetched {
		return fetchedPrefix + path
	}
	return path
}

// spots are those of a fixture, one of each path: in a list, the first item stands for all.
func spots(f providers.Fixture) []spot {
	var all []spot
	seen := map[string]bool{}
	collect := func(body []byte, fetched bool) {
		walk(decoded(body), nil, func(steps []any, value any) {
			at := spot{fetched, slices.Clone(steps), value}
			if !seen[at.String()] {
				seen[at.String()] = true
				all = append(all, at)
			}
		})
	}
	collect(f.Body, false)
	if f.Fetched != nil {
		collect(f.Fetched.Body, true)
	}
	return all
}

// decoded is nil for what is no JSON. Numbers stay as written.
func decoded(body []byte) (doc any) {
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	if in.Decode(&doc) != nil {
		return nil
	}
	return doc
}

// walk calls visit with everything below v, objects and lists included, in a fixed order.
func walk(v any, steps []any, visit func(steps []any, value any)) {
	down := func(step, value any) {
		below := append(steps, step)
		visit(below, value)
		walk(value, below, visit)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range sortedNames(v) {
			down(name, v[name])
		}
	case []any:
		for i, item := range v {
			down(i, item)
		}
	}
}

func sortedNames(object map[string]any) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// with is what a fixture becomes with another value at a spot.
func (s *suite) with(t testing.TB, f providers.Fixture, at spot, value any) *result {
	t.Helper()
	if at.fetched {
		other := *f.Fetched
		other.Body = replaced(t, other.Body, at.steps, value)
		f.Fetched = &other
	} else {
		f.Body = replaced(t, f.Body, at.steps, value)
	}
	return s.read(s.delivery(t, f, f.Body))
}

func replaced(t testing.TB, body []byte, steps []any, value any) []byte {
	t.Helper()
	doc := decoded(body)
	at := doc
	for i, step := range steps {
		last := i == len(steps)-1
		switch v := at.(type) {
		case map[string]any:
			if last {
				v[step.(string)] = value
			}
			at = v[step.(string)]
		case []any:
			if last {
				v[step.(int)] = value
			}
			at = v[step.(int)]
		}
	}
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// said is what a result tells consumers, as bytes to compare: its problem, or its events
// without their ids.
func (r *result) said(t testing.TB) string {
	t.Helper()
	if r.err != nil {
		return r.err.Error()
	}
	var all []byte
	for _, e := range r.Events {
		md := e.GetMetadata()
		id := md.GetEventId()
		md.EventId = ""
		wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		md.EventId = id
		if err != nil {
			t.Fatal(err)
		}
		all = fmt.Appendf(all, "%T%d:%s", e, len(wire), wire)
	}
	return string(all)
}

// more reports whether a result has drift that another has not.
func (r *result) more(than *result) bool {
	return slices.ContainsFunc(r.Drift, func(d providers.Drift) bool { return !slices.Contains(than.Drift, d) })
}
