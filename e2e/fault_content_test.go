package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// contentFaults: what is sent is too large, or cannot be used. Most of this is
// tested in process, beside the code; here is what needs the whole way.
func contentFaults() []fault {
	return []fault{
		{name: "large-bodies", does: "bodies around the limit, with and without a length, and 200 of 10 MB at once", run: largeBodies},
		{name: "poison", does: "unusable records in every partition, among thousands of good ones", short: true, run: poison},
	}
}

func largeBodies(s *scene) {
	in := s.ingest()
	s.normalizer(0, "")
	s.during = read(s, s.kafka, s.prefix)
	client := newClient()
	const limit = 1 << 20
	before := rss(s, in)
	for _, c := range []struct {
		size   int
		status int
	}{{limit - 1, 200}, {limit, 200}, {limit + 1, 413}, {10 << 20, 413}} {
		for _, chunked := range []bool{false, true} {
			d := padded(fmt.Sprintf("large-%d-%t", c.size, chunked), c.size)
			var body io.Reader = bytes.NewReader(d.body)
			if chunked {
				body = struct{ io.Reader }{body} // hides the length
			}
			status := request(client, s.hooks.any(), body, sign(d.body, secret))
			if status != c.status && !(c.status == 413 && status == 0) { // the connection may be closed on the sender
				s.Errorf("%d bytes, chunked %t: status %d, want %d", c.size, chunked, status, c.status)
			}
			if status == http.StatusOK {
				s.load.acked[d.key]++
			}
		}
	}
	var wg sync.WaitGroup
	huge := padded("large-huge", 10<<20)
	for range 200 {
		wg.Go(func() {
			if status := request(client, s.hooks.any(), bytes.NewReader(huge.body), sign(huge.body, secret)); status == http.StatusOK {
				s.Errorf("10 MB were accepted")
			}
		})
	}
	wg.Wait()
	if after := rss(s, in); after > before+300<<20 {
		s.Errorf("ingest grew from %d to %d bytes under 200 bodies of 10 MB", before, after)
	}
	s.strike()
	f := s.settle()
	for _, record := range f.raw {
		body := decode[*kycv1.RawEnvelope](s, record).GetBody()
		if n := len(body); n != limit && n != limit-1 || !bytes.HasSuffix(body, []byte("}")) {
			s.Errorf("a body of %d bytes is in the raw topic, want the whole of one of %d or %d", n, limit-1, limit)
		}
	}
}

// padded is a sound delivery of exactly so many bytes.
func padded(key string, size int) delivery {
	body := event(key, "check.completed.clear", `{"id":"%s","status":"complete","outcome":"clear","updatedAt":"%s","pad":""}`, key, "2026-01-02T03:00:00.000Z")
	at := bytes.LastIndex(body, []byte(`"pad":"`)) + len(`"pad":"`)
	filled := append(append(bytes.Clone(body[:at]), bytes.Repeat([]byte("x"), size-len(body))...), body[at:]...)
	return delivery{key: key, body: filled}
}

// poison: each unusable record becomes one dead letter, and blocks nothing.
func poison(s *scene) {
	s.ingest()
	s.normalizer(0, "")
	s.normalizer(1, "")
	s.send()
	client := newClient()
	var pills []string
	for n := range 60 {
		s.grow(numberFrom(s, "KYCBRIDGE_TEST_POISON_EVERY", 25))
		good := s.load.make(7 * n) // never sent: its id is spoilt
		body := bytes.Replace(good.body, []byte(s.load.run), []byte("poison"), 1)
		switch n % 3 {
		case 0:
			body = body[:len(body)/2]
		case 1:
			body = bytes.Replace(body, []byte("check.completed.clear"), []byte("poison.unknown"), 1)
		case 2:
			body = []byte(strings.Repeat("[", 5000+n))
		}
		status, header := post(client, s.hooks.any(), body, sign(body, secret))
		if status != http.StatusOK {
			s.Fatalf("pill %d: status %d, want 200: it is stored, then a dead letter", n, status)
		}
		pills = append(pills, header.Get("Kycbridge-Delivery-Id"))
	}
	s.strike()
	s.recover()
	f := s.settle()
	letters, partitions := map[string]int{}, map[int32]bool{}
	for _, letter := range f.dead {
		letters[letter.GetEnvelope().GetDeliveryId()]++
		partitions[letter.GetRaw().GetPartition()] = true
	}
	for _, id := range pills {
		if letters[id] != 1 {
			s.Errorf("pill %s became %d dead letters, want 1", id, letters[id])
		}
	}
	if len(partitions) < 4 {
		s.Errorf("there are dead letters in %d partitions, want all 4", len(partitions))
	}
}
