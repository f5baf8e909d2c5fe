package providers

import (
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
func (id Identity) Bytes() []byte {
	size := 0
	for _, part := range id {
		size += binary.MaxVarintLen16 + len(part) // no part is so long that it would be too little
	}
	b := make([]byte, 0, size)
	for _, part := range id {
		b = appendPart(b, part)
	}
	return b
}

// ContentHash is the SHA-256 of Content.
func (n *Notice) ContentHash() [32]byte { return sha256.Sum256(n.Content) }

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

// EventID is the UUID (version 5) of the event at index in its delivery. It
// depends on what was said and by whom, on nothing that came before and on no
// Kafka coordinates.
func EventID(tenant, endpoint string, rawKey []byte, id Identity, contentHash [32]byte, index int) string {
	b := make([]byte, 0, 256)
	b = appendPart(b, tenant)
	b = appendPart(b, endpoint)
	b = appendPart(b, rawKey)
	b = appendPart(b, id.Bytes())
	b = append(b, contentHash[:]...)
	b = binary.AppendUvarint(b, uint64(index))
	return uuid.NewSHA1(namespace, b).String()
}

func appendPart[T string | []byte](b []byte, part T) []byte {
	b = binary.AppendUvarint(b, uint64(len(part)))
	return append(b, part...)
}
