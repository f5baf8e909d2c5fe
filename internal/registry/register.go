package registry

import (
	"context"
	"fmt"
)

// Change is what registering did for one schema.
type Change struct {
	Finding
	Registered bool
	SetLevel   bool // from Finding.Level to Wanted
}

// Register puts what is missing of the contract into a registry, each schema after those it imports, and sets the
// compatibility of the subjects that are less strict. What is there already stays, whatever its text. done is called
// after each schema, so that what was done is known even if a later one fails.
func (c *Client) Register(ctx context.Context, q Query, done func(Change)) error {
	contract, err := Contract(q.Prefix)
	if err != nil {
		return err
	}
	imports := map[string]held{}
	for i := range contract {
		s := &contract[i]
		change, has, err := c.put(ctx, s, q, imports)
		if err != nil {
			return err
		}
		imports[s.Path] = has
		done(change)
	}
	return nil
}

// put registers one schema. A subject that has versions is made strict before it gets another; one that has none
// cannot be in every registry.
func (c *Client) put(ctx context.Context, s *Schema, q Query, imports map[string]held) (change Change, has held, err error) {
	if change.Finding, has, err = c.look(ctx, s, q.Form, imports); err != nil {
		return change, has, err
	}
	tighten := func() error {
		if change.SetLevel || q.Strict(change.Level) {
			return nil
		}
		change.SetLevel = true
		return c.setLevel(ctx, s.Subject)
	}
	if change.Taken {
		if err = tighten(); err != nil {
			return change, has, err
		}
	}
	if has.found() {
		return change, has, nil
	}
	if has, err = c.post(ctx, s, q.Form, imports); err != nil {
		return change, has, err
	}
	change.Version, change.Registered = has.newest, true
	return change, has, tighten()
}

// post registers a schema and looks it up again: its id alone does not say which version it became.
func (c *Client) post(ctx context.Context, s *Schema, form Form, imports map[string]held) (held, error) {
	body, whole := s.body(form, imports)
	if !whole {
		return held{}, fmt.Errorf("%s imports what was not registered before it", s.Path) // Contract has them in order
	}
	if _, err := c.sr.RegisterSchema(ctx, s.Subject, body, -1, -1); err != nil {
		return held{}, c.refusal(s, err)
	}
	has, err := c.find(ctx, s, imports, form)
	if err == nil && !has.found() {
		err = fmt.Errorf("the registry took the schema of subject %s and gives back another: does something change schemas on their way?", s.Subject)
	}
	return has, err
}

func (c *Client) refusal(s *Schema, err error) error {
	told := c.explain("register a version of subject "+s.Subject, err)
	switch incompatible, invalid := refused(err); {
	case incompatible:
		return fmt.Errorf("%w; the schema is not compatible with versions that consumers may still use: is this an older release, or is the subject somebody else's?", told)
	case invalid:
		return fmt.Errorf("%w; the registry cannot read the schema, or lacks what it refers to: were imports deleted?", told)
	}
	return told
}
