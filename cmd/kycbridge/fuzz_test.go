package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
)

// FuzzJSONLine: whatever is in a record, its line is one line of valid JSON.
func FuzzJSONLine(f *testing.F) {
	for i := range schemas.Topics() {
		f.Add(i, []byte("shop/abc"), "ce_id", []byte("9d1e"), []byte("\x0a\x02ab"))
	}
	f.Add(0, []byte("\xff\n"), "\xfe", []byte("\x00"), []byte("\xff"))
	f.Fuzz(func(t *testing.T, topic int, key []byte, name string, header, value []byte) {
		topics := schemas.Topics()
		r := &kgo.Record{
			Topic: topics[uint(topic)%uint(len(topics))].Name("p."), Timestamp: time.UnixMilli(int64(topic)),
			Key: key, Value: value, Headers: []kgo.RecordHeader{{Key: name, Value: header}},
		}
		text := jsonLine(r, "p.")
		if !json.Valid(text) || bytes.Count(text, []byte("\n")) != 1 || !bytes.HasSuffix(text, []byte("\n")) {
			t.Errorf("not one line of JSON: %q", text)
		}
		if short := shortLine(r, "p."); bytes.Count(short, []byte("\n")) != 1 || bytes.ContainsRune(short, '\x1b') {
			t.Errorf("not one line, or one with an escape: %q", short)
		}
	})
}
