package dedupe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxRounds bounds how often one batch asks again because claims moved under it.
const maxRounds = 16

// peekEvery is the pause between two looks at a claim of another partition.
const peekEvery = 20 * time.Millisecond

var errRestless = errors.New("redis: claims keep changing under this batch")

// asked is what Redis is asked for a record.
type asked struct {
	key      Key
	branched bool  // it is the variant's key already
	former   []Key // what key would be in the former topics
}

func askedFor(item Item) asked { return asked{key: item.Key, former: slices.Clone(item.Former)} }

// branch turns to the key of a content of its own.
func (a *asked) branch(hash [32]byte) {
	a.key, a.branched = a.key.Variant(hash), true
	for i := range a.former {
		a.former[i] = a.former[i].Variant(hash)
	}
}

// contender is the first record of one content under one key; the later ones follow its fate.
type contender struct {
	asked
	own     Claim
	hash    [32]byte
	members []int // indices into the batch, offsets ascending

	step        Step
	found       *Claim
	topic       *[16]byte // that found is of, where that is a former one
	unconfirmed bool
}

// group is all contents of a batch under one key in one partition, smallest offset first.
type group struct{ classes []*contender }

// groupItems sorts the records that have an identity into groups, in the order of the batch.
func groupItems(items []Item, settled []Verdict) []*group {
	type place struct {
		key       Key
		partition int32
	}
	at := make(map[place]*group, len(items))
	groups := make([]*group, 0, len(items))
	room := make([]firsts, len(items))
	for i, item := range items {
		if !item.Identified || settled[i].Action != 0 {
			continue
		}
		p := place{item.Key, item.Partition}
		if g := at[p]; g != nil {
			g.add(i, item)
			continue
		}
		at[p] = room[i].begin(i, item)
		groups = append(groups, at[p])
	}
	return groups
}

// firsts is a group of one contender of one record, which most are, in one piece of memory.
type firsts struct {
	group     group
	contender contender
	classes   [1]*contender
	members   [1]int
}

func (f *firsts) begin(i int, item Item) *group {
	f.members[0], f.classes[0] = i, &f.contender
	f.contender = contender{asked: askedFor(item), own: item.claim(), hash: item.Hash, members: f.members[:]}
	f.group.classes = f.classes[:]
	return &f.group
}

func (g *group) add(i int, item Item) {
	for _, c := range g.classes {
		if c.hash == item.Hash {
			c.members = append(c.members, i)
			return
		}
	}
	g.classes = append(g.classes, &contender{asked: askedFor(item), own: item.claim(), hash: item.Hash, members: []int{i}})
}

// resolution carries one batch from its first pipeline to a final step for every contender.
type resolution struct {
	ledger     *Ledger
	asking     []*group
	takingOver []*contender
	waiting    []*contender
	deadline   time.Time
}

// run asks until every contender has its answer. The usual batch takes one pipeline; each further
// one has a reason: a variant's key, a claim taken over, an owner in another partition.
func (r *resolution) run(ctx context.Context, parts []int32) error {
	for range maxRounds {
		if err := r.ask(ctx, parts); err != nil {
			return err
		}
		for len(r.takingOver) > 0 || len(r.waiting) > 0 {
			if err := r.takeOver(ctx); err != nil {
				return err
			}
			if err := r.await(ctx); err != nil {
				return err
			}
		}
		if len(r.asking) == 0 {
			return nil
		}
	}
	return errRestless
}

// ask offers the first contender of each group and places all of them by what was found. The first
// pipeline runs even without claims: it writes the marks of the last batch and reads the watermarks.
func (r *resolution) ask(ctx context.Context, parts []int32) error {
	groups := r.asking
	r.asking = nil
	claims := make([]Mark, len(groups))
	for i, g := range groups {
		claims[i] = r.mark(g.classes[0], g.classes[0].own)
	}
	reply, err := r.ledger.exchange(ctx, Round{Claims: claims, Looks: r.formerly(groups)}, parts)
	if err != nil {
		return err
	}
	for i, g := range groups {
		found := reply.Found[i]
		for _, c := range g.classes {
			looked := reply.Looked[:len(c.former)]
			reply.Looked = reply.Looked[len(c.former):]
			if done, err := r.placeFormer(c, looked); err != nil {
				return err
			} else if done {
				continue
			}
			if err := r.place(c, found); err != nil {
				return err
			}
			if found == nil {
				// What the others of the group meet is the claim just made.
				found = &g.classes[0].own
			}
		}
	}
	return nil
}

// formerly are the keys of a round's contenders in the former topics.
func (r *resolution) formerly(groups []*group) (keys []Key) {
	for _, g := range groups {
		for _, c := range g.classes {
			for _, k := range c.former {
				keys = append(keys, r.ledger.parts[c.own.Partition].state.keep(k))
			}
		}
	}
	return keys
}

// placeFormer places a contender by what former topics say of it. Only what was committed there counts: nobody
// is on the way any more.
func (r *resolution) placeFormer(c *contender, looked []*Claim) (done bool, err error) {
	for i, found := range looked {
		switch {
		case found == nil || found.State != Done:
		case found.Hash == c.own.Hash:
			c.step, c.found, c.key = Drop, found, c.former[i]
			c.topic = &r.ledger.o.Former[i].TopicID
			return true, nil
		case c.branched:
			return true, fmt.Errorf("redis: the mark at variant key %s carries another content", c.former[i])
		default:
			c.branch(c.hash)
			r.again(c)
			return true, nil
		}
	}
	return false, nil
}

// mark is a claim under a contender's key, as its partition keeps keys.
func (r *resolution) mark(c *contender, claim Claim) Mark {
	return Mark{Key: r.ledger.parts[c.own.Partition].state.keep(c.key), Claim: claim}
}

// place puts a contender where its next step is taken.
func (r *resolution) place(c *contender, found *Claim) error {
	c.found, c.step = found, r.ledger.o.Rule(c.own, found)
	if found != nil && found.State == Contested && (c.step == Retry || c.step == TakeOver) {
		c.unconfirmed = true
	}
	switch c.step {
	case Branch:
		if c.branched {
			return fmt.Errorf("redis: the claim at variant key %s carries another content", c.key)
		}
		c.branch(c.hash)
		r.again(c)
	case TakeOver:
		r.takingOver = append(r.takingOver, c)
	case Wait:
		r.waiting = append(r.waiting, c)
	}
	return nil
}

// again lets a contender claim once more, because its key is free now.
func (r *resolution) again(c *contender) {
	r.asking = append(r.asking, &group{classes: []*contender{c}})
}

// takeOver takes over claims of later offsets, and of replays that did not end in time. Where the claim
// changed meanwhile, the rule decides again.
func (r *resolution) takeOver(ctx context.Context) error {
	all := r.takingOver
	r.takingOver = nil
	if len(all) == 0 {
		return nil
	}
	expected, next := make([]Mark, len(all)), make([]Mark, len(all))
	for i, c := range all {
		expected[i], next[i] = r.mark(c, *c.found), r.mark(c, c.over(*c.found))
	}
	found, err := r.ledger.store.TakeOver(ctx, expected, next)
	if err != nil {
		return err
	}
	for i, c := range all {
		switch {
		case found[i] == nil:
			r.again(c)
		case *found[i] != *c.found:
			if err := r.place(c, found[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// over is the claim with which a contender takes another one over. What a replay may have committed stays
// contested, so that a later attempt at the same record knows it too.
func (c *contender) over(found Claim) Claim {
	own := c.own
	if found.State == Replaying || found.State == Contested {
		own.State = Contested
	}
	return own
}

// await gives owners in other partitions, and replays, until the deadline to be committed.
func (r *resolution) await(ctx context.Context) error {
	all := r.waiting
	r.waiting = nil
	if len(all) == 0 {
		return nil
	}
	if r.deadline.IsZero() {
		r.deadline = time.Now().Add(r.ledger.o.Wait)
	}
	if !time.Now().Before(r.deadline) {
		for _, c := range all {
			c.unconfirmed = true
			if c.found.State == Replaying { // it stays out of the replay's transaction, or is found there
				r.takingOver = append(r.takingOver, c)
			}
		}
		return nil
	}
	if err := Sleep(ctx, peekEvery); err != nil {
		return err
	}
	keys := make([]Key, len(all))
	for i, c := range all {
		keys[i] = r.mark(c, c.own).Key
	}
	found, err := r.ledger.store.Peek(ctx, keys)
	if err != nil {
		return err
	}
	for i, c := range all {
		if found[i] == nil {
			r.again(c)
		} else if err := r.place(c, found[i]); err != nil {
			return err
		}
	}
	return nil
}
