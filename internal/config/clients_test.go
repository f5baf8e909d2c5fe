package config

import (
	"testing"

	"github.com/kycbridge/kycbridge/internal/registry"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestFormsAreAsConfigured: JSON is a second form, and the topics that are made and checked are those that are written.
func TestFormsAreAsConfigured(t *testing.T) {
	for json, want := range map[bool]int{false: 1, true: 2} {
		c := Config{File: &configv1.Config{Kafka: &configv1.Kafka{}, Topics: &configv1.Topics{Json: json}}}
		written := map[string]bool{}
		for _, f := range c.Forms() {
			for _, base := range f.Topics {
				written[base] = true
			}
		}
		if n := len(c.Forms()); n != want || written["session.v1.json"] != json || !written["session.v1"] {
			t.Errorf("topics.json: %v gives %d forms, which write %v", json, n, written)
		}
		for _, t := range c.KafkaOptions(nil).Catalogue() {
			delete(written, t.Base)
		}
		if len(written) > 0 {
			t.Errorf("topics.json: %v: nobody makes %v", json, written)
		}
	}
}

// TestEveryEncodingIsThere: whatever a configuration may choose is written in its own way.
func TestEveryEncodingIsThere(t *testing.T) {
	seen := map[registry.Place]string{}
	for n, name := range configv1.Encoding_name {
		if n == 0 {
			continue
		}
		place := idPlace(configv1.Encoding(n))
		if other := seen[place]; other != "" {
			t.Errorf("%s is written as %s is", name, other)
		}
		seen[place] = name
	}
}
