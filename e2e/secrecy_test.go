package e2e

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
)

// canary is personal data that the load plants in bodies, of events and of dead letters. It belongs into
// the raw topic and what is made of it, and nowhere else.
const canary = "canary.person@example.invalid"

// tellsNothing (O6): no key, header or disposition holds personal data or a secret. Values of other topics
// may: they are the data.
func tellsNothing(t testing.TB, records map[position]*kgo.Record) {
	t.Helper()
	for at, r := range records {
		parts := [][]byte{r.Key}
		for _, h := range r.Headers {
			parts = append(parts, []byte(h.Key), h.Value)
		}
		if topicOf(at.topic).Base == schemas.DispositionTopic {
			parts = append(parts, r.Value)
		}
		for _, part := range parts {
			for _, word := range []string{canary, secret} {
				if bytes.Contains(part, []byte(word)) {
					t.Errorf("TOLD: %s/%d@%d says %q outside of a delivery's data", at.topic, at.partition, at.offset, word)
				}
			}
		}
	}
}

// quietAbout (O6) is the same for what a process prints and measures. The banner of `dev` shows its built-in
// secrets, which are none.
func quietAbout(t testing.TB, what, text string, dev bool) {
	t.Helper()
	for _, word := range []string{canary, secret} {
		if strings.Contains(text, word) && (word == canary || !dev) {
			t.Errorf("TOLD: %s hold %q", what, word)
		}
	}
}

// TestSecrecyCanFail shows that both see a word that does not belong there.
func TestSecrecyCanFail(t *testing.T) {
	seen := &failures{TB: t}
	at := position{topic: schemas.DefaultPrefix + schemas.Session}
	tellsNothing(seen, map[position]*kgo.Record{at: {Headers: []kgo.RecordHeader{{Key: "ce_subject", Value: []byte(canary)}}}})
	quietAbout(seen, "logs", "level=INFO secret="+secret, false)
	if len(seen.text) != 2 {
		t.Errorf("seen: %q, want two words", seen.text)
	}
}
