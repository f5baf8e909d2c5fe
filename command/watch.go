package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// watch prints the domain events, the dead letters and the copies, one short line each.
func watch(ctx context.Context, env *environment, f kafkaFlags) error {
	s, err := f.servers(env, "watch")
	if err != nil {
		return err
	}
	bases, err := topicBases(nil, schemas.DefaultPrefix)
	if err != nil {
		return err
	}
	bases = append(bases, schemas.DeadLetterTopic, schemas.DispositionTopic)
	for r, err := range operate.Tail(ctx, s, operate.TailQuery{Topics: bases}) {
		if err != nil {
			return err
		}
		if !worthALine(r) {
			continue
		}
		if err := env.printShort(shortLine(s, r), colourOf(r)); err != nil {
			return cannotPrint(err)
		}
	}
	return nil
}

// printShort prints a line about a record, on a terminal cut to its width and coloured.
func (env *environment) printShort(line, colour string) error {
	if env.painted == nil {
		_, err := io.WriteString(env.stdout, line)
		return err
	}
	text := fitted(escapeLine(strings.TrimSuffix(line, "\n")), env.width())
	if colour != "" {
		text = colour + text + plain
	}
	_, err := io.WriteString(env.painted, text+"\n")
	return err
}

// fitted is text in so many columns, with a mark where it was cut; 0 columns are not known. A character is taken
// for one column wide, which those of keys and words are.
func fitted(text string, columns int) string {
	runes := []rune(text)
	if columns <= 0 || len(runes) <= columns {
		return text
	}
	return string(runes[:columns-1]) + "…"
}

// Colours of a terminal, by what a record says.
const (
	plain  = "\x1b[0m"
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	dim    = "\x1b[2m"
)

// colourOf is how a record stands out; "" for most.
func colourOf(r operate.Record) string {
	switch m := r.Message.(type) {
	case *kycv1.DeadLetter:
		return red
	case *kycv1.Disposition:
		return dim
	case *kycv1.SessionEvent:
		return map[kycv1.Decision]string{
			kycv1.Decision_DECISION_APPROVED: green, kycv1.Decision_DECISION_DECLINED: red, kycv1.Decision_DECISION_REVIEW: yellow,
		}[m.GetDecision()]
	}
	return ""
}

// worthALine: what became of a delivery is told by its events or its dead letter. A copy
// has none, so its disposition is all there is to see.
func worthALine(r operate.Record) bool {
	d, ok := r.Message.(*kycv1.Disposition)
	return !ok || d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
}

// shortLine renders a record for a person who watches: when, topic, key, what
// happened. It shows what the event says and none of its metadata.
func shortLine(s operate.Servers, r operate.Record) string {
	line := fmt.Sprintf("%s  %-18s %s  ", r.Time.Local().Format(time.TimeOnly), r.Topic, shown(string(r.Key)))
	if r.Message == nil {
		return fmt.Sprintf("%s(%v)\n", line, cmp.Or(r.Err, errors.New("no value")))
	}
	return line + strings.Join(happened(s, r), " ") + "\n"
}

// happened is what a record says.
func happened(s operate.Servers, r operate.Record) []string {
	switch m := r.Message.(type) {
	case *kycv1.DeadLetter:
		what := append([]string{"DEAD LETTER"}, s.Words(m)...)
		if m.GetField() != "" {
			what = append(what, fmt.Sprintf("field=%q", shown(m.GetField())))
		}
		return append(what, fmt.Sprintf("stage=%q", shown(m.GetStage())))
	case *kycv1.Disposition:
		return append([]string{"DUPLICATE of " + position(m.GetDuplicateOf()) + ", no second event"}, inBrackets(m.GetVendorEventType())...)
	case schemas.DomainEvent:
		return append(s.Words(m), inBrackets(m.GetMetadata().GetVendorEventType())...)
	}
	return s.Words(r.Message)
}

// inBrackets is the vendor's type of an event; nothing where the vendor has none.
func inBrackets(typ string) []string {
	if typ == "" {
		return nil
	}
	return []string{"(" + shown(typ) + ")"}
}

// position is a record of the raw topic, as `trace` takes it.
func position(p *kycv1.RawPosition) string {
	return fmt.Sprintf("%d@%d", p.GetPartition(), p.GetOffset())
}
