package main

// role is what a serving process does.
type role struct {
	name      string
	ingest    bool
	normalize bool
}

var (
	roleAll       = role{"all", true, true}
	roleIngest    = role{"ingest", true, false}
	roleNormalize = role{"normalize", false, true}
)
