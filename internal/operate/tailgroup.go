package operate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/sink"
)

// GroupQuery chooses the records that a consumer group has not had yet: at first, all there are.
type GroupQuery struct {
	Group    string   // plain name; CheckGroup says which can be had
	Topics   []string // base names
	UntilEnd bool     // end once the group has had what the topics hold now
	Most     int      // end after so many records; 0: never
}

// CheckGroup refuses names that no reader can take: none at all, and those of the stages, whose partitions
// a reader would take away.
func (s Servers) CheckGroup(group string) error {
	if strings.TrimSpace(group) == "" {
		return errors.New("the name of the consumer group is empty")
	}
	for _, stage := range []string{normalize.DefaultGroup, hydrate.DefaultGroup} {
		if s.Kafka.Scoped(group) == s.Kafka.Scoped(stage) {
			return fmt.Errorf("%s is the consumer group of a stage of the bridge, which would lose deliveries to this reader: take another name", s.Kafka.Scoped(stage))
		}
	}
	return nil
}

// TailGroup hands out committed records as they come, those of a partition in order, as a member of a consumer group.
// The group's offsets follow each record that take gave nil for, so each is taken at least once, by one member of the
// group. A record that cannot be decoded is one like others. It ends with ctx, with the first error of take, and with
// the first error of Kafka.
func TailGroup(ctx context.Context, s Servers, q GroupQuery, take func(Record) error) error {
	if err := s.CheckGroup(q.Group); err != nil {
		return err
	}
	g, err := sink.OpenGroupReader(ctx, s.Kafka, q.Group, q.Topics)
	if err != nil {
		return unlessOver(ctx, err)
	}
	defer g.Close()
	var failed error
	taken := 0
	count := func(r record.Record) bool {
		if failed = take(s.decode(r)); failed == nil {
			taken++
		}
		return failed == nil
	}
	for ctx.Err() == nil && (q.Most == 0 || taken < q.Most) {
		if q.UntilEnd {
			if done, err := g.Reached(ctx); done || err != nil {
				return unlessOver(ctx, err)
			}
		}
		err := g.Each(ctx, batch(q.Most, taken), count)
		if err = errors.Join(unlessOver(ctx, failed), err); err != nil {
			return err
		}
	}
	return nil
}

// batch is how many records are asked for at once.
func batch(most, taken int) int {
	if most == 0 {
		return pollRecords
	}
	return min(pollRecords, most-taken)
}

// unlessOver is an error that the end of ctx does not explain.
func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
