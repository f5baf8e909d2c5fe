package dedupe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"sync"
)

// The names under which stages claim. Each claims in its own name.
const (
	StageNormalize = "normalize"
	StageHydrate   = "hydrate"
)

// KeySize is the length of a key in bytes.
const KeySize = 16

// Key is the idempotency key of a delivery as Redis knows it: 128 bits of an HMAC, so that nothing
// can be read back.
type Key [KeySize]byte

// String returns the key in hex, as operators see it in redis-cli --hex and in dispositions.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Subject is everything two deliveries must share to be copies of each other. The raw key is part
// of it, so copies always lie in one raw partition.
type Subject struct {
	Stage    string
	TopicID  [16]byte // of the topic the stage reads: a recreated topic starts over
	Tenant   string
	RawKey   []byte
	Identity []byte // the vendor's rule, from signed material only
}

// Keyer makes keys. Its pepper must be the same in every process; another one forgets all claims.
type Keyer struct {
	tools       *sync.Pool // of *keyTool
	fingerprint [8]byte
	former      []Former
}

// Former is a topic that a stage read before its deployment moved to another cluster: what was published of
// it is a reason to drop here as well.
type Former struct {
	TopicID [16]byte
	// SameOffsets: its records lie in the topic that the stage reads now, where they lay.
	SameOffsets bool
}

// IsFormer reports whether a topic is one of those that a stage read before.
func IsFormer(all []Former, topic [16]byte) bool {
	return slices.ContainsFunc(all, func(f Former) bool { return f.TopicID == topic })
}

// SameOffsets reports whether an offset of a topic is that of the same record in the one that a stage reads now: it is
// that one, or one whose records lie there where they lay.
func SameOffsets(all []Former, now, topic [16]byte) bool {
	return topic == now || slices.ContainsFunc(all, func(f Former) bool { return f.SameOffsets && f.TopicID == topic })
}

// WithFormer returns a Keyer that knows former topics, too.
func (k Keyer) WithFormer(all []Former) Keyer {
	k.former = all
	return k
}

// Former returns the keys that a delivery had in the former topics, in their order; nil where there are none.
func (k Keyer) Former(s Subject) []Key {
	if len(k.former) == 0 {
		return nil
	}
	keys := make([]Key, len(k.former))
	for i, f := range k.former {
		s.TopicID = f.TopicID
		keys[i] = k.Key(s)
	}
	return keys
}

// Fingerprint tells peppers apart, and says nothing else about one that is not guessed: it stands beside what
// was made with it.
func (k Keyer) Fingerprint() [8]byte { return k.fingerprint }

// PepperID is the fingerprint in hex, as watermarks hold and errors name it.
func (k Keyer) PepperID() string { return pepperID(k.fingerprint[:]) }

// pepperID is Keyer.PepperID of a fingerprint that a disposition holds; "" where it holds none.
func pepperID(fingerprint []byte) string { return hex.EncodeToString(fingerprint) }

// keyTool is used again: a MAC that is reset need not digest the pepper once more.
type keyTool struct {
	mac  hash.Hash
	text []byte
}

// NewKeyer returns a Keyer. An empty pepper is allowed.
func NewKeyer(pepper []byte) Keyer {
	pepper = append([]byte(nil), pepper...)
	mac := hmac.New(sha256.New, pepper)
	mac.Write([]byte("fingerprint"))
	return Keyer{
		tools:       &sync.Pool{New: func() any { return &keyTool{mac: hmac.New(sha256.New, pepper)} }},
		fingerprint: [8]byte(mac.Sum(nil)),
	}
}

// Key returns the key of a delivery.
func (k Keyer) Key(s Subject) Key {
	t := k.tools.Get().(*keyTool)
	defer k.tools.Put(t)
	t.mac.Reset()
	b := appendPart(t.text[:0], s.Stage)
	b = appendPart(b, s.TopicID[:])
	b = appendPart(b, s.Tenant)
	b = appendPart(b, s.RawKey)
	b = appendPart(b, s.Identity)
	t.mac.Write(b)
	t.text = t.mac.Sum(b[:0])
	return Key(t.text[:KeySize])
}

// appendPart writes one part behind its length.
func appendPart[T string | []byte](b []byte, part T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// Variant is the key of another content that came under the key k: it gets a claim of its own.
func (k Key) Variant(contentHash [32]byte) Key {
	mac := hmac.New(sha256.New, k[:])
	mac.Write(contentHash[:])
	return Key(mac.Sum(nil)[:KeySize])
}
