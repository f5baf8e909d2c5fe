package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// letterLine is a letter in JSON, without its body. Scripts read it: fields are
// added, never renamed.
type letterLine struct {
	Time      time.Time         `json:"time"`
	Reason    string            `json:"reason"`
	Stage     string            `json:"stage"`
	Field     string            `json:"field"`
	Detail    string            `json:"detail"`
	Attempts  int32             `json:"attempts"`
	Raw       Sample            `json:"raw"`
	Vendor    string            `json:"vendor"`
	Endpoint  string            `json:"endpoint"`
	Tenant    string            `json:"tenant"`
	Received  *time.Time        `json:"received_at"` // null where the record was not an envelope
	Type      string            `json:"content_type"`
	Headers   map[string]string `json:"headers"`
	BodyBytes int               `json:"body_bytes"`
	Letter    string            `json:"letter"` // topic/partition/offset
}

// MarshalJSON writes the letter without its body.
func (l Letter) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(l.line())
	return out.Bytes(), err
}

func (l Letter) line() letterLine {
	m, e := l.Message, l.Message.GetEnvelope()
	raw := m.GetRaw()
	line := letterLine{
		Time: l.Record.Time.UTC(), Reason: ReasonName(m.GetReason()), Stage: m.GetStage(), Field: m.GetField(),
		Detail: m.GetDetail(), Attempts: m.GetAttempts(),
		Raw:    Sample{Topic: raw.GetTopic(), Partition: raw.GetPartition(), Offset: raw.GetOffset(), Delivery: e.GetDeliveryId()},
		Vendor: e.GetProvider(), Endpoint: e.GetEndpoint(), Tenant: e.GetTenant(), Type: l.shown(e.GetContentType()),
		Headers: map[string]string{}, BodyBytes: len(e.GetBody()),
		Letter: fmt.Sprintf("%s/%d/%d", l.Record.Topic, l.Record.Partition, l.Record.Offset),
	}
	if e.GetReceivedAt() != nil {
		at := e.GetReceivedAt().AsTime()
		line.Received = &at
	}
	for _, h := range e.GetHeaders() {
		line.Headers[h.GetName()] = l.shown(h.GetValue())
	}
	return line
}
