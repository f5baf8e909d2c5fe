package idwise

import (
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

// manualWords are the words of a reviewer.
var manualWords = providers.Enum[kycv1.Decision]{
	"approved": kycv1.Decision_DECISION_APPROVED,
	"rejected": kycv1.Decision_DECISION_DECLINED,
}

// askedAgain is a reviewer's third choice, as the API that takes reviews spells it.
// No webhook and no object shows it.
var askedAgain = providers.Enum[kycv1.Decision]{
	"resubmission requested": kycv1.Decision_DECISION_INCOMPLETE,
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

// word is one of the decisions.
type word struct {
	providers.Term
	decision kycv1.Decision // UNSPECIFIED where it is not given or new to us
}

// strange reports whether the word is new to us.
func (w word) strange() bool { return w.Given && w.decision == kycv1.Decision_DECISION_UNSPECIFIED }

// known is the word, "" where it is new to us.
func (w word) known() string {
	if w.strange() {
		return ""
	}
	return w.Text
}

// words are the three decisions as one source gives them.
type words struct{ system, manual, final word }

// settled reports whether the words say which decision counts.
func (w words) settled() bool { return w.final.Given || w.manual.Given }

// read reads the three decisions and notes what is new to us.
func (r *run) read(system, manual, final *providers.Value) (w words) {
	w.system.decision, w.system.Term = providers.Say(&r.Mapping, "system_decision", systemWords, system)
	w.manual.decision, w.manual.Term = providers.Say(&r.Mapping, "manual_decision", manualWords, manual, askedAgain)
	w.final.decision, w.final.Term = providers.Say(&r.Mapping, "final_decision", finalWords, final, askedAgain)
	return w
}

const undetermined = kycv1.Decision_DECISION_UNDETERMINED

// verdict is the decision that counts.
type verdict struct {
	decision kycv1.Decision // UNDETERMINED where there is none to be read
	by       kycv1.DecidedBy
	word     string // the vendor's
	strange  bool   // one of the words is new to us
}

// decide reads the decisions as one. A delivery that contradicts itself is refused.
// An object that does is no verdict: it must not hide the delivery.
func (r *run) decide() error {
	r.said = r.read(r.body.At("systemDecision"), r.body.At("manualDecision"), r.body.At("finalDecision"))
	if r.said.contradictory() && !r.said.guessed() {
		return providers.Contradicts("body.manualDecision", "body.finalDecision says something else")
	}
	r.counts = r.said.updated(r.read(field(r.object, "system_decision"), field(r.object, "manual_decision"), field(r.object, "final_decision")))
	w := r.counts
	used := w.used()
	r.verdict = verdict{decision: used.decision, word: providers.Word(used.Text), by: w.by()}
	// A reviewer's word stands whatever the system's is.
	r.verdict.strange = w.final.strange() || w.manual.strange() || w.system.strange() && !w.manual.Given
	if w.contradictory() {
		r.Note("contradiction", "")
		r.verdict.strange = true
	}
	if r.verdict.strange || !used.Given {
		r.verdict.decision = undetermined
	}
	return nil
}

// updated are the words of the object where it is a journey's, since it is the later of
// the two. A screening's has a final decision only, which completes what the webhook
// says.
func (w words) updated(object words) words {
	if object.system.Given || object.manual.Given {
		return object
	}
	if !w.settled() {
		w.final = object.final
	}
	return w
}

// used is the final decision. Where it is not given it is what the vendor says it
// would be: the reviewer's word, else the system's.
func (w words) used() word {
	switch {
	case w.final.Given:
		return w.final
	case w.manual.Given:
		return w.manual
	}
	return w.system
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
	return w.final.known() != "" && w.manual.known() != "" && w.manual.decision != w.final.decision
}

// guessed reports whether a word is one that we only infer, for which no delivery is
// refused.
func (w words) guessed() bool {
	_, manual := askedAgain.Of(w.manual.Text)
	_, final := askedAgain.Of(w.final.Text)
	return manual || final
}

// finality: a system decision that refers to a human is not the last word. The
// vendor calls none its last ("the latest decision so far").
func finality(d kycv1.Decision) kycv1.Finality {
	if d == kycv1.Decision_DECISION_REVIEW {
		return kycv1.Finality_FINALITY_PRELIMINARY
	}
	return kycv1.Finality_FINALITY_UNSPECIFIED
}
