package record

import "time"

// Record is one committed record of a topic, as it was read.
type Record struct {
	Topic      string
	Partition  int32
	Offset     int64
	Time       time.Time // the record's own
	Key, Value []byte
	Headers    []Header
}

// Header gives a record's header, "" where it has none of that name.
func (r Record) Header(name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// PollBytes ends a poll of a session: with the record that takes the values to so many bytes, decoded, though more
// were asked for. What is interpreted at once is bounded by it.
const PollBytes = 128 << 10
