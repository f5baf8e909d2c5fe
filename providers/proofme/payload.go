package proofme

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// parse reads the webhook and, where the API was asked, what came of it. The
// webhook alone has no identity: each change of an object is told by the same
// bytes, so none may be taken for the copy of another.
func parse(d *providers.Delivery) (*providers.Notice, error) {
	doc, err := readNotice(d.Body)
	if err != nil {
		return nil, err
	}
	id := doc.At("id").ID()
	if !providers.ValidObjectID(id) {
		return nil, &providers.Problem{Field: "id", Detail: "want 1 to 128 of [A-Za-z0-9._-], a letter or digit first and no two dots together", Err: providers.ErrInvalid}
	}
	n := &providers.Notice{MapAs: identification, Content: providers.Canonical(doc, nil), Doc: doc}
	if d.Fetched == nil {
		return n, nil
	}
	n.MapAs = d.Fetched.Kind
	switch d.Fetched.Result {
	case kycv1.FetchResult_FETCH_RESULT_GONE:
		n.Identity = providers.Identity{n.MapAs, id, "gone"}
	case kycv1.FetchResult_FETCH_RESULT_FETCHED:
		o, err := readObject(d.Fetched.Kind, d.Fetched.Body)
		if err != nil {
			return nil, err
		}
		n.Identity, n.Content, n.Doc = o.identity(), o.content(), o.answer
	}
	return n, nil
}

// objectID is the id of the object that changed; "" where the webhook cannot be
// read or holds none that may go into an address. Anything else that somebody
// posts as an id, such as an e-mail address, must not become a key.
func objectID(body []byte) string {
	var id string
	if isJSON(body) {
		id = providers.ScanID(body, "id")
	} else if doc, err := readNotice(body); err == nil {
		id = doc.At("id").ID()
	}
	if !providers.ValidObjectID(id) {
		return ""
	}
	return id
}

// readNotice reads a webhook: a JSON object, or a form, which becomes the object
// of its fields. The content type is not asked, since the vendor's documentation
// contradicts itself there and no form looks like JSON.
func readNotice(body []byte) (*providers.Value, error) {
	if isJSON(body) {
		return providers.ReadObject(body)
	}
	form, err := readForm(string(auth.Bare(body)))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(form)
	if err != nil {
		return nil, malformed("the form cannot be written as JSON")
	}
	return providers.ReadObject(text)
}

// isJSON goes by the first character. An empty body counts as JSON that breaks off.
func isJSON(body []byte) bool {
	body = auth.Bare(body)
	return len(body) == 0 || strings.IndexByte(`{["`, body[0]) >= 0
}

// maxFields bounds a form; the documented one has a single field.
const maxFields = 100

// readForm reads application/x-www-form-urlencoded. As in JSON, the last of
// repeated fields counts. It is stricter than net/url about what is a form at
// all, so that any other text is malformed and not a form without an id.
func readForm(text string) (map[string]string, error) {
	form := map[string]string{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, found := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(rawName)
		value, valueErr := url.QueryUnescape(rawValue)
		if !found || !providers.IsCode(name) || nameErr != nil || valueErr != nil {
			return nil, malformed("neither a JSON object nor a form of name=value pairs")
		}
		if form[name] = value; len(form) > maxFields {
			return nil, &providers.Problem{Detail: "a form of more than 100 fields", Err: providers.ErrRejectedContent}
		}
	}
	return form, nil
}

func malformed(detail string) error {
	return &providers.Problem{Detail: detail, Err: providers.ErrMalformed}
}

// vary changes the ids of a webhook and of an object of the API alike.
func vary(body []byte, n uint64) []byte {
	if isJSON(body) {
		return providers.VaryIDs(body, n, "id", "identification.id", "document.id")
	}
	form, err := readForm(string(auth.Bare(body)))
	if err != nil || form["id"] == "" {
		return bytes.Clone(body)
	}
	fields := url.Values{}
	for name, value := range form {
		fields.Set(name, value)
	}
	text, _ := json.Marshal(map[string]string{"id": form["id"]}) // strings only: no error
	if doc, err := providers.ReadObject(providers.VaryIDs(text, n, "id")); err == nil {
		fields.Set("id", doc.At("id").Text())
	}
	return []byte(fields.Encode())
}
