package normalize

import (
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
)

// begin decides where a partition that came is read from, whatever the group's offset says: no record may be
// passed over because somebody set the offset, and none need be read again for that.
//
// What was disposed of is told by the dispositions alone. Of raw records they tell how far the partition was
// read, and it goes on behind that. Offsets from before are believed, since a record that was passed over
// once is found in this way; what was disposed of is recognised. Of other topics they do not tell it: their
// partitions are read from the start of the log if somebody else has set the offset, and what is done with is
// recognised as well.
//
// It reports whether it must be called again soon.
func (w *worker) begin(p int32) (again bool) {
	place := w.owned.place(p)
	if place == nil || w.begun[p] == place {
		return false
	}
	var next int64
	if w.o.Claims != nil {
		switch {
		case w.ledger.Repaired(p):
			next = w.ledger.Next(p)
		case w.bypassed() && !place.Foreign:
			w.begun[p] = place
			return false
		default:
			return false // how far it was read is not known yet
		}
	}
	at, said := w.target(*place, next)
	if at != place.At() && !w.slot.Session.Seek(p, at) {
		return true // the partition is not there yet, or any more
	}
	w.begun[p] = place
	if place.Foreign || at != place.At() {
		w.progress.reached(p, at, time.Time{}) // nothing was committed by us
	}
	said.log(w, p, *place, at)
	return false
}

// moved is how far a group's offset was from where reading goes on.
type moved struct {
	forward, back int64 // records that it would have passed over, and that are read again
}

// target is where a partition is read from. next is the offset after the last raw record disposed of, 0 where
// there is none; of a stage that reads another topic, it tells only that there is one.
func (w *worker) target(place record.Place, next int64) (at int64, said moved) {
	if w.o.Source != nil {
		switch {
		case place.Foreign && place.Committed > place.Start:
			said.forward = place.Committed - place.Start
		case place.Foreign, place.Committed == record.Nowhere && next > 0:
			said.back = place.End - place.Start
		}
		return place.At(), said
	}
	switch own := !place.Foreign && place.Committed != record.Nowhere; {
	case own && (next == 0 || place.Committed <= next):
		return place.Committed, said // behind: reading again was begun before, and said then
	case place.Committed > next:
		at = max(next, place.Start)
		return at, moved{forward: place.Committed - at}
	}
	at = max(place.Committed, place.Start)
	return at, moved{back: max(next-at, 0)}
}

func (m moved) log(w *worker, p int32, place record.Place, at int64) {
	args := []any{"topic", w.slot.name(), "partition", p, "committed", place.Committed, "reads_from", at}
	if m.forward > 0 {
		w.metrics.moved.WithLabelValues("forward").Add(float64(m.forward))
		w.log.Warn("the group's offset was set forward; nothing is passed over for that", append(args, "records", m.forward)...)
	}
	if m.back > 0 {
		w.metrics.moved.WithLabelValues("back").Add(float64(m.back))
		w.log.Warn("the group's offset was set back or deleted; what was disposed of is recognised and left as it is", append(args, "records", m.back)...)
	}
}
