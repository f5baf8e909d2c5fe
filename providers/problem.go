package providers

import (
	"errors"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Why a delivery gives no event. Each is one reason of a dead letter.
var (
	// ErrMalformed: cannot be read as the vendor's format.
	ErrMalformed = errors.New("malformed")
	// ErrRejectedContent: readable so far, but over a limit of ours.
	ErrRejectedContent = errors.New("rejected content")
	// ErrUnmapped: an event type we do not know.
	ErrUnmapped = errors.New("unmapped event type")
	// ErrMismatch: contradicts itself or its endpoint.
	ErrMismatch = errors.New("mismatch")
	// ErrInvalid: lacks something that its event needs.
	ErrInvalid = errors.New("invalid")
	// ErrHydrationFailed: says nothing without the vendor's object, which could
	// not be had.
	ErrHydrationFailed = errors.New("hydration failed")
)

// Problem is what is wrong with a delivery. It never quotes the delivery: only
// names of fields that the mapping knows, and words that the vendor documents.
type Problem struct {
	Field  string // path in the delivery; "" where no single field is at fault
	Detail string // what was found and what was expected
	Err    error  // one of the errors above
}

func (p *Problem) Error() string {
	s := p.Err.Error()
	if p.Field != "" {
		s += ": " + p.Field
	}
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	return s
}

func (p *Problem) Unwrap() error { return p.Err }

// LacksID is a delivery without an id that its event needs, or with one that is none.
func LacksID(field string) error {
	return &Problem{Field: field, Detail: "want a string of 1 to 256 characters (128 for the event's own id)", Err: ErrInvalid}
}

// Contradicts is a delivery that says one thing in field and another elsewhere.
// detail holds the vendor's documented words only.
func Contradicts(field, detail string) error {
	return &Problem{Field: field, Detail: "contradiction: " + detail, Err: ErrMismatch}
}

// Reason is the dead-letter reason of an error that Parse or Map returned, and
// CRASHER for any other, which only a panic or a bug can be.
func Reason(err error) kycv1.DeadLetterReason {
	for _, r := range []struct {
		err    error
		reason kycv1.DeadLetterReason
	}{
		{ErrMalformed, kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED},
		{ErrRejectedContent, kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT},
		{ErrUnmapped, kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED},
		{ErrMismatch, kycv1.DeadLetterReason_DEAD_LETTER_REASON_MISMATCH},
		{ErrInvalid, kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID},
		{ErrHydrationFailed, kycv1.DeadLetterReason_DEAD_LETTER_REASON_HYDRATION_FAILED},
	} {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER
}
