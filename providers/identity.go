package providers

import (
	"crypto/sha1" // UUIDs of version 5 are made with it
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/google/uuid"
)

// namespace is the fixed root of all event ids. Changing it changes every id.
var namespace = uuid.MustParse("8f0d2c1e-6b7a-5c3d-9e4f-4b59435f4252")

// AccountLevel is what Provider.Key returns for a notice about the whole account.
// No id can be equal to it, since ids hold no control characters.
const AccountLevel = "\x00account"

// Identity is what makes two deliveries the same: parts taken from signed
// material only. Empty means that no two deliveries are the same.
type Identity []string

// Bytes encodes the parts so that different identities have different bytes.
func (id Identity) Bytes() []byte { return id.append(make([]byte, 0, id.size())) }

// size is that of Bytes.
func (id Identity) size() int {
	size := 0
	for _, part := range id {
		size += len(part) + 1
		for n := len(part); n >= 0x80; n >>= 7 {
			size++
		}
	}
	return size
}

func (id Identity) append(b []byte) []byte {
	for _, part := range id {
		b = appendPart(b, part)
	}
	return b
}

// ContentHash is the SHA-256 of Content. It is made once: whoever changes what is
// said sets Content again, and does not write into it.
func (n *Notice) ContentHash() [32]byte {
	if of := n.hashed; len(of) == 0 || len(of) != len(n.Content) || &of[0] != &n.Content[0] {
		n.hash, n.hashed = sha256.Sum256(n.Content), n.Content
	}
	return n.hash
}

// RawKey is the key of the raw record: "<endpoint>/<id>". Where no id can be
// read it is the hex SHA-256 of the body instead, so that copies still meet.
func RawKey(endpoint, id string, body []byte) []byte {
	switch id {
	case AccountLevel:
		return AccountKey(endpoint)
	case "":
		sum := sha256.Sum256(body)
		id = hex.EncodeToString(sum[:])
	}
	return append(AccountKey(endpoint), id...)
}

// AccountKey is the key of an account-level notice: "<endpoint>/".
func AccountKey(endpoint string) []byte { return append([]byte(endpoint), '/') }

// deliverySeed is what the ids of all events of a delivery are made of.
func deliverySeed(tenant, endpoint string, rawKey []byte, id Identity, contentHash [32]byte) []byte {
	lengths := 6 * binary.MaxVarintLen32 // and the index
	b := make([]byte, 0, len(namespace)+len(tenant)+len(endpoint)+len(rawKey)+id.size()+len(contentHash)+lengths)
	b = append(b, namespace[:]...)
	b = appendPart(b, tenant)
	b = appendPart(b, endpoint)
	b = appendPart(b, rawKey)
	b = binary.AppendUvarint(b, uint64(id.size()))
	b = id.append(b)
	return append(b, contentHash[:]...)
}

// eventID is the UUID (version 5) of the event at index in its delivery: uuid.NewSHA1
// without its copies. It depends on what was said and by whom, on nothing that came
// before and on no Kafka coordinates.
func eventID(seed []byte, index int) string {
	sum := sha1.Sum(binary.AppendUvarint(seed, uint64(index)))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 5<<4 // version 5
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id.String()
}

func appendPart[T string | []byte](b []byte, part T) []byte {
	b = binary.AppendUvarint(b, uint64(len(part)))
	return append(b, part...)
}
