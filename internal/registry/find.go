package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
)

// maxVersions bounds how many versions of a subject are read, from the newest.
const maxVersions = 100

// Version is a schema as a registry holds it.
type Version struct {
	ID      int // of the schema, in all of the registry
	Version int // of the subject
	Form    Form
}

// held is what a registry has of a schema: the newest version of the form that was asked for, and all that say the
// same, in any form, for what others refer to.
type held struct {
	newest   Version // zero: none
	same     []int
	versions int // of the subject, whatever they say
}

func (h held) found() bool { return h.newest.Version > 0 }

// find looks for a schema among the versions of its subject, from the newest. It goes by what they say, not by their
// text, and by what they import: the same text over another import is another schema. imports are those of the
// schema; their absence means that the schema cannot be there either.
func (c *Client) find(ctx context.Context, s *Schema, imports map[string]held, form Form) (held, error) {
	versions, err := c.sr.SubjectVersions(ctx, s.Subject)
	switch {
	case missing(err):
		return held{}, nil
	case err != nil:
		return held{}, c.explain("list the versions of subject "+s.Subject, err)
	}
	slices.Sort(versions)
	out := held{versions: len(versions)}
	for _, v := range slices.Backward(versions[max(0, len(versions)-maxVersions):]) {
		got, err := c.sr.SchemaByVersion(ctx, s.Subject, v)
		if missing(err) {
			continue // deleted just now
		}
		if err != nil {
			return held{}, c.explain(fmt.Sprintf("read version %d of subject %s", v, s.Subject), err)
		}
		itsForm, same := s.matches(got, imports)
		if !same {
			continue
		}
		out.same = append(out.same, v)
		if !out.found() && (form == AnyForm || form == itsForm) {
			out.newest = Version{ID: got.ID, Version: v, Form: itsForm}
		}
		if s.Message != "" && out.found() {
			return out, nil // nothing refers to it
		}
	}
	return out, nil
}

// matches reports whether a version says what the schema says, over imports that say what its imports say.
func (s *Schema) matches(got sr.SubjectSchema, imports map[string]held) (Form, bool) {
	if got.Type != sr.TypeProtobuf || len(got.References) != len(s.imports) {
		return 0, false
	}
	for _, r := range got.References {
		if !slices.Contains(s.imports, r.Name) || r.Subject != r.Name || !slices.Contains(imports[r.Name].same, r.Version) {
			return 0, false
		}
	}
	theirs, form, err := normal(s.Path, got.Schema.Schema)
	return form, err == nil && proto.Equal(theirs, s.normal)
}

// body is the schema as it is registered, over the newest versions of its imports; false where one is not there.
func (s *Schema) body(form Form, imports map[string]held) (sr.Schema, bool) {
	b := sr.Schema{Schema: s.in(form), Type: sr.TypeProtobuf}
	for _, path := range s.imports {
		if !imports[path].found() {
			return b, false
		}
		b.References = append(b.References, sr.SchemaReference{Name: path, Subject: path, Version: imports[path].newest.Version})
	}
	return b, true
}
