package simulate

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/providers"
)

// customersAtOnce is how many customers of a vendor are in the middle of their stories.
const customersAtOnce = 4

// teller tells a vendor's stories, of several customers at once. Each customer has ids of
// its own, and hears its story in order; whose turn it is, is left to chance. How long
// anything takes in a story is in its times alone: here the next part comes with the
// customer's next turn. A round tells every story once. It keeps what is still to be told
// of those customers, no more.
type teller struct {
	stories []providers.Story
	round   []providers.Story  // what of it was not begun yet
	open    [][]providers.Told // what is left for each customer
	random  *rand.Rand
}

// newTeller returns a teller of at least one story. The same seed tells the same.
func newTeller(stories []providers.Story, seed uint64) *teller {
	return &teller{stories: stories, random: rand.New(rand.NewPCG(seed, 0))}
}

// next is what is sent now. The story of a customer who begins ends now: what is sent of
// it later is a little older than that, and never of the future.
func (t *teller) next(now time.Time) providers.Told {
	for len(t.open) < customersAtOnce {
		t.open = append(t.open, t.begin(now))
	}
	whose := t.random.IntN(len(t.open))
	told := t.open[whose][0]
	if t.open[whose] = t.open[whose][1:]; len(t.open[whose]) == 0 {
		t.open = slices.Delete(t.open, whose, whose+1)
	}
	return told
}

// begin is the next story of the round, for a customer who is new.
func (t *teller) begin(now time.Time) []providers.Told {
	if len(t.round) == 0 {
		t.round = slices.Clone(t.stories)
		t.random.Shuffle(len(t.round), func(i, j int) { t.round[i], t.round[j] = t.round[j], t.round[i] })
	}
	story := t.round[0]
	t.round = t.round[1:]
	return story.Tell(t.random.Uint64(), now)
}
