package normalize

import (
	"errors"
	"fmt"
)

// ErrLacking: a topic that a partition's records are written to has no partition of that number.
var ErrLacking = errors.New("partitions wait for topics that lack them")

// errWidened ends a session whose client does not know of new partitions yet.
var errWidened = errors.New("topics have the partitions now that they lacked")

// withhold has the partitions held that cannot be processed, and returns the others, which go on. One that can be
// again ends the session: its client may not know of new partitions for a while, and a new one does at once.
func (w *worker) withhold(owned []int32) (whole []int32, err error) {
	if w.o.Lacks == nil {
		return owned, nil
	}
	var hold, lacking []int32
	var cause error
	for _, p := range owned {
		switch err := w.o.Lacks(p); {
		case err != nil:
			lacking, cause = append(lacking, p), err
			if !w.withheld[p] {
				hold = append(hold, p)
			}
		case w.withheld[p]:
			return nil, errWidened
		default:
			whole = append(whole, p)
		}
	}
	if len(hold) > 0 {
		w.log.Error("partitions cannot be processed, and are held; the others go on", "topic", w.slot.Topic, "partitions", hold, "error", cause)
	}
	for _, p := range hold {
		w.withheld[p] = true
		w.ledger.Forget(p)
	}
	if cause == nil {
		w.state.end(ErrLacking)
	} else {
		w.state.set(&placed{w.slot.Topic, lacking, fmt.Errorf("%w: %w", ErrLacking, cause)})
	}
	return whole, nil
}
