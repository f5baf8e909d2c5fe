// Package config reads a configuration file: YAML decoded into the messages of
// kycbridge.config.v1, variables replaced, rules checked, defaults filled in,
// secrets read. Every error names file, line and field, and never a secret. It also
// makes of it what the clients of Kafka and Redis are opened with.
//
// It does not connect to anything, does not know flags, and leaves the options of the
// stages to those who run them.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"buf.build/go/protoyaml"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/config/generated"
	"github.com/kycbridge/kycbridge/providers"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// maxFile bounds a configuration file, in bytes.
const maxFile = 4 << 20

// Needs is what a process does, and so which parts of the file it reads. What it does
// not need is not expanded, not checked and not kept: a normalizer runs without the
// endpoints' secrets, an ingest without Redis' password, though all share one file.
type Needs struct {
	Ingest    bool
	Normalize bool
	Hydrate   bool
	Pepper    bool                 // to find in dispositions what is hashed there; the stages always read it
	Mapping   bool                 // to understand deliveries; the stages always read what it takes
	Registry  bool                 // to keep its schemas; the stages that write events always read it
	Vendors   []providers.Provider // those an endpoint may name

	Check bool // the file is only checked: what a start would merely warn of, see rules.RefusedByCheck, is a problem
}

// Load reads the file at path. The error is an *Error unless the file cannot
// be read at all.
func Load(path string, lookup Lookup, needs Needs) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, lookup, needs)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such file; name the configuration with --config, deploy/local.yaml is an example", path)
	case err != nil:
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxFile:
		return nil, fmt.Errorf("%s: larger than %d bytes; is this the configuration?", path, maxFile)
	}
	return data, nil
}

// Parse is Load for a file already read; path only appears in errors. What is wrong with one value is no reason to
// leave the others unread, so that one run names all that there is to mend.
func Parse(path string, data []byte, lookup Lookup, needs Needs) (*Config, error) {
	f, m := decode(data)
	if m == nil {
		return nil, newError(path, f.problems)
	}
	f.live = slices.ContainsFunc(m.Endpoints, isLive)
	leaveOut(m, needs)
	f.stage(func() { f.expand(m, lookup) })
	var broken error
	f.stage(func() { broken = f.validate(m) })
	if broken != nil {
		return nil, fmt.Errorf("%s: %w", path, broken)
	}
	applyDefaults(m)
	var c *Config
	f.stage(func() { c = f.resolve(m, needs) })
	f.stage(func() { f.lint(path, c, needs, time.Now()) })
	if len(f.problems) > 0 {
		return nil, &Error{Path: path, Problems: sorted(f.problems), Warnings: c.Warnings}
	}
	return c, nil
}

// leaveOut removes what a process with these needs does not use.
func leaveOut(m *configv1.Config, needs Needs) {
	if !needs.Ingest {
		m.Ingest = nil
		for i, e := range m.Endpoints {
			m.Endpoints[i] = &configv1.Endpoint{
				Name: e.Name, Provider: e.Provider, Environment: e.Environment, CustomerReference: e.CustomerReference, Api: e.Api,
			}
		}
	}
	if !needs.Ingest && !needs.Normalize && !needs.Hydrate {
		m.Admin = nil
		if !needs.Mapping {
			m.Endpoints = nil
		}
	}
	for _, e := range m.Endpoints {
		if e.Api != nil && !needs.Hydrate {
			e.Api = &configv1.Api{} // that there is one decides where a delivery goes
		}
	}
	if !needs.Normalize && !needs.Hydrate && !needs.Registry {
		m.Registry = nil
	}
	if !needs.Normalize && !needs.Hydrate {
		m.Redis, m.Normalize = nil, nil
		if m.Dedupe != nil { // who reads dispositions must know the topics that they may be about
			kept := &configv1.Dedupe{FormerTopics: m.Dedupe.FormerTopics}
			if needs.Pepper {
				kept.Pepper, kept.PepperFile = m.Dedupe.Pepper, m.Dedupe.PepperFile
			}
			m.Dedupe = kept
		}
	}
	if !needs.Hydrate {
		m.Hydrate = nil
	}
}

// decode turns YAML into a message as it is written: no variable replaced, no rule checked. What cannot be read
// is left out and noted; nil where nothing can.
func decode(data []byte) (*file, *configv1.Config) {
	f := &file{}
	data, f.problems = normalLines(data)
	if len(f.problems) == 0 {
		f.root, f.problems = parse(data)
	}
	if len(f.problems) > 0 {
		return f, nil
	}
	m := &configv1.Config{}
	k := &keys{paths: map[position]string{}, within: map[position]position{}}
	f.stage(func() {
		k.message(f.root, m.ProtoReflect().Descriptor(), "")
		f.problems = append(f.problems, k.problems...)
	})
	f.within = k.within
	f.stage(func() {
		for _, p := range k.decodeProblems(unmarshal(data, m)) {
			f.note(p)
		}
	})
	for _, at := range k.spoilt {
		f.told[at] = true
	}
	return f, m
}

// unmarshal keeps a panic of the decoder from ending the process: what it was
// given is a user's typo.
func unmarshal(data []byte, m proto.Message) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be decoded: the decoder panicked with a %T; is every value of the kind that docs/configuration.md gives?", r) // its text may quote a secret
		}
	}()
	return protoyaml.UnmarshalOptions{CustomUnmarshaler: shortEnums{}, DiscardUnknown: true}.Unmarshal(data, m)
}

// decoderLine is how protoyaml begins an error; the lines after it quote the
// file, which could quote a secret, and are dropped.
var decoderLine = regexp.MustCompile(`^:(\d+):(\d+) ([^\n]*)`)

func (k *keys) decodeProblems(err error) []Problem {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []Problem{{Text: oneLine(err.Error())}}
	}
	var problems []Problem
	for _, each := range joined.Unwrap() {
		found := decoderLine.FindStringSubmatch(each.Error())
		if found == nil {
			problems = append(problems, Problem{Text: oneLine(each.Error())})
			continue
		}
		line, _ := strconv.Atoi(found[1])
		column, _ := strconv.Atoi(found[2])
		p := Problem{Line: line, Column: column, Field: k.paths[position{line, column}], Text: found[3]}
		p.Text = decodeAdvice(p.Field, p.Text)
		problems = append(problems, p)
	}
	return problems
}

// decodeAdvice adds to a decoder's message what to do, and hides what it quotes of a
// field that may hold a secret.
func decodeAdvice(field, text string) string {
	switch what, _, _ := strings.Cut(text, ":"); {
	case holdsSecret(field) && quoted.MatchString(text):
		return what + "; its value is not shown, since it may be a secret"
	case what == "invalid duration":
		return text + `; write it like "15s", "2m30s" or "336h"`
	case enumNames.MatchString(text):
		return enumNames.ReplaceAllStringFunc(text, shortNames)
	case strings.HasPrefix(text, "expected bool"):
		return text + "; write true or false"
	}
	return text
}

// oneLine keeps the first line of a text.
func oneLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// file collects problems against the nodes they come from.
type file struct {
	root     *yaml.Node
	problems []Problem
	// told are the places of which a stage of the reading has said something, and the messages that hold them:
	// what a later stage says there, such as that something is missing, would follow from it.
	told    map[position]bool
	within  map[position]position // the message that a value stands in
	live    bool                  // one of the endpoints is, even if it was left out
	trusted bool                  // secrets come from the program itself, which knows what they guard
}

// stage runs one stage of the reading. Within it any number of problems may be found at one place.
func (f *file) stage(run func()) {
	before := len(f.problems)
	run()
	if f.told == nil {
		f.told = map[position]bool{}
	}
	for _, p := range f.problems[before:] {
		at := position{p.Line, p.Column}
		f.told[at] = true
		if message, ok := f.within[at]; ok { // it lacks what is wrong
			f.told[message] = true
		}
	}
}

// note adds a problem, unless it follows from what an earlier stage found.
func (f *file) note(p Problem) {
	if !f.told[position{p.Line, p.Column}] {
		f.problems = append(f.problems, p)
	}
}

func (f *file) expand(m *configv1.Config, lookup Lookup) {
	e := &expander{lookup: lookup}
	e.message(m.ProtoReflect(), nil)
	for _, v := range e.violations {
		f.violation(v)
	}
}

// validate runs the rules of the schema; an error means the rules themselves
// are broken. Compiling them takes megabytes that the process would never give
// back, so it is done only for a message that is not proven valid without.
func (f *file) validate(m *configv1.Config) error {
	if generated.Valid(m) {
		return nil
	}
	rules, err := protovalidate.New()
	if err != nil {
		return err
	}
	err = rules.Validate(m)
	var broken *protovalidate.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &broken):
		return err
	}
	for _, v := range broken.Violations {
		switch v.Proto.GetRuleId() {
		case "config.endpoint_names_unique":
			f.sameNames(m)
		case "config.dedupe_outlives_raw":
			f.add(fieldPath("dedupe", "ttl"), v.Proto.GetMessage())
		case "kafka.secrets_over_tls":
			f.add(fieldPath("kafka", "sasl"), v.Proto.GetMessage())
		default:
			f.violation(v.Proto)
		}
	}
	return nil
}

func (f *file) violation(v *validate.Violation) {
	f.add(v.GetField().GetElements(), v.GetMessage())
}

// sameNames finds the endpoints that share a name; the rule only knows that some do.
func (f *file) sameNames(m *configv1.Config) {
	first := map[string]int{}
	for i, e := range m.Endpoints {
		if j, twice := first[e.Name]; twice {
			f.add(fieldPath("endpoints", i, "name"), fmt.Sprintf("%q is the name of endpoints[%d] already; every endpoint needs its own", e.Name, j))
			continue
		}
		first[e.Name] = i
	}
}

// add notes a problem at the node nearest to a field: a field that is missing
// has none, so its message's node stands for it.
func (f *file) add(at []*validate.FieldPathElement, text string) {
	f.note(f.problem(at, text))
}

func (f *file) problem(at []*validate.FieldPathElement, text string) Problem {
	n := nodeAt(f.root, at)
	return Problem{Line: n.Line, Column: n.Column, Field: fieldText(at), Text: text}
}

// fieldText is a field's path as in the file.
func fieldText(at []*validate.FieldPathElement) string {
	return protovalidate.FieldPathString(&validate.FieldPath{Elements: at})
}
