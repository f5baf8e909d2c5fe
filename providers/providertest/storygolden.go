package providertest

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
)

// checkStoryGolden compares what a story becomes with the file beside it, one line for
// each event, or writes it.
func (s *suite) checkStoryGolden(t testing.TB, story providers.Story, results []*result) {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n", story.About)
	for i, r := range results {
		becomes := line(r)
		if n := copyOf(t, results, i); n > 0 {
			becomes = fmt.Sprintf("  a copy of delivery %d\n", n)
		}
		fmt.Fprintf(&out, "\n+%s %s\n%s", passed(story.Deliveries[i].After), typeOf(r), becomes)
	}
	file := filepath.Join("stories", story.Name+".want")
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := fs.ReadFile(s.Stories, path.Join("stories", story.Name+".want")); err != nil || string(want) != out.String() {
		t.Errorf("%s differs (%v). If the change is meant, run go test -update.\ngot:\n%s\nwant:\n%s", file, err, &out, want)
	}
}

// typeOf is the vendor's name for what is told.
func typeOf(r *result) string {
	if r.notice == nil || r.notice.Type == "" {
		return "a notice"
	}
	return r.notice.Type
}

// line is what a delivery becomes: a line for each event, with what is enumerated or
// counted in it, or one for the dead letter.
func line(r *result) string {
	if r.err != nil {
		return "  dead letter " + contract.EnumWord(reasonOf(r).Descriptor(), reasonOf(r).Number()) + "\n"
	}
	var out strings.Builder
	for _, e := range r.Events {
		topic, _ := schemas.TopicFor(e)
		fmt.Fprintf(&out, "  %s%s\n", topic.Base, said(e))
	}
	return out.String()
}

// said lists the enums, words, numbers and codes of an event, in the order of its fields.
func said(e proto.Message) string {
	var out strings.Builder
	m := e.ProtoReflect()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch f := fields.Get(i); {
		case !m.Has(f) || f.Message() != nil:
		case f.Enum() != nil:
			fmt.Fprintf(&out, " %s=%s", f.Name(), contract.EnumWord(f.Enum(), m.Get(f).Enum()))
		case f.IsList():
			fmt.Fprintf(&out, " %s=%s", f.Name(), listed(m.Get(f).List()))
		default:
			fmt.Fprintf(&out, " %s=%v", f.Name(), m.Get(f))
		}
	}
	return out.String()
}

func listed(l protoreflect.List) string {
	var all []string
	for i := range l.Len() {
		all = append(all, l.Get(i).String())
	}
	return strings.Join(all, ",")
}

// passed is a duration as a story has it: "9d", "3m20s".
func passed(d time.Duration) string {
	if days := d / (24 * time.Hour); days > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", days)
	}
	return d.String()
}
