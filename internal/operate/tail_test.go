package operate_test

import (
	"context"
	"slices"
	"testing"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// TestTailUntilEnd: every record of every partition, in order, decoded; one that cannot be decoded ends
// nothing.
func TestTailUntilEnd(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	b.Sound()
	broken := operatetest.Checked(7)
	broken.Value = []byte("\xff\xff")
	b.Write(broken, operatetest.Checked(8))
	var offsets []int64
	for r, err := range operate.Tail(t.Context(), servers(b), operate.TailQuery{Topics: []string{schemas.Check}, UntilEnd: true}) {
		if err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, r.Offset)
		event, ok := r.Message.(*kycv1.CheckEvent)
		if (r.Err != nil) != (r.Offset == 1) || ok != (r.Offset != 1) || ok && event.GetVendorResult() != "clear" || string(r.Key) != operatetest.Key {
			t.Errorf("record %d is %v, %v", r.Offset, r.Message, r.Err)
		}
	}
	if !slices.Equal(offsets, []int64{0, 1, 2}) {
		t.Errorf("offsets %v, want 0, 1, 2", offsets)
	}
}

// TestTailEnds: a reader that has enough, and one whose context ends.
func TestTailEnds(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	b.Sound()
	for _, q := range []operate.TailQuery{
		{Topics: []string{schemas.Raw}, UntilEnd: true},
		{Topics: []string{schemas.Raw}, FromStart: true},
	} {
		n := 0
		for _, err := range operate.Tail(t.Context(), servers(b), q) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 2 {
				break
			}
		}
		if n != 2 {
			t.Errorf("%+v: %d records, want 2", q, n)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range operate.Tail(ctx, servers(b), operate.TailQuery{Topics: []string{schemas.Raw}, FromStart: true}) {
		if err != nil {
			t.Errorf("the end of the context is told as %v", err)
		}
		if n++; n == 3 {
			cancel() // there is no fourth: it would wait for ever
		}
	}
	if n != 3 {
		t.Errorf("%d records, want 3", n)
	}
}

// TestTailFollows: without FromStart only what comes after the call.
func TestTailFollows(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	b.Sound()
	// A sequence begins when it is read, so what comes is written until it is seen.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	written := make(chan struct{})
	go func() {
		defer close(written)
		for n := 3; ctx.Err() == nil; n++ {
			b.Write(operatetest.Raw(n))
		}
	}()
	for r, err := range operate.Tail(ctx, servers(b), operate.TailQuery{Topics: []string{schemas.Raw}}) {
		if err != nil || r.Offset < 3 {
			t.Errorf("the first record is %d, %v, want a new one", r.Offset, err)
		}
		break
	}
	cancel()
	<-written
}
