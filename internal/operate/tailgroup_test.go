package operate_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/schemas"
)

// TestTailGroup: a group has every record once, whatever ended each run: the number it was to print, an output that
// failed, the end of its context, the end of the topics.
func TestTailGroup(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	broken := operatetest.Checked(3)
	broken.Value = []byte("\xff\xff")
	for n := range 3 {
		b.Write(operatetest.Checked(n))
	}
	b.Write(broken, operatetest.Checked(4), operatetest.Checked(5), operatetest.Checked(6))
	var offsets []int64
	run := func(q operate.GroupQuery, fails error, after int) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		q.Group, q.Topics = "readers", []string{schemas.Check}
		n := 0
		return operate.TailGroup(ctx, servers(b), q, func(r operate.Record) error {
			if n++; n == after && fails != nil {
				return fails
			}
			if n == after {
				cancel()
			}
			offsets = append(offsets, r.Offset)
			if (r.Err != nil) != (r.Offset == 3) {
				t.Errorf("record %d: %v", r.Offset, r.Err)
			}
			return nil
		})
	}
	full := errors.New("the disk is full")
	for _, tc := range []struct {
		name  string
		q     operate.GroupQuery
		fails error
		after int
		want  error
		upTo  int64
	}{
		{"a number", operate.GroupQuery{Most: 2}, nil, 0, nil, 1},
		{"an output", operate.GroupQuery{}, full, 2, full, 2},
		{"the context", operate.GroupQuery{}, nil, 2, nil, 4},
		{"the topics", operate.GroupQuery{UntilEnd: true}, nil, 0, nil, 6},
		{"nothing is left", operate.GroupQuery{UntilEnd: true}, nil, 0, nil, 6},
	} {
		if err := run(tc.q, tc.fails, tc.after); !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if last := offsets[len(offsets)-1]; last != tc.upTo {
			t.Errorf("%s: the last record is %d, want %d", tc.name, last, tc.upTo)
		}
	}
	if !slices.Equal(offsets, []int64{0, 1, 2, 3, 4, 5, 6}) {
		t.Errorf("records %v, want each once, in order", offsets)
	}
}

// TestTailGroupRefuses: a reader among the members of a stage would take deliveries from it.
func TestTailGroupRefuses(t *testing.T) {
	t.Parallel()
	var s operate.Servers
	for prefix, names := range map[string]map[string]bool{
		"":      {"export": true, " ": false, normalize.DefaultGroup: false, hydrate.DefaultGroup: false, "kycbridge-export": true},
		"acme.": {"export": true, normalize.DefaultGroup: false, "acme." + hydrate.DefaultGroup: false},
	} {
		s.Kafka.TopicPrefix = prefix
		for name, want := range names {
			if err := s.CheckGroup(name); (err == nil) != want {
				t.Errorf("with prefix %q the group %q: %v", prefix, name, err)
			}
			if want {
				continue
			}
			if err := operate.TailGroup(t.Context(), s, operate.GroupQuery{Group: name}, nil); err == nil || !strings.Contains(err.Error(), "group") {
				t.Errorf("with prefix %q TailGroup takes the group %q: %v", prefix, name, err)
			}
		}
	}
}

// TestRecordFull: a field without a value is there, with its enum's first name.
func TestRecordFull(t *testing.T) {
	t.Parallel()
	for full, want := range map[bool]string{false: "", true: "DECIDED_BY_UNSPECIFIED"} {
		r := operate.Record{Message: operatetest.Checked(1).Message, Full: full}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var line struct {
			Value struct {
				DecidedBy string
				Monitored *bool
				Metadata  struct{ FetchedAt *string }
			}
		}
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		if v := line.Value; v.DecidedBy != want || (v.Monitored != nil) != full || v.Metadata.FetchedAt != nil {
			t.Errorf("full %v: %s", full, text)
		}
	}
}
