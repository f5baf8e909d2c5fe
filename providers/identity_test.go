package providers

import (
	"strings"
	"testing"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Different identities have different bytes, also where their texts run together.
func TestIdentityIsInjective(t *testing.T) {
	ids := []Identity{nil, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"a", "b", ""}, {"\x01a"}, {strings.Repeat("a", 300)}, {strings.Repeat("a", 299), "a"}}
	seen := map[string]Identity{}
	for _, id := range ids {
		if other, ok := seen[string(id.Bytes())]; ok {
			t.Errorf("%q and %q have equal bytes", id, other)
		}
		seen[string(id.Bytes())] = id
	}
	if len(Identity(nil).Bytes()) != 0 {
		t.Error("the empty identity has bytes")
	}
}

func TestRawKey(t *testing.T) {
	const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, tc := range []struct{ id, want string }{
		{"65f0", "live/65f0"},
		{"a/b", "live/a/b"},
		{AccountLevel, "live/"},
		{"", "live/" + emptyHash},
	} {
		if got := string(RawKey("live", tc.id, nil)); got != tc.want {
			t.Errorf("RawKey(%q) is %q, want %q", tc.id, got, tc.want)
		}
	}
	if IDOf(AccountLevel) != "" {
		t.Error("a vendor could send the mark of account-level notices as an id")
	}
}

// The value is written down: consumers store these ids, so they never change.
func TestEventID(t *testing.T) {
	const want = "57e01436-b657-5851-828b-11f91c2dfc00"
	id := func(tenant, endpoint, key, part string, hash byte, index int) string {
		return eventID(deliverySeed(tenant, endpoint, []byte(key), Identity{part}, [32]byte{hash}), index)
	}
	got := id("default", "live", "live/a", "e1", 1, 0)
	if got != want {
		t.Errorf("EventID is %s, want %s: ids of stored events would change", got, want)
	}
	for what, other := range map[string]string{
		"tenant":   id("other", "live", "live/a", "e1", 1, 0),
		"endpoint": id("default", "test", "live/a", "e1", 1, 0),
		"key":      id("default", "live", "live/b", "e1", 1, 0),
		"identity": id("default", "live", "live/a", "e2", 1, 0),
		"content":  id("default", "live", "live/a", "e1", 2, 0),
		"index":    id("default", "live", "live/a", "e1", 1, 1),
		"borders":  id("defaultl", "ive", "live/a", "e1", 1, 0),
	} {
		if other == got {
			t.Errorf("the id does not depend on the %s", what)
		}
	}
}

func TestReason(t *testing.T) {
	for err, want := range map[error]kycv1.DeadLetterReason{
		&Problem{Err: ErrMalformed}:       kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED,
		&Problem{Err: ErrRejectedContent}: kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT,
		&Problem{Err: ErrUnmapped}:        kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED,
		&Problem{Err: ErrMismatch}:        kycv1.DeadLetterReason_DEAD_LETTER_REASON_MISMATCH,
		&Problem{Err: ErrInvalid}:         kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID,
		errFixture:                        kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER,
	} {
		if got := Reason(err); got != want {
			t.Errorf("Reason(%v) is %s, want %s", err, got, want)
		}
	}
	p := &Problem{Field: "payload.id", Detail: "want a string", Err: ErrInvalid}
	if got := p.Error(); got != "invalid: payload.id: want a string" {
		t.Errorf("the text is %q", got)
	}
}
