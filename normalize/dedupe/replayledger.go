package dedupe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// ErrIncomplete: Redis lacks marks of what is committed in a partition, so nothing may be claimed
// there out of turn.
var ErrIncomplete = errors.New("redis: the marks of a partition are not complete")

// replayStore is the part of Store that a ReplayLedger uses.
type replayStore interface {
	Exchange(ctx context.Context, r Round) (Reply, error)
	TakeOver(ctx context.Context, expected, next []Mark) ([]*Claim, error)
	Peek(ctx context.Context, keys []Key) ([]*Claim, error)
}

// ReplayLedgerOptions configures a ReplayLedger. Group and topic ids are those of the stage in whose name it claims;
// they name the stage's watermarks.
type ReplayLedgerOptions struct {
	Group         string
	TopicID       [16]byte // of the topic the stage reads
	DispositionID [16]byte
	Wait          time.Duration // for another record's claim, and for marks on their way; 1 s
	Pepper        string        // as in LedgerOptions
	Former        []Former      // as in LedgerOptions
	// Stage and History, as in LedgerOptions, are only needed with Bounds: what the watermark says is held against
	// the logs. nil: it is believed.
	Stage   kycv1.Stage
	History History
	Bounds  func(ctx context.Context, partition int32) (Bounds, error)
	TTL     time.Duration // as in LedgerOptions
	Now     func() time.Time
	// Kind is the state of its claims; Replaying when 0. A test puts Pending here, as live traffic claims, to
	// prove that it can see a loss.
	Kind State
}

// ReplayLedger decides records out of their turn: the stage has passed them, and copies of them may have been
// decided since. So it does not go by which offset is smaller. Another record's mark is a reason to drop,
// another record's claim is none for anything: its owner may be on its way, or dead. It claims under the
// same keys as the stage, and only while the stage's watermarks say that no mark is missing; it moves
// none of them.
//
// Its claims are of a kind of their own, Replaying: live traffic does not take them for a reason to drop, but
// takes them over when they last too long. So they must be confirmed right before what they are for is
// committed. A claim of an earlier replay yields: whoever asks has taken over its transactional id.
//
// It is not safe for concurrent use.
type ReplayLedger struct {
	store replayStore
	o     ReplayLedgerOptions
	mine  map[Key]Claim // claimed, and not marked yet
	kept  watermark     // as it was read last, for how keys are kept

	believed map[int32]bool // partitions whose watermarks agreed with the logs
	learnt   []*kycv1.Disposition
}

// ReplayItem is one record that a stage has passed.
type ReplayItem struct {
	Item
	Dead bool // its last disposition says that it became a dead letter: its own mark yields
}

// NewReplayLedger returns a ReplayLedger.
func NewReplayLedger(store replayStore, o ReplayLedgerOptions) *ReplayLedger {
	o.Wait, o.Kind = or(o.Wait, time.Second), cmp.Or(o.Kind, Replaying)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &ReplayLedger{store: store, o: o, mine: make(map[Key]Claim), believed: make(map[int32]bool)}
}

// Await returns once the marks of all dispositions before an offset of the partition's disposition topic
// are in Redis, and ErrIncomplete where they do not come. The first time it looks whether Kafka has what they stand for:
// ErrWentBack.
func (l *ReplayLedger) Await(ctx context.Context, p int32, before int64) error {
	for deadline := time.Now().Add(l.o.Wait); ; {
		err := l.look(ctx, p, before)
		if !errors.Is(err, ErrIncomplete) || !time.Now().Before(deadline) {
			return err
		}
		if err := Sleep(ctx, peekEvery); err != nil {
			return err
		}
	}
}

// Learn takes up what an earlier replay of the partition committed. It may have died before it wrote the mark, and
// then its claim looks like one of a replay that never committed. What was learnt is marked before anything is
// claimed.
func (l *ReplayLedger) Learn(ctx context.Context, p int32, d *kycv1.Disposition) error {
	if d.GetStage() != kycv1.Stage_STAGE_REPLAY {
		return nil
	}
	if l.learnt = append(l.learnt, d); len(l.learnt) < repairChunk {
		return nil
	}
	return l.markLearnt(ctx, p)
}

func (l *ReplayLedger) markLearnt(ctx context.Context, p int32) error {
	if len(l.learnt) == 0 {
		return nil
	}
	reply, err := l.store.Exchange(ctx, Round{Reads: []string{l.watermarkKey(p)}})
	if err != nil {
		return err
	}
	o := LedgerOptions{Stage: l.o.Stage, TopicID: l.o.TopicID, TTL: l.o.TTL}
	var round Round
	for _, d := range l.learnt {
		if o.ours(d) {
			round.Marks = o.marks(round.Marks, d, l.o.Now(), leastWatermark(reply.Seen[0]))
		}
	}
	if len(round.Marks) > 0 {
		if _, err := l.store.Exchange(ctx, round); err != nil {
			return err
		}
	}
	l.learnt = l.learnt[:0]
	return nil
}

// look reads a partition's watermarks: each vouches for the marks of its shard.
func (l *ReplayLedger) look(ctx context.Context, p int32, before int64) error {
	reply, err := l.store.Exchange(ctx, Round{Reads: []string{l.watermarkKey(p)}})
	if err != nil {
		return err
	}
	if err := l.believe(ctx, p, reply.Seen[0]); err != nil {
		return err
	}
	return l.complete(p, reply.Seen[0], before)
}

// believe holds a partition's watermarks against the logs, until they have agreed once.
func (l *ReplayLedger) believe(ctx context.Context, p int32, stored []string) error {
	if l.believed[p] {
		return nil
	}
	r := Repair{
		o:         LedgerOptions{Stage: l.o.Stage, TopicID: l.o.TopicID, Former: l.o.Former, History: l.o.History, Bounds: l.o.Bounds},
		partition: p, stored: stored, state: leastWatermark(stored),
	}
	if _, err := r.bounds(ctx); err != nil {
		return err
	}
	l.believed[p] = true
	return nil
}

func (l *ReplayLedger) complete(p int32, stored []string, before int64) error {
	s := leastWatermark(stored)
	if s.pepper != "" && l.o.Pepper != "" && s.pepper != l.o.Pepper {
		return fmt.Errorf("%w: the marks of raw partition %d have its fingerprint %s, the configured one has %s: replay with the pepper of the normaliser", ErrPepper, p, s.pepper, l.o.Pepper)
	}
	if s.next < before {
		return fmt.Errorf("%w: raw partition %d, written up to disposition %d, expected %d: its stage writes them when it starts and with its next record", ErrIncomplete, p, max(s.next, 0), before)
	}
	l.kept = s
	return nil
}

// Claim decides the records of one partition, in offset order. before is as in Await. A record of which
// nobody knows how its claim's owner ends is Undecided.
func (l *ReplayLedger) Claim(ctx context.Context, p int32, before int64, items []ReplayItem) ([]Verdict, error) {
	all := make([]*candidate, 0, len(items))
	verdicts := make([]Verdict, len(items))
	for i, item := range items {
		if !item.Identified {
			verdicts[i] = Verdict{Action: Publish}
			continue
		}
		all = append(all, &candidate{ReplayItem: item, at: i, asked: askedFor(item.Item)})
	}
	if err := l.look(ctx, p, before); err != nil { // tells how keys are kept
		return nil, err
	}
	if err := l.markLearnt(ctx, p); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(l.o.Wait)
	for asking := all; ; {
		if err := l.ask(ctx, p, before, asking); err != nil {
			return nil, err
		}
		// A variant's key is asked for at once, a claim's owner is given time.
		branched := having(asking, Branch)
		if asking = branched; len(branched) > 0 {
			continue
		}
		if asking = having(all, Wait); len(asking) == 0 || !time.Now().Before(deadline) {
			break
		}
		if err := Sleep(ctx, peekEvery); err != nil {
			return nil, err
		}
	}
	for _, c := range all {
		verdicts[c.at] = c.verdict()
	}
	return verdicts, nil
}

func having(all []*candidate, step Step) []*candidate {
	return slices.DeleteFunc(slices.Clone(all), func(c *candidate) bool { return c.step != step })
}

// ask claims in one round: the later of two copies meets the claim of the earlier one.
func (l *ReplayLedger) ask(ctx context.Context, p int32, before int64, all []*candidate) error {
	kept := l.kept.generation
	round := Round{Reads: []string{l.watermarkKey(p)}}
	for _, c := range all {
		round.Claims = append(round.Claims, l.mark(c))
		for _, k := range c.former {
			round.Looks = append(round.Looks, l.kept.keep(k))
		}
	}
	reply, err := l.store.Exchange(ctx, round)
	if err != nil {
		return err
	}
	if err := l.complete(p, reply.Seen[0], before); err != nil {
		return err
	}
	if l.kept.generation != kept {
		return fmt.Errorf("%w: raw partition %d, whose marks were discarded meanwhile", ErrIncomplete, p)
	}
	for i, c := range all {
		if c.found = reply.Found[i]; c.found == nil || *c.found == l.claim(c) { // perhaps of an earlier attempt
			l.mine[c.key] = l.claim(c)
		}
	}
	var dead []*candidate
	for _, c := range all {
		if c.found != nil && c.found.State == Replaying && !l.ours(c.key, *c.found) {
			dead = append(dead, c)
		}
	}
	if err := l.inherit(ctx, dead); err != nil {
		return err
	}
	for _, c := range all {
		looked := reply.Looked[:len(c.former)]
		reply.Looked = reply.Looked[len(c.former):]
		if l.formerly(c, looked) {
			continue
		}
		c.step = decideReplayed(l.claim(c), c.Dead, c.found, c.found != nil && l.ours(c.key, *c.found))
		switch {
		case c.step == Branch && c.branched:
			return fmt.Errorf("redis: the claim at variant key %s carries another content", c.key)
		case c.step == Branch:
			c.branch(c.Hash)
		}
	}
	return nil
}

// formerly decides a candidate by what former topics say of it; false where they say nothing.
func (l *ReplayLedger) formerly(c *candidate, looked []*Claim) bool {
	for i, found := range looked {
		switch {
		case found == nil || found.State != Done || found.Hash != c.claim().Hash && c.branched:
		case found.Hash == c.claim().Hash:
			c.step, c.found, c.key, c.topic = Drop, found, c.former[i], &l.o.Former[i].TopicID
			return true
		default:
			c.step = Branch
			c.branch(c.Hash)
			return true
		}
	}
	return false
}

// inherit takes over the claims of an earlier replay of the partition: it is fenced, and does not commit any
// more. What it says about other content stays.
func (l *ReplayLedger) inherit(ctx context.Context, dead []*candidate) error {
	dead = slices.DeleteFunc(dead, func(c *candidate) bool { return c.found.Hash != l.claim(c).Hash })
	if len(dead) == 0 {
		return nil
	}
	expected, next := make([]Mark, len(dead)), make([]Mark, len(dead))
	for i, c := range dead {
		expected[i], next[i] = Mark{Key: l.kept.keep(c.key), Claim: *c.found}, l.mark(c)
	}
	found, err := l.store.TakeOver(ctx, expected, next)
	if err != nil {
		return err
	}
	for i, c := range dead {
		// The first of two copies has it by now; the other finds that.
		if own := l.claim(c); found[i] != nil && *found[i] == expected[i].Claim {
			c.found = &own
		} else {
			c.found = found[i]
		}
		if c.found != nil && *c.found == l.claim(c) {
			l.mine[c.key] = l.claim(c)
		}
	}
	return nil
}

// Confirm reads the claims of records that are about to be committed once more. One that live traffic has
// taken over is Undecided: it stays out of the transaction. What is taken over behind this look goes out
// flagged, as unconfirmed.
func (l *ReplayLedger) Confirm(ctx context.Context, items []ReplayItem, verdicts []Verdict) error {
	var keys []Key
	var at []int
	for i, v := range verdicts {
		if v.Action == Publish && v.Keyed {
			keys, at = append(keys, l.kept.keep(v.Key)), append(at, i)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := l.store.Peek(ctx, keys)
	if err != nil {
		return err
	}
	for n, i := range at {
		own := items[i].claim()
		switch f := found[n]; {
		case f != nil && f.owns(own) && (f.State == l.o.Kind || f.State != Replaying && verdicts[i].Step == Retry):
			// ours, or this record's own claim or mark, which was found to yield
		case f == nil:
			verdicts[i].Action, verdicts[i].Owner = Undecided, Claim{}
		default:
			verdicts[i].Action, verdicts[i].Owner = Undecided, *f
		}
	}
	return nil
}

func (l *ReplayLedger) ours(k Key, found Claim) bool {
	held, ok := l.mine[k]
	return ok && held == found
}

// claim is what a candidate claims with.
func (l *ReplayLedger) claim(c *candidate) Claim {
	own := c.Item.claim()
	own.State = l.o.Kind
	return own
}

func (l *ReplayLedger) mark(c *candidate) Mark {
	return Mark{Key: l.kept.keep(c.key), Claim: l.claim(c)}
}

// decideReplayed is Decide for a record that is decided out of turn. ours: what was found is a claim of the
// same run, which commits both or neither.
func decideReplayed(own Claim, dead bool, found *Claim, ours bool) Step {
	switch {
	case found == nil:
		return Emit
	case found.Hash != own.Hash:
		return Branch
	case found.State == Done && found.owns(own) && dead:
		return Retry
	case found.State == Done && found.owns(own):
		return Skip
	case found.State == Done:
		return Drop
	case found.owns(own):
		return Retry
	case ours:
		return Drop
	default:
		return Wait
	}
}

// candidate is one identified record on its way to a verdict.
type candidate struct {
	ReplayItem
	asked
	at    int
	step  Step
	found *Claim
	topic *[16]byte // that found is of, where that is a former one
}

func (c *candidate) verdict() Verdict {
	v := Verdict{Action: Publish, Step: c.step, Keyed: true, Key: c.key}
	switch c.step {
	case Wait:
		v.Action, v.Owner = Undecided, *c.found
	case Skip:
		v.Action = Nothing
	case Drop:
		v.Action, v.Owner, v.Former = Duplicate, *c.found, c.topic
	default:
		if c.branched {
			v.Flag = Conflict
		}
	}
	return v
}

// Done writes the marks of records that are committed. It may be repeated after an error.
func (l *ReplayLedger) Done(ctx context.Context, items []ReplayItem, verdicts []Verdict) error {
	var round Round
	for i, v := range verdicts {
		if v.Action == Publish && v.Keyed {
			round.Marks = append(round.Marks, Mark{Key: l.kept.keep(v.Key), Claim: items[i].claim().Done()})
		}
	}
	if len(round.Marks) == 0 {
		return nil
	}
	if _, err := l.store.Exchange(ctx, round); err != nil {
		return err
	}
	clear(l.mine)
	return nil
}

func (l *ReplayLedger) watermarkKey(p int32) string {
	return watermarkKey(l.o.Group, l.o.TopicID, l.o.DispositionID, p)
}
