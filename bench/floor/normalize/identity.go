package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/google/uuid"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// namespace is the root of all event ids.
var namespace = uuid.MustParse("8f0d2c1e-6b7a-5c3d-9e4f-4b59435f4252")

// identity is what makes two deliveries the same, with the hash of what they say. Two families tell
// one fact under several ids: there it is the fact, and only the payload counts.
func (w *webhook) identity() (id []byte, content [32]byte) {
	var parts []string
	switch name, p := w.name(), &w.payload; {
	case p.updated.str() == "":
	case name == "check.completed" || strings.HasPrefix(name, "check.completed."):
		outcome := p.verdict()
		if !outcome.given {
			outcome.word = strings.TrimPrefix(strings.TrimPrefix(name, "check.completed"), ".")
		}
		parts = []string{"check.completed", p.id.id(), p.updated.s, strings.ToLower(outcome.word)}
	case name == "document.updated" || strings.HasPrefix(name, "document.updated.image_"):
		parts = []string{"document.updated", p.id.id(), p.updated.s}
	}
	if parts == nil {
		return joined("event", w.id.id()), sha256.Sum256(w.said)
	}
	content = sha256.Sum256(w.payload.said)
	return joined(append(parts, hex.EncodeToString(content[:]))...), content
}

// name is the event's type as it is called today.
func (w *webhook) name() string {
	if rest, ok := strings.CutPrefix(w.eventType.str(), "check.complete"); ok && (rest == "" || rest[0] == '.') {
		return "check.completed" + rest
	}
	return w.eventType.str()
}

// seedKey is the record's key; where that holds a digest of whom the webhook is about, with the id itself.
func seedKey(envelope *kycv1.RawEnvelope, key []byte, w *webhook) []byte {
	if about := string(key[len(envelope.GetEndpoint())+len("/"):]); !strings.HasPrefix(about, "sha256:") {
		return key
	}
	return []byte(envelope.GetEndpoint() + "/" + w.payload.id.id())
}

// seed is what the ids of all events of a delivery are made of.
func seed(envelope *kycv1.RawEnvelope, key, id []byte, content [32]byte) []byte {
	return append(appendPart(joined(envelope.GetTenant(), envelope.GetEndpoint(), string(key)), id), content[:]...)
}

// eventID is a UUID of version 5.
func eventID(seed []byte, index int) string {
	return uuid.NewSHA1(namespace, binary.AppendUvarint(seed, uint64(index))).String()
}

// claimKeys makes the keys under which Redis knows deliveries. There is no pepper.
type claimKeys struct {
	mac   hash.Hash
	topic string // id of the raw topic
}

func newClaimKeys(rawTopic [16]byte) claimKeys {
	return claimKeys{mac: hmac.New(sha256.New, nil), topic: string(rawTopic[:])}
}

func (k claimKeys) of(tenant string, key, id []byte) []byte {
	k.mac.Reset()
	k.mac.Write(appendPart(joined("normalize", k.topic, tenant, string(key)), id))
	return k.mac.Sum(nil)[:16]
}

// joined is the parts, each behind its length. It has room for more.
func joined(parts ...string) []byte {
	b := make([]byte, 0, 256)
	for _, part := range parts {
		b = appendPart(b, part)
	}
	return b
}

func appendPart[T string | []byte](b []byte, part T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// pepper is the fingerprint of having none.
var pepper = func() []byte {
	mac := hmac.New(sha256.New, nil)
	mac.Write([]byte("fingerprint"))
	return mac.Sum(nil)[:8]
}()
