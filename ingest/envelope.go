package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Limits of the envelope's fields, texts in characters, as its schema has them.
const (
	maxContentType = 256
	maxHeaderValue = 8192
	maxHeaders     = 64
	maxSecretID    = 128
)

// seal makes the envelope of an authenticated delivery and its record's key.
func (e *endpoint) seal(r *http.Request, d *delivery, bytes []byte) (*kycv1.RawEnvelope, []byte) {
	headers, bytes := e.told(r.Header, bytes)
	contentType := clip(e.contentType(r.Header), maxContentType)
	key := e.key(&providers.Delivery{
		Endpoint:    e.Name,
		Tenant:      e.Tenant,
		Environment: e.Environment,
		ContentType: contentType,
		Headers:     headerMap(headers),
		Body:        bytes,
		ReceivedAt:  d.receivedAt,
	})
	return &kycv1.RawEnvelope{
		Provider:    e.Provider.Name,
		Endpoint:    e.Name,
		Tenant:      e.Tenant,
		Environment: e.Environment,
		ReceivedAt:  timestamppb.New(d.receivedAt),
		Method:      r.Method,
		ContentType: contentType,
		Headers:     headers,
		Body:        bytes,
		SecretId:    clip(strings.Join(d.secretIDs, ","), maxSecretID),
		DeliveryId:  d.idText,
	}, key
}

// told is what goes into the envelope of what was proved. Where the vendor put the event into a header, its value is
// the delivery, and takes the place of a body that says nothing for certain; where a proof is over the body, that
// header was proved by nothing, and is left out.
func (e *endpoint) told(h http.Header, body []byte) ([]*kycv1.HttpHeader, []byte) {
	switch values := h[e.event]; {
	case e.event == "":
		return e.kept(h), body
	case e.Proofs.BindBody():
		return e.kept(h, e.event), body
	case len(values) == 1 && values[0] != "":
		return e.kept(h, e.event, providers.EncodingHeader), []byte(values[0])
	}
	return e.kept(h), body
}

// kept copies the headers on the provider's list but for some, in the order of their names, without those that prove
// the sender.
func (e *endpoint) kept(h http.Header, but ...string) []*kycv1.HttpHeader {
	var kept []*kycv1.HttpHeader
	for _, name := range e.keep {
		if slices.Contains(but, name) {
			continue
		}
		for _, value := range h[name] {
			if len(kept) == maxHeaders {
				return kept
			}
			kept = append(kept, &kycv1.HttpHeader{Name: name, Value: clip(value, maxHeaderValue)})
		}
	}
	return kept
}

// headerMap gives the key rule what the normaliser will see, and no more.
func headerMap(kept []*kycv1.HttpHeader) http.Header {
	if len(kept) == 0 {
		return nil
	}
	h := make(http.Header, len(kept))
	for _, line := range kept {
		h[line.GetName()] = append(h[line.GetName()], line.GetValue())
	}
	return h
}

// clip makes text fit for the envelope: a protobuf string must be UTF-8, and a
// single bad byte in a header must not cost the delivery.
func clip(text string, characters int) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if len(text) <= characters {
		return text
	}
	for at := range text {
		if characters == 0 {
			return text[:at]
		}
		characters--
	}
	return text
}

// traceHeader starts the delivery's trace: the trace id is the delivery id, so
// that one leads to the other in any log.
func traceHeader(d *delivery) record.Header {
	sum := sha256.Sum256([]byte(d.idText))
	value := make([]byte, 0, 55)
	value = append(value, "00-"...)
	value = hex.AppendEncode(value, d.id[:])
	value = append(value, '-')
	value = hex.AppendEncode(value, sum[:8])
	value = append(value, "-01"...)
	return record.Header{Key: "traceparent", Value: value}
}

// A delivery is what is known about one request while it is served.
type delivery struct {
	id         uuid.UUID // version 7
	idText     string
	receivedAt time.Time
	started    time.Time // monotonic; the answer is due a budget later
	endpoint   *endpoint // nil for a path that can be none
	secretIDs  []string  // of what proved the sender, one for each check
	bodyRead   bool
	size       int
	failure    error // of the raw log, if it refused
}

// due is when the sender must have its answer.
func (d *delivery) due() time.Time { return d.started.Add(d.endpoint.budget) }
