package dedupe

import "context"

// DryRunStore is a Store that is only read: what would be written stays in this process. It grows with
// the claims made.
type DryRunStore struct {
	store replayStore
	made  map[Key]Claim
}

// NewDryRunStore returns a DryRunStore without claims of its own.
func NewDryRunStore(store replayStore) *DryRunStore {
	return &DryRunStore{store: store, made: make(map[Key]Claim)}
}

// Exchange answers as the store would, had all earlier rounds been applied.
func (r *DryRunStore) Exchange(ctx context.Context, round Round) (Reply, error) {
	reply, err := r.store.Exchange(ctx, Round{Reads: round.Reads})
	if err != nil {
		return Reply{}, err
	}
	for _, m := range round.Marks {
		r.made[m.Key] = m.Claim
	}
	keys := make([]Key, len(round.Claims))
	for i, c := range round.Claims {
		keys[i] = c.Key
	}
	found, err := r.Peek(ctx, keys)
	if err != nil {
		return Reply{}, err
	}
	for i, c := range round.Claims {
		if made, ok := r.made[c.Key]; ok { // perhaps by an earlier claim of this round
			found[i] = &made
		} else if found[i] == nil {
			r.made[c.Key] = c.Claim
		}
	}
	reply.Found = found
	reply.Looked, err = r.Peek(ctx, round.Looks)
	return reply, err
}

// TakeOver takes claims over in this process alone.
func (r *DryRunStore) TakeOver(ctx context.Context, expected, next []Mark) ([]*Claim, error) {
	keys := make([]Key, len(next))
	for i, m := range next {
		keys[i] = m.Key
	}
	found, err := r.Peek(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, m := range next {
		if made, ok := r.made[m.Key]; ok { // perhaps by an earlier one of these
			found[i] = &made
		}
		if found[i] != nil && *found[i] == expected[i].Claim {
			r.made[m.Key] = m.Claim
		}
	}
	return found, nil
}

// Peek reads claims, those made here first.
func (r *DryRunStore) Peek(ctx context.Context, keys []Key) ([]*Claim, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	found, err := r.store.Peek(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		if made, ok := r.made[key]; ok {
			found[i] = &made
		}
	}
	return found, nil
}
