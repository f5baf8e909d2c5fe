package idenfy

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// block is one result block of a delivery on its way to a CheckEvent.
type block struct {
	kind   kycv1.CheckKind
	name   string // the vendor's, of the block or field
	result kycv1.CheckResult
	word   string // the vendor's, for the result
	by     kycv1.DecidedBy
	codes  []string
	id     string // the check's own
}

// add turns a block into its event.
func (r *run) addCheck(subject *kycv1.Subject, b block) {
	if b.id != "" {
		subject.CheckId = b.id
	}
	r.Add(&kycv1.CheckEvent{
		Metadata: r.metadata(subject), Kind: b.kind, Result: b.result, DecidedBy: b.by, ReasonCodes: b.codes,
		VendorKind: providers.Word(b.name), VendorResult: r.fallback(b.word),
	})
}

// blocks adds one event for each result block that says something. Blocks that
// carry data without a result (risk scores, answers, estimated ages) give none.
func (r *run) blocks() {
	for _, read := range []func(*run) (block, bool){
		face, document, steps, lid, registry, licence, gdc, address, manualAddress, phone, email, bank, card, criminal,
	} {
		if b, ok := read(r); ok {
			r.addCheck(r.scan(), b)
		}
	}
	r.screening()
}

// decider says whose result of a part counts: a manual one before an automatic one, but
// a reviewer's "not analysed" is none.
func decider(vocabulary results, status *providers.Value, part string) kycv1.DecidedBy {
	if manual := providers.TermOf(status.At("manual" + part)); manual.Given {
		if result, _ := vocabulary.Of(manual.Text); result != notPerformed {
			return kycv1.DecidedBy_DECIDED_BY_HUMAN
		}
	}
	if providers.TermOf(status.At("auto" + part)).Given {
		return kycv1.DecidedBy_DECIDED_BY_SYSTEM
	}
	return kycv1.DecidedBy_DECIDED_BY_UNSPECIFIED
}

func (r *run) part(kind kycv1.CheckKind, vocabulary results, part string) (block, bool) {
	status := r.Doc.At("status")
	b := block{kind: kind, name: "auto" + part, by: decider(vocabulary, status, part)}
	if b.by == kycv1.DecidedBy_DECIDED_BY_HUMAN || !providers.TermOf(status.At(b.name)).Given {
		b.name = "manual" + part
	}
	result, w := say(r, strings.ToLower(part)+"_result", vocabulary, status.At(b.name))
	b.result, b.word = result, w.Text
	return b, w.Given
}

func face(r *run) (block, bool) { return r.part(kycv1.CheckKind_CHECK_KIND_FACE, faces, "Face") }

func document(r *run) (block, bool) {
	return r.part(kycv1.CheckKind_CHECK_KIND_DOCUMENT, documents, "Document")
}

// spoken is a block whose result is one word at a path.
func (r *run) spoken(kind kycv1.CheckKind, name string, vocabulary results, v *providers.Value) (block, bool) {
	result, w := say(r, name, vocabulary, v)
	return block{kind: kind, name: name, result: result, word: w.Text}, w.Given
}

func steps(r *run) (block, bool) {
	return r.spoken(kycv1.CheckKind_CHECK_KIND_OTHER, "additionalSteps", additionalSteps, r.Doc.At("status", "additionalSteps"))
}

func address(r *run) (block, bool) {
	return r.spoken(kycv1.CheckKind_CHECK_KIND_ADDRESS, "addressVerification", addressStatuses, r.placed("addressVerification").At("status"))
}

// placed is a field that the vendor's tables have at the top of the body, and its sample in
// data.
func (r *run) placed(name string) *providers.Value {
	if v := r.Doc.At(name); v.Given() {
		return v
	}
	return r.Doc.At("data", name)
}

func card(r *run) (block, bool) {
	v := r.Doc.At("bankCardVerification")
	b, ok := r.spoken(kycv1.CheckKind_CHECK_KIND_BANK, "bankCardVerification", cardStatuses, v.At("status"))
	b.id, b.codes = v.At("id").ID(), r.code("no_match_reason", v.At("noMatchReason"))
	return b, ok
}

// bank is a risk level: the vendor does not say which of them passes.
func bank(r *run) (block, bool) {
	v := r.Doc.At("bankVerification")
	_, level := say(r, "risk_level", riskLevels, v.At("riskLevel"))
	return block{
		kind: kycv1.CheckKind_CHECK_KIND_BANK, name: "bankVerification", word: level.Text, id: v.At("id").ID(),
	}, level.Given
}

// yesNo is a block whose result is a boolean. What is none has no result.
func yesNo(kind kycv1.CheckKind, name string, v *providers.Value) (block, bool) {
	b := block{kind: kind, name: name, word: v.Scalar()}
	switch {
	case v.True():
		b.result = passed
	case isFalse(v):
		b.result = failed
	}
	return b, v.Given()
}

func gdc(r *run) (block, bool) {
	return yesNo(kycv1.CheckKind_CHECK_KIND_REGISTRY, "gdcMatch", r.Doc.At("gdcMatch"))
}

func phone(r *run) (block, bool) {
	return yesNo(kycv1.CheckKind_CHECK_KIND_PHONE, "phoneVerification", r.Doc.At("phoneVerification", "phoneVerified"))
}

func email(r *run) (block, bool) {
	return yesNo(kycv1.CheckKind_CHECK_KIND_EMAIL, "emailVerification", r.Doc.At("emailVerification", "emailVerified"))
}

// manualAddress: the field is there, and false, also where no address was read.
func manualAddress(r *run) (block, bool) {
	b, ok := yesNo(kycv1.CheckKind_CHECK_KIND_ADDRESS, "manualAddressMatch", r.placed("manualAddressMatch"))
	return b, ok && (b.result != failed || r.placed("manualAddress").Given())
}

// code is a list of one reason code, or of none.
func (r *run) code(kind string, v *providers.Value) []string {
	w := providers.TermOf(v)
	switch {
	case !w.Given:
		return nil
	case !providers.IsCode(w.Text):
		r.Note(kind, "")
		return nil
	}
	return []string{w.Text}
}
