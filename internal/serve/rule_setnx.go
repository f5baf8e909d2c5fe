//go:build setnx

package serve

import "github.com/kycbridge/kycbridge/normalize/dedupe"

// rule is the common one, "the key exists, so drop". It loses events. It is built in only
// to prove that the fault suite sees the loss.
func rule() func(own dedupe.Claim, found *dedupe.Claim) dedupe.Step {
	return func(_ dedupe.Claim, found *dedupe.Claim) dedupe.Step {
		if found == nil {
			return dedupe.Emit
		}
		return dedupe.Drop
	}
}
