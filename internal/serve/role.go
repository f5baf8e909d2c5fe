package serve

// Role is what a process does.
type Role struct {
	Name      string
	Ingest    bool
	Normalize bool
	Hydrate   bool
}

// Works reports whether the role has workers that share their transactional ids'
// numbering.
func (r Role) Works() bool { return r.Normalize || r.Hydrate }

// The roles there are.
var (
	All       = Role{"all", true, true, true}
	Ingest    = Role{"ingest", true, false, false}
	Normalize = Role{"normalize", false, true, false}
	Hydrate   = Role{"hydrate", false, false, true}
)
