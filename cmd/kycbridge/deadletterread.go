package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// maxLetters bounds how many letters one command replays, and maxLetterBytes what it holds of those whose raw
// deliveries are gone.
const (
	maxLetters     = 1_000_000
	maxLetterBytes = 256 << 20
)

func newLetterReplay(env *environment) *cobra.Command {
	var f letterFlags
	var r replayFlags
	c := &cobra.Command{
		Use:   "replay [ID…]",
		Short: "Take the deliveries of dead letters through the current mappings",
		Long: `Take exactly the raw deliveries that the chosen dead letters came from through the
current mappings, as ` + "`kycbridge replay --mode fill-gaps`" + ` does: what gives events now is
published, labelled, once; what was published since is left alone, and so is what is
still a dead letter for the same reason. --all takes every letter.

Letters are kept longer than raw deliveries. Where the raw delivery is gone, the letter's own
copy is taken, unless it needs a vendor's API.

` + idsHelp,
		Example: `  kycbridge deadletter replay --reason unmapped --vendor idenfy --dry-run -c kycbridge.yaml
  kycbridge deadletter replay 3@17 3@21 -c kycbridge.yaml`,
		RunE: func(c *cobra.Command, args []string) error { return replayLetters(c.Context(), env, f, r, args) },
	}
	r.bind(c)
	f.bindFilters(c)
	c.Flags().BoolVar(&r.all, "all", false, "every dead letter there is")
	return c
}

func replayLetters(ctx context.Context, env *environment, f letterFlags, r replayFlags, ids []string) error {
	narrowed := len(ids)+len(f.reasons)+len(f.vendors)+len(f.endpoints) > 0 || f.since != "" || f.until != ""
	if narrowed == r.all {
		return usagef("say which dead letters: ids, --reason, --vendor, --endpoint, --since, --until, or --all")
	}
	r.mode = string(replay.FillGaps)
	if _, err := replayConfig(env, r); err != nil { // before anything is read
		return err
	}
	f.kafkaFlags = r.kafkaFlags
	at, n := map[int32][]int64{}, 0
	kept, err := outliving(ctx, env, f)
	if err != nil {
		return err
	}
	err = readLetters(ctx, env, f, ids, func(l audit.Letter) error {
		if n++; n > maxLetters {
			return fmt.Errorf("more than %d dead letters: name a reason, a vendor or a shorter time", maxLetters)
		}
		raw := l.Message.GetRaw()
		at[raw.GetPartition()] = append(at[raw.GetPartition()], raw.GetOffset())
		r.selection.Crashers = r.selection.Crashers || len(ids) > 0
		return kept.add(l)
	})
	if err != nil {
		return err
	}
	if n == 0 {
		fmt.Fprintln(env.stdout, "no dead letters are chosen; nothing is to be done")
		return nil
	}
	r.selection.Ranges, r.letters = rangesOf(at), kept.letters
	r.selection.Crashers = r.selection.Crashers || len(f.reasons) == 1 && strings.EqualFold(f.reasons[0], "crasher")
	r.resume = r.lettersAgain(f, ids, time.Now())
	return runReplay(ctx, env, r)
}

// outlived keeps the letters whose raw records are gone: they are all there is of them.
type outlived struct {
	starts  map[int32]int64
	letters map[int32][]replay.Letter
	bytes   int
}

func outliving(ctx context.Context, env *environment, f letterFlags) (*outlived, error) {
	o, err := f.kafka(env, "deadletter")
	if err != nil {
		return nil, err
	}
	reader, err := openTopics(ctx, o)
	if err != nil {
		return nil, readTrouble(o, err)
	}
	defer reader.Close()
	starts, err := reader.Starts(ctx, schemas.Raw)
	if err != nil {
		return nil, readTrouble(o, err)
	}
	return &outlived{starts: starts, letters: map[int32][]replay.Letter{}}, nil
}

// add keeps a letter, if it is needed. One whose body did not fit into it is of no use.
func (o *outlived) add(l audit.Letter) error {
	raw, envelope := l.Message.GetRaw(), l.Message.GetEnvelope()
	if raw.GetOffset() >= o.starts[raw.GetPartition()] || len(envelope.GetBody()) == 0 {
		return nil
	}
	if o.bytes += len(envelope.GetBody()); o.bytes > maxLetterBytes {
		return fmt.Errorf("the dead letters whose raw deliveries are gone hold more than %d bytes: name a reason, a vendor or a shorter time", maxLetterBytes)
	}
	p := raw.GetPartition()
	o.letters[p] = append(o.letters[p], replay.Letter{Offset: raw.GetOffset(), Key: l.Record.Key, Envelope: envelope})
	return nil
}

// lettersAgain is the same command once more, with absolute times. Letters that were written since are
// chosen as well then; what is done is not done again.
func (f *replayFlags) lettersAgain(l letterFlags, ids []string, now time.Time) string {
	words := []string{"deadletter", "replay"}
	for _, id := range ids {
		words = append(words, shellWord(id))
	}
	for _, p := range []struct {
		flag   string
		values []string
	}{{"--reason", l.reasons}, {"--vendor", l.vendors}, {"--endpoint", l.endpoints}} {
		if len(p.values) > 0 {
			words = append(words, p.flag, shellWord(strings.Join(p.values, ",")))
		}
	}
	for _, p := range []struct{ flag, value string }{{"--since", l.since}, {"--until", l.until}} {
		if at, err := parseWhen(p.flag, p.value, now); err == nil && p.value != "" {
			words = append(words, p.flag, at.UTC().Format(time.RFC3339))
		}
	}
	if f.all {
		words = append(words, "--all")
	}
	return strings.Join(append(words, f.place()...), " ")
}

// readLetters gives the chosen letters to fn.
func readLetters(ctx context.Context, env *environment, f letterFlags, ids []string, fn func(audit.Letter) error) error {
	q, err := f.query(ids)
	if err != nil {
		return err
	}
	o, err := f.kafka(env, "deadletter")
	if err != nil {
		return err
	}
	reads, err := newReads()
	if err != nil {
		return err
	}
	q.Names = func(r audit.Record, m *kycv1.DeadLetter) []string { return vendorNamesOf(reads, r, m) }
	reader, err := openTopics(ctx, o)
	if err != nil {
		return readTrouble(o, err)
	}
	defer reader.Close()
	source, err := reader.source(ctx, schemas.DeadLetterTopic, audit.Start{Offset: -1, Time: q.Since}, nil)
	if err != nil {
		return readTrouble(o, err)
	}
	unknown, err := audit.Letters(ctx, source, q, fn)
	if err == nil && len(unknown) > 0 {
		return fmt.Errorf("no dead letter has the id %s, or the other filters leave it out", strings.Join(unknown, ", "))
	}
	return err
}

// vendorNamesOf is the vendor's own id of the delivery in a letter.
func vendorNamesOf(reads *normalize.Interpreter, r audit.Record, m *kycv1.DeadLetter) []string {
	value, err := contract.Marshal(m.GetEnvelope())
	if err != nil {
		return nil
	}
	if id := reads.Interpret(normalize.RawRecord{Key: r.Key, Value: value}).VendorID; id != "" {
		return []string{id}
	}
	return nil
}

// writeBody writes a body where only the one who asked can read it.
func writeBody(env *environment, path string, body []byte) error {
	if path == "-" {
		if _, err := env.stdout.Write(body); err != nil {
			return fmt.Errorf("cannot print: %w", err)
		}
		return nil
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		return fmt.Errorf("cannot write the body: %w", err)
	}
	fmt.Fprintf(env.stderr, "%d bytes written to %s; it holds personal data\n", len(body), path)
	return nil
}
