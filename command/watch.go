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
		if _, err := io.WriteString(env.stdout, shortLine(s, r)); err != nil {
			return cannotPrint(err)
		}
	}
	return nil
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
