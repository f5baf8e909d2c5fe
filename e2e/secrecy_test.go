package e2e

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/schemas"
)

// planted is personal data that every load plants in bodies, of events and of dead letters. It belongs into
// the raw topic and what is made of it, and nowhere else. TestCanaries plants all other kinds.
var planted = canary.Of("mail").Text

// secretCore is in every secret that TestCanaries configures.
const secretCore = "Zilpzalp"

// told are the kinds of personal data and the secrets that a text holds.
func told(text []byte) []string {
	words := canary.Seen(text)
	for _, word := range []string{secret, secretCore} {
		if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(word))) {
			words = append(words, word)
		}
	}
	return words
}

// beside is all of a record that anybody may see who may not see a delivery's data.
func beside(topic string, r *kgo.Record) map[string]string {
	parts := map[string]string{"the key": string(r.Key)}
	for _, h := range r.Headers {
		if h.Key != "ce_time" { // a date at the place of a time is a time
			parts["the header "+h.Key] = h.Key + ": " + string(h.Value)
		}
	}
	if topicOf(topic).Base == schemas.DispositionTopic {
		parts["the value"] = string(r.Value)
	}
	return parts
}

// tellsNothing (O6): no key, header or disposition holds personal data or a secret. Values of other topics
// may, in the fields that are there for it: they are the data.
func tellsNothing(t testing.TB, records map[position]*kgo.Record) {
	t.Helper()
	for at, r := range records {
		for part, text := range beside(at.topic, r) {
			for _, word := range told([]byte(text)) {
				t.Errorf("TOLD: %s of %s/%d@%d says %q outside of a delivery's data", part, at.topic, at.partition, at.offset, word)
			}
		}
	}
}

// quietAbout (O6) is the same for what a process prints and measures. The banner of `dev` shows its built-in
// secrets, which are none.
func quietAbout(t testing.TB, what, text string, dev bool) {
	t.Helper()
	for _, word := range told([]byte(text)) {
		if word != secret || !dev {
			t.Errorf("TOLD: %s hold %q", what, word)
		}
	}
}

// TestSecrecyCanFail shows that both see a word that does not belong there.
func TestSecrecyCanFail(t *testing.T) {
	for word, text := range map[string]string{"mail": planted, "token": canary.Of("token").Text, secret: secret, secretCore: secretCore + "-1"} {
		seen := &failures{TB: t}
		for at, r := range map[position]*kgo.Record{
			{topic: schemas.DefaultPrefix + schemas.Session}:          {Headers: []kgo.RecordHeader{{Key: "ce_subject", Value: []byte(text)}}},
			{topic: schemas.DefaultPrefix + schemas.Check}:            {Headers: []kgo.RecordHeader{{Key: text}}},
			{topic: schemas.DefaultPrefix + schemas.Aml}:              {Key: []byte("complycube/" + text)},
			{topic: schemas.DefaultPrefix + schemas.DispositionTopic}: {Value: []byte("x" + text)},
			{topic: schemas.DefaultPrefix + schemas.Raw}:              {Value: []byte(text)},
		} {
			tellsNothing(seen, map[position]*kgo.Record{at: r})
		}
		quietAbout(seen, "logs", "level=INFO said="+text, false)
		if len(seen.text) != 5 {
			t.Errorf("%s: seen %q, want it five times", word, seen.text)
		}
	}
}
