package e2e

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
)

// contentIncidents: what stands in raw was not written by ingest.
func contentIncidents() []fault {
	return []fault{
		{name: "keyless", does: "a foreign producer writes records without a key, and such that are no envelopes, to raw", short: true, real: true, run: keyless},
	}
}

// keyless: whatever stands in a partition of raw, what comes after it comes out.
func keyless(s *scene) {
	_, first, second := s.calm()
	p := s.runbook("A record blocks a partition")
	var whole []byte
	for at, r := range s.during.snapshot() {
		if topicOf(at.topic).Base == schemas.Raw {
			whole = r.Value
		}
	}
	foreign := s.connect(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for partition := range int32(4) {
		for n, value := range [][]byte{whole, nil, []byte("no envelope"), {}} {
			for _, key := range [][]byte{nil, {}, []byte(fmt.Sprintf("foreign/%d", n))} {
				if n == 0 && key != nil && len(key) > 0 {
					continue // a sound envelope under a key that is not its own would be a delivery of somebody else's
				}
				r := &kgo.Record{Topic: s.prefix + schemas.Raw, Partition: partition, Key: key, Value: value}
				if err := foreign.ProduceSync(context.Background(), r).FirstErr(); err != nil {
					s.Fatal(err)
				}
			}
		}
	}
	s.strike()
	s.recover()
	if n := unready(first, second)(); n != "" {
		s.Errorf("not ready: %s", n)
	}
	if out := p.follow(0); !strings.Contains(strings.ToLower(out), "malformed") {
		s.Errorf("the list of dead letters does not show the foreign records:\n%s", out)
	}
	s.grow(60)
	s.enter(s.outcome())
}
