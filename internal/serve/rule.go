//go:build !setnx

package serve

import "github.com/kycbridge/kycbridge/normalize/dedupe"

// rule decides whether a copy is dropped; nil is the rule of package dedupe.
func rule() func(own dedupe.Claim, found *dedupe.Claim) dedupe.Step { return nil }
