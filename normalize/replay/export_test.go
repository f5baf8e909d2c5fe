package replay

import "github.com/kycbridge/kycbridge/normalize/dedupe"

// ClaimAs makes a replay claim in another state than its own.
func ClaimAs(o *Options, state dedupe.State) { o.kind = state }
