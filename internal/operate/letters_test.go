package operate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
)

// TestDeadLetters: all, one by an id, and an id that none has.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	b.Write(operatetest.Buried(0), operatetest.Buried(1), operatetest.Buried(2))
	for _, c := range []struct {
		q    audit.LetterQuery
		most int
		want int
		err  string
	}{
		{audit.LetterQuery{}, 9, 3, ""},
		{audit.LetterQuery{}, 1, 1, ""}, // the reader has enough
		{audit.LetterQuery{IDs: []string{"1@1"}}, 9, 1, ""},
		{audit.LetterQuery{IDs: []string{operatetest.DeliveryID(2)}}, 9, 1, ""},
		{audit.LetterQuery{IDs: []string{"1@1", "1@9"}}, 9, 1, "no dead letter has the id 1@9"},
		{audit.LetterQuery{Vendors: []string{"idenfy"}}, 9, 0, ""},
	} {
		n, last := 0, ""
		for l, err := range operate.DeadLetters(t.Context(), servers(b), c.q) {
			if err != nil {
				last = err.Error()
				continue
			}
			if l.Message.GetDetail() == "" || l.Record.Topic != "kyc.deadletter.v1" {
				t.Errorf("%+v: %+v", c.q, l)
			}
			if n++; n == c.most {
				break
			}
		}
		if n != c.want || !strings.HasPrefix(last, c.err) || (c.err == "") != (last == "") {
			t.Errorf("%+v: %d letters, want %d; %q", c.q, n, c.want, last)
		}
	}
}

func TestReplayLettersOfNone(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	b.Sound()
	q := operate.ReplayQuery{ID: "fix", Begins: func() { t.Error("a replay of nothing begins") }}
	report, err := operate.ReplayLetters(t.Context(), servers(b), audit.LetterQuery{Vendors: []string{"idenfy"}}, q)
	if report != nil || !errors.Is(err, operate.ErrNoLetters) {
		t.Errorf("%+v, %v, want that there are none", report, err)
	}
}
