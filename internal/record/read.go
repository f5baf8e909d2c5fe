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
