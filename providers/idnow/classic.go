package idnow

import "github.com/kycbridge/kycbridge/providers"

// IDnow's classic products (VideoIdent, AutoIdent, eID, eSign) post to the same customers, and may be set up for
// the same address: JSON without a token, one identification at a time, or the list that their API gives. Nothing
// maps them here. What is plainly theirs is told apart from what is broken, and no more of it is read than that takes:
// unlike an event of the Trust Platform it holds a whole person.
const (
	classicObject = "identificationprocess"
	classicList   = "identifications"
	classicEvent  = "identification" // they have no names for events; with the result behind it, this is one
)

// classicResults are the results that the manual and the code of integrators have. A disposition says these alone in
// plain.
var classicResults = []string{
	"SUCCESS", "SUCCESS_DATA_CHANGED", "SUCCESS_DATA_CHANGE", "REVIEW_PENDING", "CHECK_PENDING", "FRAUD_SUSPICION_PENDING",
	"FRAUD_SUSPICION_CONFIRMED", "ABORTED", "CANCELED", "FAILED",
}

// classicTypes are the types of all of them.
func classicTypes() []string {
	all := []string{classicEvent, classicList}
	for _, result := range classicResults {
		all = append(all, classicEvent+"."+result)
	}
	return all
}

// isClassic reports whether a JSON object has one of the two shapes of the classic products.
func isClassic(v *providers.Value) bool {
	return v.At(classicObject).Kind() == providers.Object || v.At(classicList).Kind() == providers.Array
}

// classic is the notice and the problem of a delivery that isClassic; path leads to it.
func classic(v *providers.Value, path string) (*providers.Notice, error) {
	n := &providers.Notice{Type: classicList, Content: providers.Canonical(v, nil), Doc: v}
	field := classicList
	if process := v.At(classicObject); process.Kind() == providers.Object {
		field, n.Type, n.Identity = classicObject, classicType(process), classicIdentity(process)
	}
	return n, &providers.Problem{
		Field: path + field,
		Detail: "found a delivery of IDnow's classic products (VideoIdent, AutoIdent, eID, eSign), want a token of the Trust Platform; " +
			"they are not mapped here: have IDnow send them to a receiver of their own",
		Err: providers.ErrUnmapped,
	}
}

// classicType is made of the result, where that is a code: any other text may be about a person.
func classicType(process *providers.Value) string {
	if result := process.At("result").Text(); providers.IsCode(result) {
		return providers.Word(classicEvent + "." + result)
	}
	return classicEvent
}

// classicIdentity is what a copy that is sent again has in common with the first: there is no id of an event. nil
// without the id of the identification.
func classicIdentity(process *providers.Value) providers.Identity {
	id := process.At("id").ID()
	if id == "" {
		return nil
	}
	return providers.Identity{"classic", id, classicType(process), process.At("reason").Text(), process.At("identificationtime").Text()}
}

// tokenless reads a body without a token, which only an endpoint without a JWT lets in. No event is ever read there.
func tokenless(body []byte) (*providers.Notice, error) {
	if len(body) == 0 {
		return nil, noToken("nothing")
	}
	if doc, err := providers.ReadObject(body); err == nil && isClassic(doc) {
		return classic(doc, "")
	}
	return nil, noToken("a body without a token")
}

// classicKey is the id of a classic identification in the object at path, which keeps its deliveries in one partition.
func classicKey(text []byte, path ...string) string {
	return providers.ScanID(text, append(path, classicObject, "id")...)
}
