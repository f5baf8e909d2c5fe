package registry

import (
	"context"
	"strings"
)

// Finding is what a registry has of one schema of the contract.
type Finding struct {
	Subject string
	Version        // zero: it has no version that says what ours says
	Taken   bool   // the subject has versions
	Refused string // why the registry would refuse ours; "" where it would not, or does not say
	Level   Level  // the subject's, or the registry's where it has none of its own
	Doubt   string // why it cannot say; imports that are not there yet, or what it answered
}

// Found reports whether the schema is there.
func (f Finding) Found() bool { return f.Version.Version > 0 }

// Query says which schemas, and what is wanted of them.
type Query struct {
	Prefix   string // of the topics
	Form     Form
	AnyLevel bool // compatibility is left as it is: some registries cannot compare descriptors
}

// Strict reports whether a level is what a query wants.
func (q Query) Strict(l Level) bool { return q.AnyLevel || strict(l) }

// Compare asks a registry for every schema of the contract and changes nothing. The findings are in the order in
// which schemas are registered.
func (c *Client) Compare(ctx context.Context, q Query) ([]Finding, error) {
	contract, err := Contract(q.Prefix)
	if err != nil {
		return nil, err
	}
	var all []Finding
	imports := map[string]held{}
	for i := range contract {
		s := &contract[i]
		f, has, err := c.look(ctx, s, q.Form, imports)
		if err != nil {
			return all, err
		}
		imports[s.Path] = has
		if f.Taken && !f.Found() {
			f.Refused, f.Doubt = c.judge(ctx, s, q.Form, imports)
		}
		all = append(all, f)
	}
	return all, nil
}

// look finds a schema and the level of its subject.
func (c *Client) look(ctx context.Context, s *Schema, form Form, imports map[string]held) (f Finding, has held, err error) {
	if has, err = c.find(ctx, s, imports, form); err != nil {
		return f, has, err
	}
	f = Finding{Subject: s.Subject, Version: has.newest, Taken: has.versions > 0}
	f.Level, err = c.level(ctx, s.Subject)
	return f, has, err
}

// judge asks whether a registry would take a schema beside the versions that the subject has.
func (c *Client) judge(ctx context.Context, s *Schema, form Form, imports map[string]held) (refused, doubt string) {
	body, whole := s.body(form, imports)
	if !whole {
		return "", "imports of it must be registered first"
	}
	const allVersions = -2
	verdict, err := c.sr.CheckCompatibility(ctx, s.Subject, allVersions, body)
	switch {
	case err != nil:
		return "", c.explain("compare our schema with the versions of subject "+s.Subject, err).Error()
	case !verdict.Is:
		return c.clean(strings.Join(verdict.Messages, "; ")), ""
	}
	return "", ""
}
