package config

import (
	"testing"

	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestEveryEncodingIsThere: whatever a configuration may choose can be written.
func TestEveryEncodingIsThere(t *testing.T) {
	for n, name := range configv1.Encoding_name {
		if e := encoder(configv1.Encoding(n)); (e == nil) != (n == 0) {
			t.Errorf("%s is written by %v", name, e)
		}
	}
}
