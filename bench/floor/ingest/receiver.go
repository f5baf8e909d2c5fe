package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	endpoint = "complycube"
	maxBody  = 1 << 20 // bytes
)

// receiver takes webhooks.
type receiver struct {
	log    *kgo.Client
	secret []byte
}

// ServeHTTP takes one.
func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/readyz":
	case "/hooks/" + endpoint:
		s.take(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *receiver) take(w http.ResponseWriter, r *http.Request) {
	id, received := uuid.Must(uuid.NewV7()).String(), time.Now()
	w.Header()["Kycbridge-Delivery-Id"] = []string{id}
	if r.ContentLength > maxBody {
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		return
	}
	body := make([]byte, max(r.ContentLength, 0))
	if _, err := io.ReadFull(r.Body, body); err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	if !s.signed(r.Header.Get("ComplyCube-Signature"), body) {
		w.Header().Set("WWW-Authenticate", `Webhook realm="hooks"`)
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	if err := s.store(r, body, id, received); err != nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// signed reports whether the signature is that of the body.
func (s *receiver) signed(signature string, body []byte) bool {
	claimed, err := hex.DecodeString(signature)
	mac := hmac.New(sha256.New, s.secret)
	mac.Write(body)
	return err == nil && hmac.Equal(mac.Sum(nil), claimed)
}

// store returns when Kafka has the delivery.
func (s *receiver) store(r *http.Request, body []byte, id string, received time.Time) error {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(&kycv1.RawEnvelope{
		Provider: "complycube", Endpoint: endpoint, Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_SANDBOX,
		ReceivedAt: timestamppb.New(received), Method: r.Method, ContentType: r.Header.Get("Content-Type"),
		Headers: kept(r.Header), Body: body, SecretId: "primary", DeliveryId: id,
	})
	if err != nil {
		return err
	}
	record := &kgo.Record{Key: key(body), Value: value, Headers: []kgo.RecordHeader{trace(id)}}
	acknowledged := make(chan error, 1)
	s.log.TryProduce(context.Background(), record, func(_ *kgo.Record, err error) { acknowledged <- err })
	return <-acknowledged
}

// kept are the headers that the vendor's list names.
func kept(h http.Header) (all []*kycv1.HttpHeader) {
	for _, value := range h["User-Agent"] {
		all = append(all, &kycv1.HttpHeader{Name: "User-Agent", Value: value})
	}
	return all
}

// key is the endpoint, and the id of whom or what the webhook is about.
func key(body []byte) []byte {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	return []byte(endpoint + "/" + find(dec, `"payload"`, `"id"`))
}

// find reads an object to its end. It gives the text at a path of quoted names: the last one, where a
// name is repeated. What is wrong ends it, since a decoder then gives nothing more.
func find(dec *jsontext.Decoder, path ...string) (text string) {
	_, _ = dec.ReadToken()
	for dec.PeekKind() == '"' {
		switch name, _ := dec.ReadValue(); {
		case string(name) != path[0]:
			_ = dec.SkipValue()
		case len(path) > 1:
			text = find(dec, path[1:]...)
		default:
			value, _ := dec.ReadToken()
			text = value.String()
		}
	}
	_, _ = dec.ReadToken()
	return text
}

// trace begins the trace of a delivery: its id is the trace's.
func trace(id string) kgo.RecordHeader {
	trace, span := strings.ReplaceAll(id, "-", ""), sha256.Sum256([]byte(id))
	return kgo.RecordHeader{Key: "traceparent", Value: []byte("00-" + trace + "-" + hex.EncodeToString(span[:8]) + "-01")}
}
