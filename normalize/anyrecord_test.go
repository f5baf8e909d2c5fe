package normalize_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The least max_message_bytes that a configuration takes, and what is left of it for a value.
const (
	leastMessage = 64 << 10
	leastValue   = leastMessage - 16<<10
)

// anything makes raw records of every kind that ingest, a foreign producer or a version of long ago may have
// written.
type anything struct {
	t   *testing.T
	rng *rand.Rand
	n   int
	all []wrote
}

// wrote is a record that was made, and what must become of it.
type wrote struct {
	kind   string
	record *kgo.Record
	same   string // what tells its copies; "": it has none
	kept   []byte // the body that its dead letter holds, if it fits
	// becomes is the first copy's disposition.
	becomes kycv1.DispositionKind
}

const (
	emitted = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED
	dead    = kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED
	asked   = kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING
)

func (a *anything) id() string { a.n++; return fmt.Sprint(a.n) }

func (a *anything) bytes(most int) []byte {
	b := make([]byte, a.rng.IntN(most+1))
	for i := range b {
		b[i] = byte(a.rng.Uint32())
	}
	return b
}

// delivery is a record as ingest writes it, changed.
func (a *anything) delivery(kind string, s said, becomes kycv1.DispositionKind, change ...func(*kycv1.RawEnvelope)) wrote {
	e := s.envelope()
	for _, f := range change {
		f(e)
	}
	value, err := proto.Marshal(e)
	if err != nil {
		a.t.Fatal(err)
	}
	w := wrote{kind: kind, record: &kgo.Record{Key: s.key(), Value: value}, becomes: becomes, kept: e.GetBody()}
	if s.ID != "" && e.GetProvider() != "nobody" {
		w.same = e.GetProvider() + "/" + s.ID
	}
	return w
}

// foreign is a record that is no envelope.
func (a *anything) foreign(kind string, value []byte) wrote {
	return wrote{kind: kind, record: &kgo.Record{Key: []byte("shop/x"), Value: value}, becomes: dead, kept: value}
}

func body(b []byte) func(*kycv1.RawEnvelope) { return func(e *kycv1.RawEnvelope) { e.Body = b } }

// keyed has a record's key be another one, which makes it none of ours.
func keyed(w wrote, kind string, key []byte) wrote {
	w.kind, w.record.Key, w.same, w.becomes, w.kept = kind, key, "", dead, w.record.Value
	return w
}

func headers(n, size int) (all []*kycv1.HttpHeader) {
	for i := range n {
		all = append(all, &kycv1.HttpHeader{Name: fmt.Sprint("H", i), Value: strings.Repeat("h", size)})
	}
	return all
}

func (a *anything) good() said {
	return said{Subject: fmt.Sprint(a.rng.IntN(5)), ID: a.id(), Text: "x"}
}

// does is a delivery over which the vendor's code goes wrong in the way named.
func (a *anything) does(what string) wrote {
	s := a.good()
	s.Do = what
	return a.delivery(what, s, dead)
}

// kinds are all the kinds, each made anew.
func (a *anything) kinds() []func() wrote {
	kinds := slices.Concat(a.sizes(), a.strange())
	for _, what := range []string{"mismatch", "new", "broken", "panic", "index", "invalid", "none", "utf8"} {
		kinds = append(kinds, func() wrote { return a.does(what) })
	}
	for range 3 {
		kinds = append(kinds, func() wrote { return a.delivery("good", a.good(), emitted) })
	}
	return kinds
}

// padded makes a delivery's body longer without saying more.
func padded(s said, size int) func(*kycv1.RawEnvelope) {
	return body(append(s.body(), bytes.Repeat([]byte(" "), size)...))
}

// sizes are deliveries of which something may not fit into a record.
func (a *anything) sizes() []func() wrote {
	asking := func(e *kycv1.RawEnvelope) { e.Provider = "asked" }
	return []func() wrote{
		func() wrote { s := a.good(); s.Events = 50; return a.delivery("many events", s, emitted) },
		func() wrote { s := a.good(); s.Events = 20000; return a.delivery("too many events", s, dead) },
		func() wrote {
			s := a.good()
			s.Events = leastValue / 40
			return a.delivery("events that one disposition cannot name", s, dead)
		},
		func() wrote {
			s := a.good()
			s.Text = strings.Repeat("x", leastMessage)
			return a.delivery("an event that does not fit", s, dead)
		},
		func() wrote {
			s := a.good()
			return a.delivery("a body that no letter holds", s, emitted, padded(s, a.rng.IntN(4*leastMessage)))
		},
		func() wrote {
			s := a.good()
			s.Do = "mismatch"
			return a.delivery("a letter that does not fit", s, dead, padded(s, 4*leastMessage))
		},
		func() wrote {
			s := a.good()
			s.Do = "mismatch"
			return a.delivery("a letter on the edge", s, dead, padded(s, leastValue-6000+a.rng.IntN(4000)))
		},
		func() wrote {
			s := a.good()
			s.Do = "mismatch"
			return a.delivery("headers that no letter holds", s, dead, func(e *kycv1.RawEnvelope) { e.Headers = headers(64, 8192) })
		},
		func() wrote { s := a.good(); return a.delivery("asks", s, asked, asking) },
		func() wrote {
			s := a.good()
			return a.delivery("asks, large", s, dead, asking, padded(s, leastMessage))
		},
		func() wrote {
			s := a.good()
			w := a.delivery("asks, on the edge", s, asked, asking, padded(s, leastValue-5000+a.rng.IntN(2000)))
			w.becomes = kycv1.DispositionKind_DISPOSITION_KIND_UNSPECIFIED // either
			return w
		},
	}
}

// strange are records that ingest does not write, or not for what is configured now.
func (a *anything) strange() []func() wrote {
	return []func() wrote{
		func() wrote { s := a.good(); s.ID = ""; return a.delivery("without identity", s, emitted) },
		func() wrote {
			return a.delivery("of a vendor that is gone", a.good(), dead, func(e *kycv1.RawEnvelope) { e.Provider = "nobody" })
		},
		func() wrote {
			return a.delivery("of an endpoint that is gone", a.good(), emitted, func(e *kycv1.RawEnvelope) { e.Endpoint = "closed" })
		},
		func() wrote { return a.foreign("a tombstone", nil) },
		func() wrote { return a.foreign("foreign bytes", a.bytes(300)) },
		func() wrote { return a.foreign("large foreign bytes", a.bytes(4*leastMessage)) },
		func() wrote { return a.foreign("JSON", a.good().body()) },
		func() wrote { return a.foreign("deep groups", bytes.Repeat([]byte{0x7b}, 1+a.rng.IntN(100_000))) },
		func() wrote {
			w := a.delivery("without a tenant", a.good(), dead, func(e *kycv1.RawEnvelope) { e.Tenant = "" })
			w.same, w.kept = "", w.record.Value
			return w
		},
		func() wrote {
			deep := strings.Repeat("[", 1+a.rng.IntN(100_000))
			return a.delivery("deep JSON", said{}, dead, body([]byte(deep)))
		},
		func() wrote {
			return a.delivery("a body that is no JSON", said{}, dead, body(append([]byte{'{'}, a.bytes(100)...)))
		},
		func() wrote { return keyed(a.delivery("", a.good(), dead), "without a key", nil) },
		func() wrote { return keyed(a.delivery("", a.good(), dead), "with an empty key", []byte{}) },
		func() wrote { return keyed(a.foreign("", nil), "a tombstone without a key", nil) },
		func() wrote {
			return keyed(a.delivery("", a.good(), dead), "with a huge key", bytes.Repeat([]byte("k"), 1025+a.rng.IntN(4*leastMessage)))
		},
		func() wrote {
			w := a.delivery("with a key that is no text", a.good(), emitted)
			w.record.Key = append([]byte{0xff, 0}, a.bytes(100)...)
			return w
		},
		func() wrote {
			w := a.delivery("with headers of somebody else", a.good(), emitted)
			for i := range 200 {
				w.record.Headers = append(w.record.Headers, kgo.RecordHeader{Key: fmt.Sprint(i), Value: a.bytes(1000)})
			}
			return w
		},
		func() wrote {
			w := a.delivery("from another age", a.good(), emitted)
			w.record.Timestamp = time.UnixMilli(a.rng.Int64N(1 << 45))
			return w
		},
	}
}

// sequence makes records for one partition, copies among them. At least one of each kind is in it if it is
// long enough.
func (a *anything) sequence(partition int32, n int) {
	kinds := a.kinds()
	order := a.rng.Perm(n)
	from := len(a.all)
	for i := range n {
		if made := a.all[from:]; len(made) > 0 && a.rng.IntN(5) == 0 {
			again := made[a.rng.IntN(len(made))]
			r := *again.record
			again.record = &r
			a.all = append(a.all, again)
			continue
		}
		w := kinds[order[i]%len(kinds)]()
		w.record.Topic, w.record.Partition = schemas.DefaultPrefix+schemas.Raw, partition
		a.all = append(a.all, w)
	}
}

// Whatever the raw topic holds, each partition advances to its end, and each record has one disposition: no
// record holds up those behind it. KYCBRIDGE_TEST_RECORDS=5000 makes more of it than fits into a build, and
// KYCBRIDGE_TEST_SEED repeats one.
func TestNoRecordHoldsUpItsPartition(t *testing.T) {
	const partitions = 3
	seed := uint64(number(t, "KYCBRIDGE_TEST_SEED", int(time.Now().UnixNano())))
	records := number(t, "KYCBRIDGE_TEST_RECORDS", 180)
	t.Logf("seed %d", seed)
	a := &anything{t: t, rng: rand.New(rand.NewPCG(seed, 1))}
	w := newWorld(t, partitions)
	w.Sink.MaxMessageBytes = leastMessage
	for p := range int32(partitions) {
		a.sequence(p, records/partitions)
	}
	for _, one := range a.all {
		w.Produce(one.record)
	}
	askers := vendor()
	askers.Name = "asked"
	askers.Maps = map[string]providers.MapFunc{"": func(*providers.Delivery, *providers.Notice) (providers.Mapping, error) {
		return providers.Mapping{Incomplete: true}, nil
	}}
	askers.Hydration = &providers.Hydration{Required: true, Needs: func(_ *providers.Delivery, n *providers.Notice) (providers.Target, bool) {
		return providers.Target{Kind: "object", ID: n.ID}, true
	}}
	p := w.start(0, func(o *normalize.Options) {
		o.Batch, o.MaxRecordBytes, o.Attempts = 1+a.rng.IntN(40), leastValue, o.Claims.(*dedupe.Store)
		o.Providers = append(o.Providers, askers)
	})
	w.Await("all of raw is committed", func() bool {
		if err := p.n.Ready(); errors.Is(err, normalize.ErrRefused) {
			t.Fatalf("a record holds up its partition: %v", err)
		}
		return w.settled()
	})
	w.audit()
	a.check(w)
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	return normalizetest.Must(strconv.Atoi(text))(t)
}

// check holds what became of each record against what it is.
func (a *anything) check(w *world) {
	a.t.Helper()
	type at struct {
		partition int32
		offset    int64
	}
	became, letters := map[at]*kycv1.Disposition{}, map[at]*kycv1.DeadLetter{}
	for _, d := range w.dispositions() {
		became[at{d.GetRaw().GetPartition(), d.GetRaw().GetOffset()}] = d
	}
	for _, l := range w.deadLetters() {
		letters[at{l.GetRaw().GetPartition(), l.GetRaw().GetOffset()}] = l
	}
	seen := map[string]bool{}
	for _, one := range a.all {
		place := at{one.record.Partition, one.record.Offset}
		kind, letter := became[place].GetKind(), letters[place]
		want := one.becomes
		if copyOf := fmt.Sprint(one.record.Partition, one.same); one.same != "" && seen[copyOf] {
			want = kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
		} else {
			seen[copyOf] = true
		}
		if want != kycv1.DispositionKind_DISPOSITION_KIND_UNSPECIFIED && kind != want {
			a.t.Errorf("%s at %v: %v, expected %v", one.kind, place, kind, want)
		}
		if (letter != nil) != (kind == dead) {
			a.t.Errorf("%s at %v: %v, and its dead letter is %v", one.kind, place, kind, letter.GetDetail())
		}
		if letter == nil {
			continue
		}
		switch kept := letter.GetEnvelope().GetBody(); {
		case len(one.kept) > leastValue && len(kept) > 0:
			a.t.Errorf("%s at %v: a letter of %d bytes", one.kind, place, len(kept))
		case len(one.kept) < leastValue/2 && !bytes.Equal(kept, one.kept) && one.kind != "headers that no letter holds":
			a.t.Errorf("%s at %v: its letter holds %d bytes of %d", one.kind, place, len(kept), len(one.kept))
		}
	}
}
