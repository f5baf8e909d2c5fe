package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// compareReceivers posts the same to both. The two write to one topic; an answer says which record is
// its own.
func compareReceivers(t *testing.T, w *world) {
	d := w.deploy()
	product, floor, err := d.receivers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good, bad := postings(t)
	var pairs [][2]string // delivery ids: the floor's, the product's
	for _, p := range append(good, bad...) {
		got, want := answerOf(t, floor, p), answerOf(t, product, p)
		if pairs = append(pairs, [2]string{got.Header.Get(deliveryID), want.Header.Get(deliveryID)}); len(got.Header[deliveryID]) != 1 {
			t.Fatalf("%s: the floor's answer names the deliveries %v", p.name, got.Header[deliveryID])
		}
		for _, a := range []*http.Response{got, want} {
			delete(a.Header, deliveryID)
			delete(a.Header, "Date")
		}
		if want.StatusCode != p.status || got.StatusCode != p.status || !reflect.DeepEqual(got.Header, want.Header) {
			t.Fatalf("%s is answered %s %v, want %d %s %v", p.name, got.Status, got.Header, p.status, want.Status, want.Header)
		}
		if g, w := content(t, got), content(t, want); g != w {
			t.Fatalf("%s is answered %q, want %q", p.name, g, w)
		}
	}
	for _, p := range []receiver{product, floor} {
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	compareDeliveries(t, d, good, pairs)
}

// deliveryID is the header of an answer that names its delivery.
const deliveryID = "Kycbridge-Delivery-Id"

// posting is a request and how it is to be answered.
type posting struct {
	name   string
	wire   []byte
	status int
}

// postings are webhooks, one of them so long that it is compressed, and what is refused.
func postings(t *testing.T) (good, bad []posting) {
	all := someWebhooks(t, 60)
	m, err := usualMix()
	if err != nil {
		t.Fatal(err)
	}
	m.length = 16 << 10
	long, err := m.webhooks(len(all), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range append(all, long...) {
		good = append(good, posting{"webhook " + h.id, h.wire, http.StatusOK})
	}
	forged, err := all[0].forged()
	if err != nil {
		t.Fatal(err)
	}
	head := "POST /hooks/complycube HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
	return good, []posting{
		{"a forgery", forged.wire, http.StatusUnauthorized},
		{"a body without a signature", fmt.Appendf(nil, head+"{}", 2), http.StatusUnauthorized},
		{"a body too long", bytes.Replace(fmt.Appendf(nil, head, 1<<20+1), []byte("Content-Type"), []byte("Complycube-Signature: 00\r\nContent-Type"), 1), http.StatusRequestEntityTooLarge},
	}
}

func answerOf(t *testing.T, p receiver, request posting) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(request.wire); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s: %v", request.name, err)
	}
	return answer
}

func content(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// compareDeliveries compares the records of the good postings, which are the first of the pairs.
func compareDeliveries(t *testing.T, d *deployment, good []posting, pairs [][2]string) {
	t.Helper()
	records, compressed := deliveriesOf(t, d), 0
	if len(records) != 2*len(good) {
		t.Fatalf("%d records for %d webhooks posted twice", len(records), len(good))
	}
	for i, p := range good {
		got, want := records[pairs[i][0]], records[pairs[i][1]]
		if got == nil || want == nil {
			t.Fatalf("%s has no record of one of its deliveries %s", p.name, pairs[i])
		}
		if got.Partition != want.Partition || !bytes.Equal(got.Key, want.Key) || got.Attrs.CompressionType() != want.Attrs.CompressionType() {
			t.Errorf("%s has key %q, partition %d, compression %d, want %q, %d, %d", p.name, got.Key, got.Partition, got.Attrs.CompressionType(),
				want.Key, want.Partition, want.Attrs.CompressionType())
		}
		if g, w := comparable(t, schemas.Raw, got.Value), comparable(t, schemas.Raw, want.Value); !bytes.Equal(g, w) {
			t.Errorf("%s is\n%q\nwant\n%q", p.name, g, w)
		}
		compareTraces(t, got, want, pairs[i])
		if want.Attrs.CompressionType() != 0 {
			compressed++
		}
	}
	if compressed == 0 || compressed == len(good) {
		t.Errorf("%d of %d records are compressed: want some, and not all", compressed, len(good))
	}
}

// deliveriesOf are raw records by the id of their delivery.
func deliveriesOf(t *testing.T, d *deployment) map[string]*kgo.Record {
	t.Helper()
	records := make(map[string]*kgo.Record)
	for _, r := range committedOf(t, d, schemas.Raw) {
		e := &kycv1.RawEnvelope{}
		if err := proto.Unmarshal(r.Value, e); err != nil {
			t.Fatal(err)
		}
		records[e.GetDeliveryId()] = r
	}
	return records
}

// compareTraces: the only header is a trace, made of the delivery's id.
func compareTraces(t *testing.T, got, want *kgo.Record, ids [2]string) {
	t.Helper()
	for i, r := range []*kgo.Record{got, want} {
		id, err := uuid.Parse(ids[i])
		span := sha256.Sum256([]byte(ids[i]))
		trace := strings.Join([]string{"00", hex.EncodeToString(id[:]), hex.EncodeToString(span[:8]), "01"}, "-")
		if err != nil || id.Version() != 7 {
			t.Errorf("delivery id is %q (%v), want a UUID of version 7", ids[i], err)
		}
		if len(r.Headers) != 1 || r.Headers[0].Key != "traceparent" || string(r.Headers[0].Value) != trace {
			t.Errorf("delivery %s has the headers %s, want the trace %s", ids[i], r.Headers, trace)
		}
	}
}
