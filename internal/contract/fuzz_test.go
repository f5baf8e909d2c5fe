package contract_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/contract/generated"
)

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
func (b *bytesOf) change(t testing.TB, m protoreflect.Message) {
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
		case ours(f) && f.IsList():
			b.changeItem(t, m.Mutable(f).List())
		case ours(f):
			b.change(t, m.Mutable(f).Message())
		case m.Has(f):
			values := valuesFor(m, f)
			if v := values[slices.Sorted(maps.Keys(values))[b.next(1<<8)*b.next(1<<8)%len(values)]]; v.IsValid() {
				m.Set(f, v)
			}
		}
	}
}

func (b *bytesOf) changeItem(t testing.TB, list protoreflect.List) {
	if list.Len() == 0 || b.next(4) == 0 {
		list.AppendMutable()
	}
	b.change(t, list.Get(b.next(list.Len())).Message())
}

// changedBy starts with a valid message.
func changedBy(t testing.TB, data []byte) proto.Message {
	b, all := bytesOf(data), append(fullMessages(), smallMessages()...)
	m := all[b.next(len(all))]
	b.change(t, m.ProtoReflect())
	return m
}

// FuzzValid shows that what is proven is valid, and on the way that what is valid is proven.
func FuzzValid(f *testing.F) {
	random := rand.NewChaCha8([32]byte{1})
	valid, refused := 0, 0
	for range 1000 {
		data := make([]byte, 64)
		random.Read(data) // never fails
		if violations(f, changedBy(f, data)) == nil {
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
		m := changedBy(t, data)
		if found := violations(t, m); generated.Valid(m) != (found == nil) {
			t.Errorf("%T breaks %v, proven: %v, of %v", m, found, generated.Valid(m), m)
		}
	})
}
