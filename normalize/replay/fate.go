package replay

import (
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// fate is what the dispositions say of one raw record, in 8 bytes, as a replay may be of 10⁷ records and more.
// The rest of it (past.key and the like) few records need, and place tells where it is. From the lowest bit:
//
//	0–1    the last final disposition; 0: there is none
//	2–6    why it is a dead letter; 0 where the reason does not fit
//	7–15   flags
//	16–63  place: the offset of the last disposition, final or HYDRATING
type fate uint64

const (
	fateHydrating fate = 1 << (7 + iota) // handed to the hydrate stage, and nothing final since
	fateLost                             // HYDRATING, and its task was in no topic when tasks were looked for
	fateDone                             // this replay has disposed of it
	fateNamed                            // it holds an id of the selection
	fateKeyed                            // the last final one has a key
	fateTasked                           // the last final one claimed for a task
	fateAgrees                           // the last final one is of a delivery that came when the letter's did
	fateOrphan                           // a duplicate of what nothing was told of before, nor of itself
	fateTold                             // it was published, became a dead letter, or was handed to the hydrate stage, at some time
)

const (
	fateKinds   fate = 3
	fateReasons fate = 31
	fateFlags   fate = 511 << 7
	fateAnew         = fateHydrating | fateLost | fateKeyed | fateTasked | fateAgrees | fateOrphan // what a final disposition says anew

	reasonAt = 2
	placeAt  = 16
)

func (f fate) kind() kycv1.DispositionKind { return kycv1.DispositionKind(f & fateKinds) }

func (f fate) reason() kycv1.DeadLetterReason {
	return kycv1.DeadLetterReason(f >> reasonAt & fateReasons)
}

func (f fate) is(flag fate) bool { return f&flag != 0 }

func (f fate) place() int64 { return int64(f >> placeAt) }

// handed is the fate of a record that is handed to the hydrate stage by the disposition at a place.
func (f fate) handed(place int64) fate {
	return f&^fateLost&(1<<placeAt-1) | fateHydrating | fateTold | fate(place)<<placeAt
}

// disposed is the fate of a record whose final disposition is at a place.
func (f fate) disposed(d *kycv1.Disposition, place int64) fate {
	f = f & fateFlags &^ fateAnew
	f |= fate(d.GetKind())&fateKinds | fate(place)<<placeAt
	if reason := fate(d.GetReason()); reason <= fateReasons {
		f |= reason << reasonAt
	}
	if len(d.GetDedupeKey()) == dedupe.KeySize {
		f |= fateKeyed
	}
	if d.GetClaimed() != nil {
		f |= fateTasked
	}
	if d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE {
		f |= fateTold
	}
	return f
}

// past is a fate spread out, with what only the disposition at its place says, for records that are worked on.
type past struct {
	last      kycv1.DispositionKind // the last final one; UNSPECIFIED: there is none
	reason    kycv1.DeadLetterReason
	keyed     bool
	tasked    bool
	hydrating bool
	lost      bool
	done      bool
	named     bool
	agrees    bool
	orphan    bool

	claimed int64 // offset of the task that the last final one claimed for; -1: the record itself
	key     dedupe.Key
	flag    dedupe.Flag // of the last final one's events
	label   string      // of the replay that handed it over; "" for none
}

func (f fate) past() past {
	return past{
		last: f.kind(), reason: f.reason(), keyed: f.is(fateKeyed), tasked: f.is(fateTasked), hydrating: f.is(fateHydrating), lost: f.is(fateLost),
		done: f.is(fateDone), named: f.is(fateNamed), agrees: f.is(fateAgrees), orphan: f.is(fateOrphan), claimed: -1,
	}
}

// add takes up what the disposition at the fate's place says.
func (p *past) add(d *kycv1.Disposition) {
	if p.hydrating {
		p.label = d.GetReplayId()
		return
	}
	if p.tasked {
		p.claimed = d.GetClaimed().GetOffset()
	}
	if p.keyed {
		p.key = dedupe.Key(d.GetDedupeKey())
	}
	p.flag = dedupe.Flag(d.GetDedupeFlag())
}
