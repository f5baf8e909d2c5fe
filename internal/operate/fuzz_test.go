package operate

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// FuzzRecordJSON: whatever is in a record, its line is one line of valid JSON.
func FuzzRecordJSON(f *testing.F) {
	topics := append(schemas.Topics(), schemas.JSONTopics()...)
	for i := range topics {
		f.Add(i, []byte("shop/abc"), "ce_id", []byte("9d1e"), []byte("\x0a\x02ab"))
	}
	f.Add(len(topics)-1, []byte("shop/abc"), "ce_id", []byte("9d1e"), []byte("{\"vendorStatus\":\n\"a\"}"))
	f.Add(0, []byte("\xff\n"), "\xfe", []byte("\x00"), []byte("\xff"))
	f.Fuzz(func(t *testing.T, topic int, key []byte, name string, header, value []byte) {
		r := record.Record{
			Topic: topics[uint(topic)%uint(len(topics))].Name("p."), Time: time.UnixMilli(int64(topic)),
			Key: key, Value: value, Headers: []record.Header{{Key: name, Value: header}},
		}
		text := jsonLine(t, r, "p.")
		if !json.Valid([]byte(text)) || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
			t.Errorf("not one line of JSON: %q", text)
		}
	})
}
