package main

import (
	"bytes"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/tools/protoc-gen-go-contract/probe"
)

// What is generated for package probe, against the libraries.

var library = sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })

func allowed(t *testing.T, m proto.Message) bool {
	t.Helper()
	v, err := library()
	if err != nil {
		t.Fatal(err)
	}
	return v.Validate(m) == nil
}

// verdict is what the two say of a message.
type verdict struct{ valid, proven bool }

var (
	refused = verdict{false, false}
	left    = verdict{true, false} // to protovalidate
	proven  = verdict{true, true}
)

const someone, uuid = "a@b.example", "b5c1a7d2-3e4f-5a6b-8c7d-9e0f1a2b3c4d"

func TestFallsBack(t *testing.T) {
	minus := math.Copysign(0, -1)
	for _, c := range []struct {
		m    proto.Message
		want verdict
	}{
		{&probe.Email{}, refused}, {&probe.Email{It: "a"}, refused}, {&probe.Email{It: someone}, left},
		{&probe.NeededEmail{}, refused}, {&probe.NeededEmail{It: proto.String("")}, refused}, {&probe.NeededEmail{It: proto.String(someone)}, left},
		{&probe.OddUuid{It: uuid}, left}, {&probe.OddUuid{It: strings.Replace(uuid, "b5", "b6", 1)}, refused},
		{&probe.Expression{}, refused}, {&probe.Expression{It: "a"}, left},
		{&probe.ShortExpression{}, refused}, {&probe.ShortExpression{It: "a"}, left},
		{&probe.ListExpression{}, left}, {&probe.ListExpression{It: []string{"a", "b"}}, refused},
		{&probe.Constant{}, refused}, {&probe.Constant{It: probe.Grade_GRADE_GOOD}, left},
		{&probe.Below{}, refused}, {&probe.Below{It: -1}, left},
		{&probe.Outside{It: 1}, left}, {&probe.Outside{It: 2}, left}, {&probe.IgnoredDouble{}, left}, {&probe.IgnoredDouble{It: minus}, refused}, {&probe.IgnoredDouble{It: 1}, left},
		{&probe.Double{}, left}, {&probe.Double{It: minus}, refused}, {&probe.Double{It: 1}, left},
		{&probe.Own{}, refused}, {&probe.Own{It: "a!"}, left},
		{&probe.Unique{}, left}, {&probe.Unique{It: []string{"a", "a"}}, refused}, {&probe.Unique{It: []string{"a", "b"}}, left},
		{&probe.Whole{}, refused}, {&probe.Whole{It: "ba"}, left},
		{&probe.OneOf{}, left}, {&probe.OneOf{Which: &probe.OneOf_It{}}, refused}, {&probe.OneOf{Which: &probe.OneOf_Other{}}, left},
		{&probe.NeededOneOf{}, refused}, {&probe.NeededOneOf{Which: &probe.NeededOneOf_It{}}, left},
		{&probe.MessageOneOf{}, refused}, {&probe.MessageOneOf{It: "a"}, left}, {&probe.MessageOneOf{It: "a", Other: "b"}, refused},
		{&probe.HoldsEmail{}, proven}, {&probe.HoldsEmail{It: &probe.Email{}}, refused}, {&probe.HoldsEmail{It: &probe.Email{It: someone}}, left},
		{&probe.OptionalEmail{}, proven}, {&probe.OptionalEmail{It: proto.String("")}, refused}, {&probe.OptionalEmail{It: proto.String(someone)}, left},
		{&probe.IgnoredEmail{}, proven}, {&probe.IgnoredEmail{It: "a"}, refused}, {&probe.IgnoredEmail{It: someone}, left},
		{&probe.Emails{}, proven}, {&probe.Emails{It: []string{""}}, refused}, {&probe.Emails{It: []string{someone}}, left},
		{&probe.IgnoredItems{}, proven}, {&probe.IgnoredItems{It: []string{""}}, left}, {&probe.IgnoredItems{It: []string{"a"}}, refused},
		{&probe.OddKeys{}, proven}, {&probe.OddKeys{It: map[string]string{"b": ""}}, refused}, {&probe.OddKeys{It: map[string]string{"ab": ""}}, left},
		{&probe.Wrapped{}, proven}, {&probe.Wrapped{It: wrapperspb.String("a")}, refused}, {&probe.Wrapped{It: wrapperspb.String("ab")}, left},
		{&probe.Foreign{}, proven}, {&probe.Foreign{It: &kycv1.RawPosition{}}, refused}, {&probe.Foreign{It: &kycv1.RawPosition{Topic: "t"}}, left},
		{&probe.Later{}, proven}, {&probe.Later{It: &timestamppb.Timestamp{}}, refused}, {&probe.Later{It: &timestamppb.Timestamp{Seconds: 6}}, left},
		{&probe.OutsideSpan{}, proven}, {&probe.OutsideSpan{It: seconds(1)}, left}, {&probe.OutsideSpan{It: seconds(3)}, left}, {&probe.OutsideSpan{It: seconds(2)}, refused}, {&probe.OutsideSpan{It: seconds(0)}, left},
		{&probe.ShorterSpan{}, proven}, {&probe.ShorterSpan{It: seconds(1)}, refused}, {&probe.ShorterSpan{It: seconds(0)}, left},
		{&probe.SpanExpression{}, proven}, {&probe.SpanExpression{It: seconds(1)}, refused}, {&probe.SpanExpression{It: seconds(0)}, left},
		{&probe.Old{}, left}, {(*probe.HoldsEmail)(nil), left}, {&kycv1.RawPosition{Topic: "t"}, left}, {nil, left},
	} {
		if got := (verdict{allowed(t, c.m), probe.Valid(c.m)}); got != c.want {
			t.Errorf("%T %v: valid, proven = %v, want %v", c.m, c.m, got, c.want)
		}
	}
}

func seconds(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n} }

// known is full, and all of it is kept.
func known() *probe.Known {
	return &probe.Known{
		Needed: "a", Length: "éé", Optional: proto.String("ab"), Ignored: uuid, NeverLookedAt: "a", Octets: []byte("ab"), Number: -1, Wide: proto.Int64(5e9),
		List: []string{"a", "b"}, Pairs: map[string]string{"": "", "é": "az"}, InnerByNumber: map[int32]*probe.Known_Inner{0: {Name: "é"}},
		Inners: []*probe.Known_Inner{{}, {Next: &probe.Known_Inner{Name: "a"}}}, At: &timestamppb.Timestamp{}, Span: &durationpb.Duration{}, Flag: true, NeededOctets: []byte{0},
		Between: 1, Below: -1, Chosen: []string{"a", "'b\""}, Defined: probe.Grade_GRADE_GOOD, Above: seconds(1), From: &durationpb.Duration{Nanos: 1500000}, Until: seconds(-1),
	}
}

func TestKnownRules(t *testing.T) {
	long := &probe.Known_Inner{Name: "ab"}
	for i, c := range []struct {
		change func(*probe.Known)
		want   verdict
	}{
		{func(*probe.Known) {}, proven},
		{func(m *probe.Known) { m.Optional, m.Ignored, m.NeverLookedAt, m.Span = nil, "", "", nil }, proven},
		{func(m *probe.Known) { m.Needed = "" }, refused},
		{func(m *probe.Known) { m.Length = "é" }, refused},
		{func(m *probe.Known) { m.Length = "ééé" }, proven},
		{func(m *probe.Known) { m.Length = "abcd" }, refused},
		{func(m *probe.Known) { m.Length = "\xff\xff\xff" }, proven},
		{func(m *probe.Known) { m.Length = "\xff\xff\xff\xff" }, refused},
		{func(m *probe.Known) { m.Optional = proto.String("") }, refused},
		{func(m *probe.Known) { m.Ignored = uuid[1:] }, refused},
		{func(m *probe.Known) { m.Ignored = strings.ToUpper(uuid) }, proven},
		{func(m *probe.Known) { m.Octets = nil }, refused},
		{func(m *probe.Known) { m.Octets = []byte("abc") }, refused},
		{func(m *probe.Known) { m.Number = -2 }, refused},
		{func(m *probe.Known) { m.Wide = nil }, refused},
		{func(m *probe.Known) { m.Wide = proto.Int64(5e9 - 1) }, refused},
		{func(m *probe.Known) { m.List = nil }, refused},
		{func(m *probe.Known) { m.List = []string{"a", "b", "c"} }, refused},
		{func(m *probe.Known) { m.List[1] = "" }, refused},
		{func(m *probe.Known) { m.Pairs = nil }, refused},
		{func(m *probe.Known) { m.Pairs["c"] = "" }, refused},
		{func(m *probe.Known) { m.Pairs = map[string]string{"ab": ""} }, refused},
		{func(m *probe.Known) { m.Pairs = map[string]string{"a": "B"} }, refused},
		{func(m *probe.Known) { m.InnerByNumber[1] = long }, refused},
		{func(m *probe.Known) { m.Inners = nil }, refused},
		{func(m *probe.Known) { m.Inners[1].Next.Next = long }, refused},
		{func(m *probe.Known) { m.Inners[0] = nil }, left}, // an empty one, for protovalidate
		{func(m *probe.Known) { m.At = nil }, refused},
		{func(m *probe.Known) { m.Flag = false }, refused},
		{func(m *probe.Known) { m.NeededOctets = []byte{} }, refused},
		{func(m *probe.Known) { m.Between = -1 }, proven},
		{func(m *probe.Known) { m.Between = -2 }, refused},
		{func(m *probe.Known) { m.Between = 2 }, refused},
		{func(m *probe.Known) { m.Below = 0 }, refused},
		{func(m *probe.Known) { m.Chosen = nil }, proven},
		{func(m *probe.Known) { m.Chosen = []string{"a", "b"} }, refused},
		{func(m *probe.Known) { m.Chosen[0] = "" }, refused},
		{func(m *probe.Known) { m.Defined = 0 }, proven},
		{func(m *probe.Known) { m.Defined = 2 }, refused},
		{func(m *probe.Known) { m.Defined = -1 }, refused},
		{func(m *probe.Known) { m.Above, m.From, m.Until = nil, nil, nil }, proven},
		{func(m *probe.Known) { m.Above = seconds(0) }, proven},
		{func(m *probe.Known) { m.Above = seconds(-1) }, refused},
		{func(m *probe.Known) { m.Above = &durationpb.Duration{Nanos: -999999999} }, proven},
		{func(m *probe.Known) { m.Above = &durationpb.Duration{Seconds: 1, Nanos: 1} }, refused},
		{func(m *probe.Known) { m.Above = &durationpb.Duration{Seconds: 2, Nanos: -1000000000} }, proven}, // odd, and the same for both
		{func(m *probe.Known) { m.Above = seconds(math.MaxInt64) }, refused},
		{func(m *probe.Known) { m.From.Nanos-- }, refused},
		{func(m *probe.Known) { m.From.Nanos++ }, refused},
		{func(m *probe.Known) { m.Until = seconds(0) }, refused},
		{func(m *probe.Known) { m.Until = seconds(math.MinInt64) }, proven},
	} {
		m := known()
		c.change(m)
		if got := (verdict{allowed(t, m), probe.Valid(m)}); got != c.want {
			t.Errorf("case %d: valid, proven = %v, want %v, of %v", i, got, c.want, m)
		}
	}
	for octets, want := range map[string]verdict{"": refused, "a": refused, "ab": proven} {
		m := &probe.OptionalOctets{It: []byte(octets)}
		if got := (verdict{allowed(t, m), probe.Valid(m)}); got != want {
			t.Errorf("optional bytes %q: valid, proven = %v, want %v", octets, got, want)
		}
	}
}

func TestExpressionsOfFields(t *testing.T) {
	minus := math.Copysign(0, -1)
	for _, c := range []struct {
		m    *probe.Expressed
		want verdict
	}{
		{&probe.Expressed{}, proven},
		{&probe.Expressed{Text: "a"}, proven}, {&probe.Expressed{Text: "aé"}, proven}, {&probe.Expressed{Text: "b"}, refused}, {&probe.Expressed{Text: "ab"}, refused}, {&probe.Expressed{Text: "aaaa"}, refused},
		{&probe.Expressed{Maybe: proto.Int32(0)}, proven}, {&probe.Expressed{Maybe: proto.Int32(1)}, refused}, {&probe.Expressed{Maybe: proto.Int32(2)}, refused},
		{&probe.Expressed{Ignored: "a"}, refused}, {&probe.Expressed{Ignored: "é"}, proven},
		{&probe.Expressed{Items: []int64{0, 5e9 + 1}}, proven}, {&probe.Expressed{Items: []int64{0, 5e9}}, refused},
		{&probe.Expressed{Pairs: map[string]probe.Grade{"a": 1, "b": 7}}, proven}, {&probe.Expressed{Pairs: map[string]probe.Grade{"a": 0}}, refused}, {&probe.Expressed{Pairs: map[string]probe.Grade{"A": 1}}, refused},
		{&probe.Expressed{Real: minus}, proven}, {&probe.Expressed{Real: 0.001}, proven}, {&probe.Expressed{Real: 0.0009999}, refused}, {&probe.Expressed{Real: 10}, proven}, {&probe.Expressed{Real: 10.0001}, refused},
		{&probe.Expressed{Real: math.NaN()}, refused}, {&probe.Expressed{Real: math.Inf(1)}, refused}, {&probe.Expressed{Real: -1}, refused},
		{&probe.Expressed{Flag: true}, refused},
	} {
		if got := (verdict{allowed(t, c.m), probe.Valid(c.m)}); got != c.want {
			t.Errorf("%v: valid, proven = %v, want %v", c.m, got, c.want)
		}
	}
}

// Each expression that is known holds exactly where CEL says so.
func TestExpressionsAreCEL(t *testing.T) {
	for _, m := range []proto.Message{
		&probe.Expression1{}, &probe.Expression2{}, &probe.Expression3{}, &probe.Expression4{}, &probe.Expression5{}, &probe.Expression6{}, &probe.Expression7{},
		&probe.Expression8{}, &probe.Expression9{}, &probe.Expression10{}, &probe.Expression11{}, &probe.Expression12{}, &probe.Expression13{}, &probe.Expression14{},
	} {
		random := rand.New(rand.NewPCG(1, 2))
		held := 0
		for range 500 {
			r := m.ProtoReflect().New()
			if random.IntN(20) > 0 {
				r.Set(r.Descriptor().Fields().ByName("v"), protoreflect.ValueOfMessage(values(random, 2).ProtoReflect()))
			}
			want, got := allowed(t, r.Interface()), probe.Valid(r.Interface())
			if want {
				held++
			}
			if got != want {
				t.Fatalf("%T: CEL says %v, the generated code %v, of %v", m, want, got, r)
			}
		}
		if held < 50 || held > 450 {
			t.Errorf("%T held for %d of 500 messages: that says little", m, held)
		}
	}
}

func values(random *rand.Rand, depth int) *probe.Values {
	texts := []string{"", "a", "'", "aa", "bab", "éé", "ééé", "\xff\xff", "c\n", "A", "\xfe\xff", "\u212a", "k"}
	v := &probe.Values{
		Text: texts[random.IntN(len(texts))], Octets: make([]byte, random.IntN(3)), Number: random.Int32N(4) - 1, Flag: random.IntN(2) == 0, Grade: probe.Grade(random.IntN(3)),
		List: make([]string, random.IntN(4)), Pairs: map[string]string{},
	}
	v.Wide = []int64{int64(v.Number), int64(v.Number), 0, 5e9, 5e9 - 1, int64(v.Number) + 1<<32}[random.IntN(6)]
	if random.IntN(3) == 0 {
		v.Maybe = proto.Int32(random.Int32N(2))
	}
	if random.IntN(2) == 0 {
		v.Pairs["a"] = ""
	}
	v.Real = []float64{0, math.Copysign(0, -1), 0.001, 0.0009, 1e7, 1, -1, math.NaN(), math.Inf(1)}[random.IntN(9)]
	if random.IntN(3) > 0 {
		v.Span = []*durationpb.Duration{{}, {Nanos: 1500000}, {Nanos: 1499999}, {Nanos: -1}, seconds(60), seconds(math.MaxInt64), {Seconds: 59, Nanos: 1e9}}[random.IntN(7)]
	}
	if random.IntN(3) > 0 {
		v.At = []*timestamppb.Timestamp{{}, {Seconds: -1}, {Nanos: 1}, {Seconds: math.MaxInt64}, {Seconds: math.MinInt64}, {Nanos: math.MinInt32}}[random.IntN(6)]
	}
	if depth > 0 && random.IntN(4) > 0 {
		v.Inner = values(random, depth-1)
	}
	for range random.IntN(3) * depth {
		v.Inners = append(v.Inners, values(random, depth-1))
	}
	return v
}

// FuzzPatterns compares the code for each pattern with the regular expression.
func FuzzPatterns(f *testing.F) {
	for _, s := range []string{
		"", "a", "k", "b", "ab", "c", "a\n", "\na", "b00-1", "b00-1234", "d00-1", "a0-1", "ab\n", "abcd", "ab\u2028", "z=é", "z=éé=", "zz=ééé=", "z=éééé", "z==", "a---", "a-b", "a-bb", "-", "é\xff", "éébb", "xébb", "\xff\xff",
		"aa", "aba", "a-", "a-x", "-a", "x-a", "kab", "KAB", "\u212aab", "kabc", "aab", "aabcdcd", "aabbb", "ABCa", "ABCab", "ABCabc", "x\na", "zé", "é", "\x00", "\x80", strings.Repeat("a", 5), strings.Repeat("é", 5),
	} {
		f.Add(s)
	}
	type pattern struct {
		m protoreflect.Message
		*regexp.Regexp
	}
	var patterns []pattern
	shapes := 0
	for _, m := range []proto.Message{
		&probe.Pattern1{}, &probe.Pattern2{}, &probe.Pattern3{}, &probe.Pattern4{}, &probe.Pattern5{}, &probe.Pattern6{}, &probe.Pattern7{},
		&probe.Pattern8{}, &probe.Pattern9{}, &probe.Pattern10{}, &probe.Pattern11{}, &probe.Pattern12{}, &probe.Pattern13{}, &probe.Pattern14{}, &probe.Pattern15{}, &probe.Pattern16{}, &probe.Pattern17{}, &probe.Pattern18{},
		&probe.Pattern19{}, &probe.Pattern20{}, &probe.Pattern21{},
	} {
		it := m.ProtoReflect().Descriptor().Fields().Get(0)
		rules := proto.GetExtension(it.Options(), validate.E_Field).(*validate.FieldRules)
		if _, ok := shapeOf(rules.GetString().GetPattern()); ok {
			shapes++
		}
		patterns = append(patterns, pattern{m.ProtoReflect(), regexp.MustCompile(rules.GetString().GetPattern())})
	}
	if shapes < 8 || shapes > len(patterns)-8 {
		f.Errorf("%d of %d patterns are shapes: one of the two is not tried", shapes, len(patterns))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range patterns {
			m := p.m.New()
			m.Set(m.Descriptor().Fields().Get(0), protoreflect.ValueOfString(text))
			if got := probe.Valid(m.Interface()); got != p.MatchString(text) {
				t.Errorf("%q matches %s: %v, the generated code says %v", text, p, !got, got)
			}
		}
	})
}

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		m  proto.Message
		ok bool
	}{
		{known(), false}, {&probe.Double{It: 1}, false}, {&probe.OneOf{}, false}, {&probe.Wrapped{}, false}, {&probe.Foreign{}, false}, {&probe.Old{}, false},
		{&probe.Numbers{}, false}, {&probe.OptionalFlag{}, false}, {&probe.OptionalOctets{}, false}, {&probe.Unsigned{}, false}, {&probe.HoldsUnsigned{}, false}, {&probe.OtherHalf{}, false},
		{nil, false}, {&kycv1.RawPosition{}, false}, {&probe.Email{It: "\xff"}, false}, {&probe.OddKeys{It: map[string]string{"a": "\xff"}}, false},
		{(*probe.Email)(nil), true}, {&probe.Email{It: "a"}, true}, {&probe.OddKeys{It: map[string]string{"b": "1", "a": "2", "": ""}}, true}, {&probe.HoldsEmail{It: &probe.Email{}}, true},
		{&probe.Encoded{}, true}, {&probe.Encoded{
			Last: "l", First: "f", Maybe: proto.String(""), Number: -1, At: &timestamppb.Timestamp{Seconds: 1, Nanos: 2},
			Inner: &probe.Encoded{Last: strings.Repeat("x", 200), At: &timestamppb.Timestamp{}},
		}, true},
	} {
		got, ok := probe.Append([]byte("before"), c.m)
		if ok != c.ok {
			t.Errorf("%T is encoded: %v, want %v", c.m, ok, c.ok)
			continue
		}
		if !ok {
			continue
		}
		if want, err := (proto.MarshalOptions{Deterministic: true}).MarshalAppend([]byte("before"), c.m); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%T is encoded as %x, want %x, error %v", c.m, got, want, err)
		}
	}
}
