package main

// role is what a serving process does.
type role struct {
	name      string
	ingest    bool
	normalize bool
	hydrate   bool
}

// works says whether the role has workers that share their transactional ids'
// numbering.
func (r role) works() bool { return r.normalize || r.hydrate }

var (
	roleAll       = role{"all", true, true, true}
	roleIngest    = role{"ingest", true, false, false}
	roleNormalize = role{"normalize", false, true, false}
	roleHydrate   = role{"hydrate", false, false, true}
)
