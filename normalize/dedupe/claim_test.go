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
		"long offset":     append(bytes.Clone(good[:2+HashSize]), 0, 1),
		"long partition":  append([]byte{0x80, 0x00}, make([]byte, HashSize)...),
		"large partition": append([]byte{0x80, 0x80, 0x80, 0x80, 0x10}, make([]byte, HashSize)...),
		"a boolean":       []byte("1"),
	} {
		if c, err := ParseClaim(b); err == nil {
			t.Errorf("%s: read as %+v, expected an error", name, c)
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
	for _, s := range []watermark{blank(), {next: 0, highest: -1, owner: "x"}, {next: 1 << 62, highest: 1 << 61, owner: newOwner()}} {
		if got := parseWatermark(s.String()); got != s {
			t.Errorf("%q was read as %+v, expected %+v", s.String(), got, s)
		}
	}
	for _, text := range []string{"", "1:2", "a:1:x", "1:b:x", "-2:1:x", "1:-2:x", "1:2:3:4"} {
		if got := parseWatermark(text); got != blank() {
			t.Errorf("%q was read as %+v, expected nothing", text, got)
		}
	}
}

func FuzzParseWatermark(f *testing.F) {
	f.Add("12:34:abc")
	f.Add("-1:-1:")
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
