package ruletest

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Fuzz shows that what is proven is valid, and on the way that what is valid is proven.
func (s Suite) Fuzz(f *testing.F) {
	random := rand.NewChaCha8([32]byte{1})
	valid, refused := 0, 0
	for range 1000 {
		data := make([]byte, 64)
		random.Read(data) // never fails
		if Broken(f, s.changedBy(data)) == nil {
			valid++
		} else {
			refused++
		}
		f.Add(data)
	}
	if valid < 100 || refused < 100 {
		f.Errorf("%d messages are valid and %d are not: one of the two is hardly tried", valid, refused)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := s.changedBy(data)
		if found := Broken(t, m); s.Valid(m) != (found == nil) {
			t.Errorf("%T breaks %v, proven: %v, of %v", m, found, s.Valid(m), m)
		}
	})
}

// changedBy starts with a valid message.
func (s Suite) changedBy(data []byte) proto.Message {
	b, all := bytesOf(data), append(s.Full(), s.Small()...)
	m := all[b.next(len(all))]
	s.change(&b, m.ProtoReflect())
	return m
}

// bytesOf hands out bytes, and zeros when there are no more.
type bytesOf []byte

func (b *bytesOf) next(n int) int {
	if len(*b) == 0 {
		return 0
	}
	c := (*b)[0]
	*b = (*b)[1:]
	return int(c) % n
}

func (b *bytesOf) text() string {
	n := min(b.next(1<<8), len(*b))
	s := string((*b)[:n])
	*b = (*b)[n:]
	return s
}

// change makes a few changes to a message and those in it, as the bytes say.
func (s Suite) change(b *bytesOf, m protoreflect.Message) {
	fields := fieldsOf(m.Descriptor())
	for range 1 + b.next(4) {
		f := fields[b.next(len(fields))]
		switch choice := b.next(8); {
		case choice == 0:
			m.Clear(f)
		case choice == 1 && f.Kind() == protoreflect.StringKind && !f.IsList():
			m.Set(f, protoreflect.ValueOfString(b.text()))
		case choice == 2 && f.Kind() == protoreflect.StringKind && f.IsList():
			m.Mutable(f).List().Append(protoreflect.ValueOfString(b.text()))
		case choice == 3 && f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString(b.text()).MapKey(), protoreflect.ValueOfString(b.text()))
		case s.ours(f) && f.IsList():
			s.changeItem(b, m.Mutable(f).List())
		case s.ours(f):
			s.change(b, m.Mutable(f).Message())
		case m.Has(f):
			values := valuesFor(m, f)
			if v := values[slices.Sorted(maps.Keys(values))[b.next(1<<8)*b.next(1<<8)%len(values)]]; v.IsValid() {
				m.Set(f, v)
			}
		}
	}
}

func (s Suite) changeItem(b *bytesOf, list protoreflect.List) {
	if list.Len() == 0 || b.next(4) == 0 {
		list.AppendMutable()
	}
	s.change(b, list.Get(b.next(list.Len())).Message())
}
