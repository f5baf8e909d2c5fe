package audit

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// LetterQuery chooses dead letters: those that pass everything that is set.
type LetterQuery struct {
	// IDs are raw positions (see ParsePosition), delivery ids, or what Names gives; any of them.
	IDs          []string
	Reasons      []string  // as ReasonName gives them
	Vendors      []string  // in lower case
	Endpoints    []string  //
	Since, Until time.Time // of the letter's record; Until itself is out
	// Names gives further ids of a letter, such as the vendor's own. It is asked only
	// where IDs are set, and never about a letter over which processes died. nil: none.
	Names func(record.Record, *kycv1.DeadLetter) []string
	// Forms are all that one of IDs may stand as in Names. nil: only as it is.
	Forms func(id string) []string
}

// Letter is a dead letter and its record.
type Letter struct {
	Record  record.Record
	Message *kycv1.DeadLetter
	// Headers: its JSON has the headers and the content type as they came, not only what Headline lets through.
	Headers bool
}

func (l Letter) shown(text string) string {
	if l.Headers {
		return text
	}
	return Headline(text)
}

// ShownHeaders are its content type and its kept headers as they are shown, each with its name.
func (l Letter) ShownHeaders() [][2]string {
	e := l.Message.GetEnvelope()
	all := [][2]string{{"content type", l.shown(e.GetContentType())}}
	for _, h := range e.GetHeaders() {
		all = append(all, [2]string{"header " + h.GetName(), l.shown(h.GetValue())})
	}
	return all
}

// Letters gives the chosen letters of the dead-letter topic to fn, one partition
// after the other, and returns the ids that no letter has.
func Letters(ctx context.Context, s Source, q LetterQuery, fn func(Letter) error) (unknown []string, err error) {
	found := map[string]bool{}
	for p := range s.Partitions {
		err := s.Scan(ctx, p, func(r record.Record) error {
			letter := Letter{Record: r, Message: &kycv1.DeadLetter{}}
			if err := contract.Unmarshal(r.Value, letter.Message); err != nil {
				return fmt.Errorf("offset %d is not a dead letter: %w", r.Offset, err)
			}
			if !q.takes(letter, found) {
				return ctx.Err()
			}
			return fn(letter)
		})
		if err != nil {
			return nil, fmt.Errorf("topic %s partition %d: %w", s.Name, p, err)
		}
	}
	for _, id := range q.IDs {
		if !found[id] {
			unknown = append(unknown, id)
		}
	}
	return unknown, nil
}

func (q LetterQuery) takes(l Letter, found map[string]bool) bool {
	m, at := l.Message, l.Record.Time
	switch {
	case !q.Since.IsZero() && at.Before(q.Since), !q.Until.IsZero() && !at.Before(q.Until):
		return false
	case len(q.Reasons) > 0 && !slices.Contains(q.Reasons, ReasonName(m.GetReason())):
		return false
	case len(q.Vendors) > 0 && !slices.Contains(q.Vendors, m.GetEnvelope().GetProvider()):
		return false
	case len(q.Endpoints) > 0 && !slices.Contains(q.Endpoints, m.GetEnvelope().GetEndpoint()):
		return false
	}
	return len(q.IDs) == 0 || q.named(l, found)
}

// named reports whether one of the ids is the letter's.
func (q LetterQuery) named(l Letter, found map[string]bool) bool {
	var names []string
	if q.Names != nil && l.Message.GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER {
		names = q.Names(l.Record, l.Message)
	}
	hit := false
	for _, id := range q.IDs {
		partition, offset, ok := ParsePosition(id)
		raw := l.Message.GetRaw()
		if ok && partition == raw.GetPartition() && offset == raw.GetOffset() ||
			id == l.Message.GetEnvelope().GetDeliveryId() || slices.ContainsFunc(names, func(name string) bool { return q.means(id, name) }) {
			found[id], hit = true, true
		}
	}
	return hit
}

// means reports whether a name stands for an id.
func (q LetterQuery) means(id, name string) bool {
	return name == id || q.Forms != nil && slices.Contains(q.Forms(id), name)
}

// ParsePosition reads the position of a raw record: "3@17", "3/17", or with the
// topic in front, "kyc.raw.v1/3/17".
func ParsePosition(text string) (partition int32, offset int64, ok bool) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '@' })
	if n := len(words); n == 3 && strings.HasSuffix(words[0], schemas.Raw) {
		words = words[1:]
	}
	if len(words) != 2 || strings.Count(text, "/")+strings.Count(text, "@") > 2 {
		return 0, 0, false
	}
	p, err1 := strconv.ParseInt(words[0], 10, 32)
	o, err2 := strconv.ParseInt(words[1], 10, 64)
	if err1 != nil || err2 != nil || p < 0 || o < 0 {
		return 0, 0, false
	}
	return int32(p), o, true
}

// ReasonName is a reason as people write it: "unmapped".
func ReasonName(r kycv1.DeadLetterReason) string {
	return strings.ToLower(reasonName(r))
}

// ReasonNames are all there are.
func ReasonNames() (all []string) {
	values := kycv1.DeadLetterReason(0).Descriptor().Values()
	for i := range values.Len() {
		if r := kycv1.DeadLetterReason(values.Get(i).Number()); r != 0 {
			all = append(all, ReasonName(r))
		}
	}
	return all
}
