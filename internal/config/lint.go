package config

import (
	"fmt"
	"slices"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"

	"github.com/kycbridge/kycbridge/internal/config/rules"
)

// The lint looks at the whole of a configuration that is valid in each of its parts for values that open a door in
// silence. What it looks for is the table of package rules; here is how each of them is found.

// linter holds one configuration against the rules.
type linter struct {
	*file
	config *Config
	path   string // of the configuration; "" for one that is in no file
	needs  Needs
	now    time.Time
	live   bool // there is an endpoint of ENVIRONMENT_LIVE

	rule   rules.Rule // the one that is looked for
	more   int        // warnings of it above the most that are shown
	warned []Problem
}

// mostWarnings bounds what a start says about one rule: a file may have thousands of endpoints.
const mostWarnings = 10

// check finds what breaks a rule.
type check struct {
	rule rules.Rule
	look func(*linter)
}

// checks are all but those of the names of headers, which belong to reading the proofs.
func checks() []check {
	return []check{
		{rules.FilesWritable, (*linter).filesWritable},
		{rules.KeyReadable, (*linter).keyReadable},
		{rules.SecretReused, (*linter).secretReused},
		{rules.SecretAsName, (*linter).secretAsName},
		{rules.KafkaPlainText, (*linter).kafkaPlainText},
		{rules.KafkaPasswordPlain, (*linter).kafkaPasswordPlain},
		{rules.KafkaUnauthenticated, (*linter).kafkaUnauthenticated},
		{rules.RedisPasswordPlain, (*linter).redisPasswordPlain},
		{rules.RedisPlainText, (*linter).redisPlainText},
		{rules.RedisUnauthenticated, (*linter).redisUnauthenticated},
		{rules.RawLost, (*linter).rawLost},
		{rules.PersonalDataKept, (*linter).personalDataKept},
		{rules.ListenPublic, (*linter).listenPublic},
		{rules.SlowSenders, (*linter).slowSenders},
		{rules.StrangersMemory, (*linter).strangersMemory},
		{rules.LittleRoom, (*linter).littleRoom},
		{rules.ProxiesEverybody, (*linter).proxiesEverybody},
		{rules.NoPepper, (*linter).noPepper},
		{rules.PepperChange, (*linter).pepperChange},
		{rules.FailOpenSoon, (*linter).failOpenSoon},
		{rules.AdminExposed, (*linter).adminExposed},
		{rules.Unauthenticated, (*linter).unauthenticated},
		{rules.Unsigned, (*linter).unsigned},
		{rules.NoValidSecret, (*linter).noValidSecret},
		{rules.ProofAcrossTenants, (*linter).proofAcrossTenants},
		{rules.ProofAcrossEndpoints, (*linter).proofAcrossEndpoints},
		{rules.SecretTwice, (*linter).secretTwice},
		{rules.ReferenceAsIs, (*linter).referenceAsIs},
		{rules.AllowFromEverybody, (*linter).allowFromEverybody},
		{rules.AllowFromProxy, (*linter).allowFromProxy},
		{rules.AllowFromPrivate, (*linter).allowFromPrivate},
		{rules.KeySetPlain, (*linter).keySetPlain},
		{rules.APIPlain, (*linter).apiPlain},
		{rules.APIInternal, (*linter).apiInternal},
		{rules.APIAcrossTenants, (*linter).apiAcrossTenants},
		{rules.TasksLost, (*linter).tasksLost},
	}
}

// lint notes what breaks the rules: as problems of f where they refuse it, else among the warnings of c. It looks at
// what the process needs and at nothing else, so that each process judges its own part of the file.
func (f *file) lint(path string, c *Config, needs Needs, now time.Time) {
	l := &linter{file: f, config: c, path: path, needs: needs, now: now}
	l.live = slices.ContainsFunc(c.File.Endpoints, isLive)
	for _, check := range checks() {
		l.rule, l.more = check.rule, -mostWarnings
		check.look(l)
		if l.more > 0 {
			l.warned = append(l.warned, Problem{Text: fmt.Sprintf("and %d more such places [%s]", l.more, l.rule.ID)})
		}
	}
	sortProblems(l.warned)
	e := Error{Path: path, Problems: l.warned}
	c.Warnings = append(c.Warnings, e.Lines()...)
}

// ofProcess notes what is found of the whole process, which is live with any of its endpoints.
func (l *linter) ofProcess(at []*validate.FieldPathElement, format string, values ...any) {
	l.note(l.live, at, format, values...)
}

// ofEndpoint notes what is found of one endpoint.
func (l *linter) ofEndpoint(i int, field []any, format string, values ...any) {
	l.note(isLive(l.config.Endpoints[i].Endpoint), endpointPath(i, field...), format, values...)
}

func (l *linter) note(live bool, at []*validate.FieldPathElement, format string, values ...any) {
	found, mark := fmt.Sprintf(format, values...), l.rule.ID
	switch severity := l.rule.For(live); {
	case severity == rules.Refused, severity == rules.RefusedByCheck && l.needs.Check:
		l.add(at, ruled(l.rule, found, mark))
	case severity != rules.Nothing:
		if l.more++; l.more > 0 {
			return
		}
		if l.rule.Live > severity {
			mark += "; refused on ENVIRONMENT_LIVE"
		}
		l.warned = append(l.warned, l.problem(at, ruled(l.rule, found, mark)))
	}
}

// broken notes what a rule refuses wherever it is found.
func (f *file) broken(r rules.Rule, at []*validate.FieldPathElement, format string, values ...any) {
	f.add(at, ruled(r, fmt.Sprintf(format, values...), r.ID))
}

// ruled is how a broken rule reads.
func ruled(r rules.Rule, found, mark string) string {
	return fmt.Sprintf("%s: %s; %s [%s]", found, r.Why, r.Write, mark)
}

func endpointPath(i int, field ...any) []*validate.FieldPathElement {
	return fieldPath(append([]any{"endpoints", i}, field...)...)
}
