package dedupe

import (
	"bytes"
	"testing"
)

func TestClaimRoundTrip(t *testing.T) {
	for _, c := range []Claim{
		{State: Pending},
		{State: Done, Partition: 11, Offset: 123456, Hash: [HashSize]byte{1, 2, 3, 4, 5, 6}},
		{State: Pending, Partition: 1<<31 - 1, Offset: 1<<63 - 1, Hash: [HashSize]byte{255}},
		{State: Replaying},
		{State: Replaying, Partition: 11, Offset: 123456},
		{State: Contested},
		{State: Contested, Partition: 1<<31 - 1, Offset: 1<<63 - 1},
	} {
		b := c.Append(nil)
		got, err := ParseClaim(b)
		if err != nil || got != c {
			t.Errorf("%+v became %x and then %+v, %v", c, b, got, err)
		}
	}
	for _, usual := range []Claim{{Partition: 63, Offset: 1<<40 - 1}, {Partition: 8191, Offset: 1<<32 - 1}} {
		if n := len(usual.Done().Append(nil)); n > 12 {
			t.Errorf("%+v takes %d bytes, expected 12 at most: memory of Redis is planned by it", usual, n)
		}
	}
}

func TestParseClaimRefuses(t *testing.T) {
	good := Claim{State: Pending, Partition: 200, Offset: 300}.Append(nil)
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"no hash":         good[:2],
		"half a hash":     good[:2+HashSize-1],
		"large offset":    append(bytes.Clone(good[:2+HashSize]), 0xff, 0, 0, 0, 0, 0, 0, 0),
		"larger offset":   append(bytes.Clone(good[:2+HashSize]), 1, 0, 0, 0, 0, 0, 0, 0, 0),
		"no state":        append(bytes.Clone(good[:2+HashSize]), 0, 0, 0, 1),
		"a mark's state":  append(Claim{State: Done}.Append(nil), 0),
		"long partition":  append([]byte{0x80, 0x00}, make([]byte, HashSize)...),
		"large partition": append([]byte{0x80, 0x80, 0x80, 0x80, 0x10}, make([]byte, HashSize)...),
		"a boolean":       []byte("1"),
	} {
		if c, err := ParseClaim(b); err == nil {
			t.Errorf("%s: read as %+v, expected an error", name, c)
		}
	}
}

// What a version without replays' claims wrote is read as it was meant.
func TestParseClaimOfBefore(t *testing.T) {
	for text, want := range map[string]Claim{
		"\x04\x01\x02\x03\x04\x05\x06\x4d": {State: Pending, Partition: 2, Offset: 77, Hash: [HashSize]byte{1, 2, 3, 4, 5, 6}},
		"\x05\x01\x02\x03\x04\x05\x06":     {State: Done, Partition: 2, Hash: [HashSize]byte{1, 2, 3, 4, 5, 6}},
	} {
		if got, err := ParseClaim([]byte(text)); err != nil || got != want {
			t.Errorf("%x was read as %+v, %v; expected %+v", text, got, err, want)
		}
	}
}

func FuzzParseClaim(f *testing.F) {
	f.Add(Claim{State: Pending, Partition: 3, Offset: 77, Hash: [HashSize]byte{9}}.Append(nil))
	f.Add(Claim{State: Done, Partition: 1<<31 - 1, Offset: 1<<63 - 1}.Append(nil))
	f.Add([]byte("P"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseClaim(b)
		if err != nil {
			return
		}
		// Equal claims must have equal bytes: the compare-and-set compares bytes.
		if again := c.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("%x was read as %+v, which is written as %x", b, c, again)
		}
	})
}

func TestKeyTellsEveryPartApart(t *testing.T) {
	base := Subject{Stage: "normalize", TopicID: [16]byte{1}, Tenant: "a", RawKey: []byte("shop/1"), Identity: []byte("e1")}
	key := NewKeyer(nil).Key
	seen := map[Key]string{key(base): "base"}
	for name, change := range map[string]func(*Subject){
		"stage":    func(s *Subject) { s.Stage = "hydrate" },
		"topic":    func(s *Subject) { s.TopicID[15] = 1 },
		"tenant":   func(s *Subject) { s.Tenant = "b" },
		"raw key":  func(s *Subject) { s.RawKey = []byte("shop/2") },
		"identity": func(s *Subject) { s.Identity = []byte("e2") },
		"shifted":  func(s *Subject) { s.RawKey, s.Identity = []byte("shop/1e"), []byte("1") },
	} {
		s := base
		change(&s)
		if was, ok := seen[key(s)]; ok {
			t.Errorf("another %s gives the key of %s", name, was)
		}
		seen[key(s)] = name
	}
	if NewKeyer([]byte("pepper")).Key(base) == key(base) {
		t.Error("the pepper does not change the key")
	}
	if key(base).Variant([32]byte{1}) == key(base).Variant([32]byte{2}) {
		t.Error("two contents have one variant key")
	}
}

func TestWatermarkRoundTrip(t *testing.T) {
	for _, s := range []watermark{
		blank(), {next: 0, highest: -1, last: -1, owner: "x"},
		{next: 1 << 62, highest: 1 << 61, owner: newOwner(), last: 1 << 60, pepper: "0123456789abcdef", generation: 7},
	} {
		if got := parseWatermark(s.String()); got != s {
			t.Errorf("%q was read as %+v, expected %+v", s.String(), got, s)
		}
	}
	for _, text := range []string{"", "1:2", "a:1:x", "1:b:x", "-2:1:x", "1:-2:x", "1:2:3:4", "1:2:x:-2::0", "1:2:x:0::z", "1:2:x:0::0:"} {
		if got := parseWatermark(text); got != blank() {
			t.Errorf("%q was read as %+v, expected nothing", text, got)
		}
	}
	if got, want := parseWatermark("12:34:abc"), (watermark{next: 12, highest: 34, owner: "abc", last: -1}); got != want {
		t.Errorf("a watermark of before was read as %+v, expected %+v", got, want)
	}
}

func TestLeastWatermark(t *testing.T) {
	for _, c := range []struct {
		name   string
		shards []string
		want   watermark
	}{
		{"equal", []string{"5:3:a:4:p:0", "5:3:a:4:p:0"}, watermark{5, 3, "a", 4, "p", 0}},
		{"one behind", []string{"5:3:a:4:p:0", "2:1:a:1:p:0"}, watermark{2, 3, "a", 4, "p", 0}},
		{"one lost", []string{"", "5:3:a:4:p:0"}, watermark{-1, 3, "", 4, "p", 0}},
		{"discarded in one", []string{"5:3:a:4:p:0", "-1:-1:b:-1::1"}, watermark{-1, -1, "b", -1, "", 1}},
		{"lost since they were discarded", []string{"5:3:a:4:p:1", ""}, watermark{-1, 3, "a", 4, "p", 1}},
	} {
		if got := leastWatermark(c.shards); got != c.want {
			t.Errorf("%s: %+v, expected %+v", c.name, got, c.want)
		}
	}
}

func FuzzParseWatermark(f *testing.F) {
	f.Add("12:34:abc")
	f.Add("-1:-1:")
	f.Add("12:34:abc:11:0123456789abcdef:2")
	f.Fuzz(func(t *testing.T, text string) {
		s := parseWatermark(text)
		if s.next < -1 || s.highest < -1 {
			t.Errorf("%q was read as %+v", text, s)
		}
		if again := parseWatermark(s.String()); again != s {
			t.Errorf("%+v was read back as %+v", s, again)
		}
	})
}
