package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"buf.build/go/protovalidate"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestEnvelope(t *testing.T) {
	const body = "\xef\xbb\xbf{\"a\":\"\xff\x00\xed\xa0\x80\"}\r\n\n"
	log := ackAll()
	o := testOptions(t, log)
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	o.Now = func() time.Time { return now }
	var seen *providers.Delivery
	o.Endpoints[0].Provider.Key = func(d *providers.Delivery) string { seen = d; return "subject-1" }
	r := signed(t, "one", "new", body)
	r.Header["X-Test-Kind"] = []string{"b", "a"}
	r.Header["X-Another"] = []string{"caf\xe9"}
	r.Header.Set("Authorization", "Bearer canary")
	r.Header.Set("X-Unlisted", "canary")
	w := serve(newServer(t, o), r)
	got := log.all()[0]
	want := &kycv1.RawEnvelope{
		Provider: "testvendor", Endpoint: "one", Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_SANDBOX,
		ReceivedAt: timestamppb.New(now), Method: "POST", ContentType: "application/json; charset=utf-8",
		Headers: []*kycv1.HttpHeader{{Name: "X-Another", Value: "caf\ufffd"}, {Name: "X-Test-Kind", Value: "b"}, {Name: "X-Test-Kind", Value: "a"}},
		Body:    []byte(body), SecretId: "new", DeliveryId: w.Header().Get(deliveryIDHeader),
	}
	if !proto.Equal(got.envelope, want) {
		t.Errorf("envelope is\n%v\nwant\n%v", got.envelope, want)
	}
	if string(got.key) != "one/subject-1" {
		t.Errorf("key is %q", got.key)
	}
	if seen.Endpoint != "one" || seen.Tenant != "default" || string(seen.Body) != body || !seen.ReceivedAt.Equal(now) ||
		len(seen.Headers) != 2 || seen.Headers.Get("X-Test-Kind") != "b" || seen.ContentType != want.ContentType {
		t.Errorf("the key rule saw %+v", seen)
	}
	checkTrace(t, got, want.GetDeliveryId())
}

func checkTrace(t *testing.T, got appended, deliveryID string) {
	t.Helper()
	id, err := uuid.Parse(deliveryID)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(deliveryID))
	want := "00-" + hex.EncodeToString(id[:]) + "-" + hex.EncodeToString(sum[:])[:16] + "-01"
	if len(got.headers) != 1 || got.headers[0].Key != "traceparent" || string(got.headers[0].Value) != want {
		t.Errorf("record headers are %q, want traceparent %q alone", got.headers, want)
	}
}

// Whatever a sender puts into its headers, the envelope stays valid and can be
// written.
func TestEnvelopeIsAlwaysValid(t *testing.T) {
	validator, err := protovalidate.New(protovalidate.WithMessages(&kycv1.RawEnvelope{}))
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]http.Header{
		"none":         {},
		"long":         {"X-Test-Kind": {strings.Repeat("é", 10_000)}, "Content-Type": {"application/json; x=" + strings.Repeat("é", 1000)}},
		"many":         {"X-Test-Kind": make([]string, 500)},
		"bad bytes":    {"X-Test-Kind": {strings.Repeat("\xff", 9000)}, "Content-Type": {"application/json\xff"}},
		"empty values": {"X-Test-Kind": {"", ""}},
		"encodings":    {"Content-Encoding": {strings.Repeat("gzip, ", 5000), "\xff"}},
	} {
		log := ackAll()
		o := testOptions(t, log)
		r := signed(t, "one", "old", testBody)
		h.Set(testHeader, r.Header.Get(testHeader))
		r.Header = h
		if w := serve(newServer(t, o), r); w.Code != 200 {
			t.Errorf("%s: answered %d", name, w.Code)
			continue
		}
		e := log.all()[0].envelope
		if err := validator.Validate(e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := proto.Marshal(e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClip(t *testing.T) {
	for _, tc := range []struct {
		text string
		n    int
		want string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"ééé", 3, "ééé"}, {"éééé", 3, "ééé"},
		{"a\xffb", 3, "a\ufffdb"}, {"abc", 0, ""},
	} {
		if got := clip(tc.text, tc.n); got != tc.want || !utf8.ValidString(got) {
			t.Errorf("clip(%q, %d) is %q, want %q", tc.text, tc.n, got, tc.want)
		}
	}
}
