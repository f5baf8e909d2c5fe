package idwise

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// systemWords are the words of the vendor's processing. Its tables do not have
// "Rejected"; the diagram of its overview does.
var systemWords = providers.Enum[kycv1.Decision]{
	"complete":   kycv1.Decision_DECISION_APPROVED,
	"refer":      kycv1.Decision_DECISION_REVIEW,
	"incomplete": kycv1.Decision_DECISION_INCOMPLETE,
	"rejected":   kycv1.Decision_DECISION_DECLINED,
}

// manualWords are the words of a reviewer. There is a third choice, to ask the
// customer again; its word is not documented, so it is none of ours.
var manualWords = providers.Enum[kycv1.Decision]{
	"approved": kycv1.Decision_DECISION_APPROVED,
	"rejected": kycv1.Decision_DECISION_DECLINED,
}

// finalWords are those of either: the reviewer's if there is one, else the
// system's.
var finalWords = providers.Enum[kycv1.Decision]{
	"complete":   kycv1.Decision_DECISION_APPROVED,
	"refer":      kycv1.Decision_DECISION_REVIEW,
	"incomplete": kycv1.Decision_DECISION_INCOMPLETE,
	"approved":   kycv1.Decision_DECISION_APPROVED,
	"rejected":   kycv1.Decision_DECISION_DECLINED,
}

// words are the three decisions as one source gives them.
type words struct{ system, manual, final providers.Term }

// words are the object's where it is a journey's, since it is the later of the two.
// A screening's has a final decision only, which completes what the webhook says.
func (r *run) words() words {
	object := words{
		wordOf(field(r.object, "system_decision")),
		wordOf(field(r.object, "manual_decision")),
		wordOf(field(r.object, "final_decision")),
	}
	if object.system.Given || object.manual.Given {
		return object
	}
	w := bodyWords(r.body)
	if !w.settled() {
		w.final = object.final
	}
	return w
}

// settled reports whether the words say which decision counts.
func (w words) settled() bool { return w.final.Given || w.manual.Given }

func bodyWords(body *providers.Value) words {
	return words{wordOf(body.At("systemDecision")), wordOf(body.At("manualDecision")), wordOf(body.At("finalDecision"))}
}

const undetermined = kycv1.Decision_DECISION_UNDETERMINED

// verdict is the decision that counts.
type verdict struct {
	decision kycv1.Decision // UNDETERMINED where there is none to be read
	by       kycv1.DecidedBy
	word     string // the vendor's
	strange  bool   // one of the words is new to us
}

// decide reads the three decisions as one. A delivery that contradicts itself is
// refused. An object that does is no verdict: it must not hide the delivery.
func (r *run) decide() error {
	if bodyWords(r.body).contradictory() {
		return providers.Contradicts("body.manualDecision", "body.finalDecision says something else")
	}
	w := r.words()
	used, d := w.used()
	r.verdict = verdict{decision: d, word: providers.Word(used.Text), by: w.by()}
	final := r.isNew("final_decision", w.final, finalWords)
	manual := r.isNew("manual_decision", w.manual, manualWords)
	system := r.isNew("system_decision", w.system, systemWords)
	// A reviewer's word stands whatever the system's is.
	r.verdict.strange = final || manual || system && !w.manual.Given
	if w.contradictory() {
		r.Note("contradiction", "")
		r.verdict.strange = true
	}
	if r.verdict.strange || !used.Given {
		r.verdict.decision = undetermined
	}
	return nil
}

// isNew notes a word that is given and not in the vocabulary.
func (r *run) isNew(kind string, w providers.Term, vocabulary providers.Enum[kycv1.Decision]) bool {
	_, ok := vocabulary.Of(w.Text)
	if w.Given && !ok {
		r.Note(kind, w.Text)
		return true
	}
	return false
}

// used is the final decision. Where it is not given it is what the vendor says it
// would be: the reviewer's word, else the system's.
func (w words) used() (providers.Term, kycv1.Decision) {
	from, vocabulary := w.system, systemWords
	switch {
	case w.final.Given:
		from, vocabulary = w.final, finalWords
	case w.manual.Given:
		from, vocabulary = w.manual, manualWords
	}
	d := vocabulary[strings.ToLower(from.Text)]
	return from, d
}

func (w words) by() kycv1.DecidedBy {
	switch {
	case w.manual.Given:
		return kycv1.DecidedBy_DECIDED_BY_HUMAN
	case w.system.Given && (!w.final.Given || w.final.Is(w.system.Text)):
		return kycv1.DecidedBy_DECIDED_BY_SYSTEM
	}
	return kycv1.DecidedBy_DECIDED_BY_UNSPECIFIED
}

// contradictory reports whether the final decision is another than the reviewer's,
// which it should repeat. Beside the system's it may be another: a reviewer's word
// is sometimes left out.
func (w words) contradictory() bool {
	final, known := finalWords.Of(w.final.Text)
	manual, reviewed := manualWords.Of(w.manual.Text)
	return known && reviewed && manual != final
}

// known is the word if it is one of the vocabulary, else "".
func known(w providers.Term, vocabulary providers.Enum[kycv1.Decision]) string {
	if _, ok := vocabulary.Of(w.Text); ok {
		return w.Text
	}
	return ""
}

// finality: a system decision that refers to a human is not the last word. The
// vendor calls none its last ("the latest decision so far").
func finality(d kycv1.Decision) kycv1.Finality {
	if d == kycv1.Decision_DECISION_REVIEW {
		return kycv1.Finality_FINALITY_PRELIMINARY
	}
	return kycv1.Finality_FINALITY_UNSPECIFIED
}
