package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// itemAt is what the record at an offset of raw partition 0 claims.
func (w *world) itemAt(offset int64) (item dedupe.Item) {
	w.T.Helper()
	reads := normalize.NewInterpreter([]providers.Provider{vendor(true)}, normalizetest.Validator(w.T), normalize.InterpreterOptions{})
	for _, r := range w.Read(schemas.Raw) {
		if r.Offset == offset {
			reading := normalizetest.Must(reads.Interpret(normalize.RecordOf(r, w.IDs[schemas.Raw])))(w.T)
			item = reading.Item(dedupe.NewKeyer(nil))
		}
	}
	if !item.Identified {
		w.T.Fatalf("nothing is claimed for raw offset %d", offset)
	}
	return item
}

// marked leaves a mark in Redis for what the record at an offset says, as if another one had been published.
func (w *world) marked(offset, owner int64) {
	w.T.Helper()
	item := w.itemAt(offset)
	claim := dedupe.Claim{State: dedupe.Done, Offset: owner, Hash: [dedupe.HashSize]byte(item.Hash[:dedupe.HashSize])}
	normalizetest.Must(w.Store().Exchange(w.Ctx, dedupe.Round{Marks: []dedupe.Mark{{Key: item.Key, Claim: claim}}}))(w.T)
}

// TestKafkaWentBack: Kafka's data were put back to a copy, and Redis kept marks of what came after it. Then a delivery
// that was sent again looks published, and is lost. Filling gaps says so, with the way out, which works.
func TestKafkaWentBack(t *testing.T) {
	for _, c := range []struct {
		name  string
		after func(w *world) // what Redis and the dispositions say, of raw record 1, which is lost
		want  string
	}{
		{"the marks are of more dispositions than there are", func(w *world) {
			_ = w.Redis.Set(w.watermark(), "1000:1:dead")
		}, "marks are written up to disposition 1000, the partition ends at"},
		{"a record past the end was disposed of", func(w *world) {
			_ = w.Redis.Set(w.watermark(), "4:1000:dead")
		}, "raw offset 1000 was disposed of, the partition ends at"},
		{"its copy past the end is marked", func(w *world) { w.marked(1, 1000) }, "a mark says that raw offset 1000 was disposed of, and no disposition does"},
		{"what was at its own offset is marked", func(w *world) { w.marked(1, 1) }, "a mark says that raw offset 1 was disposed of, and no disposition does"},
		{"it was dropped for what was past the end", func(w *world) {
			w.marked(1, 1000)
			topic, id := schemas.DefaultPrefix+schemas.Raw, w.IDs[schemas.Raw]
			key := w.itemAt(1).Key
			d := &kycv1.Disposition{
				Raw: &kycv1.RawPosition{Topic: topic, Offset: 1}, RawTopicId: id[:], Stage: kycv1.Stage_STAGE_NORMALIZE, Kind: kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE,
				DuplicateOf: &kycv1.RawPosition{Topic: topic, Offset: 1000}, DedupeKey: key[:], DecidedAt: timestamppb.Now(),
			}
			w.Write([]record.Outgoing{{Topic: schemas.DispositionTopic, Value: normalizetest.Must(contract.Marshal(d))(w.T)}})
			ends := normalizetest.Must(w.Reader.Ends(w.Ctx, schemas.DispositionTopic))(w.T)
			_ = w.Redis.Set(w.watermark(), fmt.Sprintf("%d:2:dead", ends[0])) // a normaliser of before this was looked for
		}, "a mark says that raw offset 1000 was disposed of, and no disposition does"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.skipped(said{Subject: "s", ID: "b"})
			c.after(w)
			o := w.options("lost", replay.FillGaps)
			o.Wait = time.Millisecond
			_, err := replay.Run(w.Ctx, o)
			if !errors.Is(err, dedupe.ErrWentBack) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "raw partition 0") || !strings.Contains(err.Error(), "kycbridge marks discard") {
				t.Errorf("ended with %v;\nwant ErrWentBack with %q, the partition and the command", err, c.want)
			}
			expect(t, "written", fmt.Sprint(len(w.dispositions("lost"))), "0")
			expect(t, "re-emit", counted(w.replay(w.options("again", replay.ReEmit))), "emitted 2, never_emitted 2, ")

			if err := w.Store().Discard(w.Ctx, normalize.DefaultGroup, w.IDs[schemas.Raw], w.IDs[schemas.DispositionTopic], 0); err != nil {
				t.Fatal(err)
			}
			stop := w.normaliser() // writes the marks of what there is
			defer stop()
			o.Wait = 30 * time.Second
			expect(t, "filled", counted(w.replay(o)), "emitted 1, no_gap 3, ")
			expect(t, "events", w.told(), "b/ lost")
			expect(t, "next", counted(w.replay(w.options("next", replay.FillGaps))), "no_gap 4, ")
		})
	}
}
