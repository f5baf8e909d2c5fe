package audit_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// archive is what a world holds. The world's subjects live in partition 0, but for those of partition 1.
func (w *world) archive() audit.Archive {
	e := w.evidence()
	return audit.Archive{
		Topics:  e.Topics,
		Pending: map[int32]int64{0: int64(len(w.topics[schemas.Raw][0])), 1: int64(len(w.topics[schemas.Raw][1]))},
		PartitionOf: func(key string, _ int32) int32 {
			if key == "shop/s5" {
				return 1
			}
			return 0
		},
		Describe: func(m proto.Message) []string { return []string{m.(*kycv1.CheckEvent).GetResult().String()} },
	}
}

func (w *world) trace(id string) *audit.Story {
	w.t.Helper()
	s, err := audit.Trace(w.t.Context(), w.archive(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// told writes a story shortly: each delivery with its dispositions, events, dead letters and repeats.
func told(s *audit.Story) string {
	var out []string
	for _, d := range s.Deliveries {
		text := d.Raw.String()
		for _, f := range d.Dispositions {
			text += " " + f.Kind
			if f.DuplicateOf != nil {
				text += "(" + f.DuplicateOf.String() + ")"
			}
			if f.Flag != "" {
				text += "(" + f.Flag + ")"
			}
		}
		out = append(out, fmt.Sprintf("%s events=%d letters=%d repeated=%v", text, len(d.Events), len(d.Letters), d.RepeatedBy))
	}
	return strings.Join(out, "\n")
}

const (
	storyA = "0@0 EMITTED events=1 letters=0 repeated=[0@1]\n0@1 DUPLICATE(0@0) events=0 letters=0 repeated=[]"
	storyB = "0@2 DEAD_LETTERED events=0 letters=1 repeated=[]"
	storyC = "0@3 HYDRATING EMITTED events=1 letters=0 repeated=[0@4]\n0@4 DUPLICATE(0@3) events=0 letters=0 repeated=[]"
	storyF = "1@0 EMITTED(conflict) events=1 letters=0 repeated=[]"
)

func TestTraceByEachID(t *testing.T) {
	for _, c := range []struct{ name, id, want string }{
		{"raw position", "0@0", storyA},
		{"raw position of the duplicate", "0@1", storyA},
		{"key", "shop/s1", storyA + "\n" + storyB},
		{"session", "session-of-s1", storyA},
		{"check", "s5", storyF},
		{"vendor's event", "a", storyA},
		{"vendor's event, a dead letter", "b", storyB},
		{"event", eventOf(webhook{id: "c"}), storyC},
		{"event in capitals", strings.ToUpper(eventOf(webhook{id: "c"})), storyC},
		{"delivery", delivery(record.Position{Offset: 4}), storyC},
		{"waiting", "s3", "0@5 HYDRATING events=0 letters=0 repeated=[]"},
		{"nothing", "nobody", ""},
		{"nothing by key", "shop/nobody", ""},
		{"nothing by position", "1@99", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := healthy(t)
			if got := told(w.trace(c.id)); got != c.want {
				t.Errorf("told\n%s\nwant\n%s", got, c.want)
			}
			for base := range w.topics { // raw has expired
				if base == schemas.Raw {
					w.spans[0], w.spans[1] = audit.Span{Next: 7}, audit.Span{Next: 1}
					w.topics[base] = make([][]record.Record, partitions)
				}
			}
			s := w.trace(c.id)
			if got := told(s); got != c.want {
				t.Errorf("without the raw topic told\n%s\nwant\n%s", got, c.want)
			}
			for _, d := range s.Deliveries {
				if d.Kept || d.ID != delivery(d.Raw) || d.Key == "" || d.ReceivedAt.IsZero() || d.VendorID == "" {
					t.Errorf("without the raw topic this is not told: %+v", d)
				}
			}
		})
	}
}

// TestTraceByOtherForm: what stands hashed in keys, dispositions and events is found by the id that a person
// knows.
func TestTraceByOtherForm(t *testing.T) {
	w := newWorld(t)
	h := webhook{id: "#event", subject: "#subject"}
	raw := w.receive(h)
	w.dispose(h, raw, emitted, event(h))
	w.emit(h, raw, func(md *kycv1.EventMetadata) { md.VendorEventId, md.Subject.CustomerReference = "", "#reference" })
	waits := webhook{id: "#other", subject: "#waiting"}
	w.receive(waits)
	a := w.archive()
	a.Pending = map[int32]int64{0: 1}
	a.Forms = func(id string) []string { return []string{id, "#" + id} }
	a.PartitionOf = func(key string, _ int32) int32 {
		if key == "shop/subject" {
			return 1 // the key as a person would write it
		}
		return 0
	}
	for id, want := range map[string]string{
		"event": "0@0", "#event": "0@0", "subject": "0@0", "#subject": "0@0", "shop/subject": "0@0", "shop/#subject": "0@0", "reference": "0@0",
		"waiting": "0@1", "shop/waiting": "0@1", "even": "", "shop/even": "", "##event": "",
	} {
		s, err := audit.Trace(t.Context(), a, id)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, d := range s.Deliveries {
			got += d.Raw.String()
		}
		if got != want {
			t.Errorf("%s finds %q, want %q", id, got, want)
		}
	}
}

// TestTraceUnderAKeyedHash: the key of a disposition that holds one is not that of the events, so they are looked for
// everywhere once the raw record has expired.
func TestTraceUnderAKeyedHash(t *testing.T) {
	w := newWorld(t)
	h := webhook{id: "x", subject: "subject"}
	raw := w.receive(h)
	kept := h
	kept.subject = "hmac-sha256:00"
	w.dispose(kept, raw, emitted, event(h))
	w.emit(h, raw)
	a := w.archive()
	a.PartitionOf = func(key string, _ int32) int32 {
		if key == h.key() {
			return 0
		}
		return 1
	}
	for _, expired := range []bool{false, true} {
		if expired {
			w.topics[schemas.Raw] = make([][]record.Record, partitions)
		}
		s, err := audit.Trace(t.Context(), a, "0@0")
		if err != nil || len(s.Deliveries) != 1 || len(s.Deliveries[0].Events) != 1 {
			t.Errorf("expired %v: %+v, %v; want one delivery with its event", expired, s, err)
		}
	}
}

// TestTraceOfHydratedDuplicates: what the hydrate stage drops is joined to what it repeats, which
// it names by its task.
func TestTraceOfHydratedDuplicates(t *testing.T) {
	w := newWorld(t)
	x, y := webhook{"x", "s1", 0}, webhook{"y", "s1", 0}
	first, second := w.receive(x), w.receive(y)
	w.dispose(x, first, hydrating)
	w.dispose(y, second, hydrating)
	w.emit(x, first, fetchedAt(noon))
	w.dispose(x, first, emitted, event(x), hydrated(40))
	w.dispose(y, second, duplicate, hydrated(41), of(record.Position{Offset: 40}))
	want := "0@0 HYDRATING EMITTED events=1 letters=0 repeated=[0@1]\n0@1 HYDRATING DUPLICATE(0@0) events=0 letters=0 repeated=[]"
	for _, id := range []string{"0@0", "0@1", "x", "y", "s1"} {
		if got := told(w.trace(id)); got != want {
			t.Errorf("%s told\n%s\nwant\n%s", id, got, want)
		}
	}
	w.topics[schemas.DispositionTopic][0] = w.topics[schemas.DispositionTopic][0][3:] // the first emission is out of the window
	if got, want := told(w.trace("y")), "0@1 DUPLICATE events=0 letters=0 repeated=[]"; got != want {
		t.Errorf("without its original told\n%s\nwant\n%s", got, want)
	}
}

// TestTraceOfWhatIsNotProcessed: a raw record without a disposition is found by key, position and id.
func TestTraceOfWhatIsNotProcessed(t *testing.T) {
	w := healthy(t)
	raw := w.receive(webhook{"x", "s9", 0})
	a := w.archive()
	a.Pending[0] = raw.Offset
	for _, id := range []string{raw.String(), "s9", "shop/s9", delivery(raw)} {
		s, err := audit.Trace(t.Context(), a, id)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Deliveries) != 1 || !s.Deliveries[0].Pending || !s.Deliveries[0].Kept || s.Deliveries[0].ID != delivery(raw) {
			t.Errorf("%s told %+v", id, s.Deliveries)
		}
	}
	if s := w.trace(raw.String()); len(s.Deliveries) != 1 || s.Deliveries[0].Pending {
		t.Errorf("a record that was passed over counts as pending: %+v", s.Deliveries)
	}
}

// TestTraceReadsLittle: of a position or a key only its partition is read.
func TestTraceReadsLittle(t *testing.T) {
	for id, want := range map[string]int{"1@0": 1, "shop/s5": 2, "s5": 3} {
		w := healthy(t)
		if got := told(w.trace(id)); got != storyF {
			t.Errorf("%s told %s", id, got)
		}
		if n := w.scans[schemas.DispositionTopic]; n != want {
			t.Errorf("%s: %d scans of disposition partitions, want %d", id, n, want)
		}
		if n, whole := w.scans[schemas.Check], 1+map[bool]int{true: partitions}[id == "s5"]; n != whole {
			t.Errorf("%s: %d scans of event partitions, want %d", id, n, whole)
		}
	}
}

func TestTraceIsBounded(t *testing.T) {
	w := newWorld(t)
	for n := range audit.MaxDeliveries + 5 {
		w.pass(webhook{fmt.Sprint(n), "s1", 0})
	}
	s := w.trace("s1")
	if !s.More || len(s.Deliveries) != audit.MaxDeliveries {
		t.Errorf("%d deliveries, more: %v; want %d and more", len(s.Deliveries), s.More, audit.MaxDeliveries)
	}
	if n := w.scans[schemas.Raw]; n > 2+partitions {
		t.Errorf("the raw topic was read %d times for neighbouring records", n)
	}
	if s = w.trace("7"); s.More || len(s.Deliveries) != 1 {
		t.Errorf("one delivery among many: %d, more: %v", len(s.Deliveries), s.More)
	}
}

func TestTraceRefusesUnknownPartitions(t *testing.T) {
	if _, err := audit.Trace(t.Context(), healthy(t).archive(), "7@1"); err == nil || !strings.Contains(err.Error(), "has no partition 7: it has 2") {
		t.Errorf("error is %v", err)
	}
}

// TestTraceOfAnEarlierTopic: dispositions of a raw topic that was deleted are not mixed with those
// of the one that has its name now.
func TestTraceOfAnEarlierTopic(t *testing.T) {
	w := healthy(t)
	x := webhook{"x", "s1", 0}
	w.dispose(x, record.Position{}, emitted, event(x), func(d *kycv1.Disposition) { d.RawTopicId = []byte(strings.Repeat("x", 16)) })
	a := w.archive()
	a.Raw.ID = [16]byte{15: 1}
	relabel(t, w.topics[schemas.DispositionTopic][0], a.Raw.ID)
	s, err := audit.Trace(t.Context(), a, "x")
	if err != nil || len(s.Deliveries) != 0 || s.Earlier != 1 {
		t.Errorf("told %s, earlier %d, error %v; want nothing and one", told(s), s.Earlier, err)
	}
	if s, err = audit.Trace(t.Context(), a, "0@0"); err != nil || told(s) != storyA {
		t.Errorf("told %s, error %v; want %s", told(s), err, storyA)
	}
}

// TestTraceTellsNothingPersonal: bodies are read by nobody, and shown to nobody.
func TestTraceTellsNothingPersonal(t *testing.T) {
	w := healthy(t)
	text, err := json.MarshalIndent(w.trace("shop/s1").Deliveries, "", "  ")
	if err != nil || strings.Contains(string(text), "CANARY") {
		t.Errorf("error %v, or a body is shown:\n%s", err, text)
	}
	golden(t, "testdata/story.json", string(text)+"\n")
}

// FuzzTrace: any id gives a story or an error.
func FuzzTrace(f *testing.F) {
	for _, id := range []string{"0@0", "shop/s1", "a", "@", "0@", "99999999999@1", "/", "shop/", "1@999999999999999999"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		w := healthy(t)
		a := w.archive()
		a.PartitionOf = func(key string, n int32) int32 { return int32(crc32.ChecksumIEEE([]byte(key)) % uint32(n)) }
		if s, err := audit.Trace(t.Context(), a, id); err == nil && s == nil {
			t.Errorf("neither a story nor an error of %q", id)
		}
	})
}
