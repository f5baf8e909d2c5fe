package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/kycbridge/kycbridge/internal/secret"
)

// Codes of Confluent's API that mean something here.
const (
	subjectMissing  = 40401
	versionMissing  = 40402
	schemaMissing   = 40403
	levelMissing    = 40408
	maxMessageRunes = 300
)

// missing reports whether an error says that a subject, a version of it or a level of its own is not there.
func missing(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && slices.Contains([]int{subjectMissing, versionMissing, schemaMissing, levelMissing}, answer.ErrorCode)
}

// refused reports whether a registry judged a schema and will not have it: for its compatibility, or for itself.
func refused(err error) (incompatible, invalid bool) {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) {
		return false, false
	}
	incompatible = answer.StatusCode == http.StatusConflict
	return incompatible, !incompatible && answer.StatusCode == http.StatusUnprocessableEntity
}

// explain says what could not be done, why, and what to do. Nothing of it is secret. nil stays nil.
func (c *Client) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	where := "registry at " + secret.Address(c.o.URL)
	var answer *sr.ResponseError
	if errors.As(err, &answer) {
		return fmt.Errorf("%s: cannot %s: %s", where, what, c.answered(answer))
	}
	if noAnswerOfARegistry(err) {
		return fmt.Errorf("%s: cannot %s: the answer is not that of a schema registry; %s", where, what, adviceOnAddress)
	}
	return fmt.Errorf("%s: cannot %s: it does not answer (%w): is it running, and is its address right?", where, what, secret.Failure(err, c.o.URL))
}

const adviceOnAddress = "expected Confluent's API: check the address (that of Apicurio ends in /apis/ccompat/v7)"

// noAnswerOfARegistry reports whether something answered, and not in JSON of the kind that was asked for.
func noAnswerOfARegistry(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

// answered tells an answer that is an error.
func (c *Client) answered(a *sr.ResponseError) string {
	switch {
	case a.StatusCode == http.StatusUnauthorized:
		return "it refuses the credentials (401): check user and password, or the token"
	case a.StatusCode == http.StatusForbidden:
		return "it does not allow that (403): the user needs the right to read and write these subjects and their compatibility"
	case a.StatusCode < http.StatusBadRequest:
		return fmt.Sprintf("it sends elsewhere (%d), which is not followed: give the address that it sends to", a.StatusCode)
	case a.ErrorCode == 0 && a.StatusCode < http.StatusInternalServerError && a.StatusCode != http.StatusConflict:
		return fmt.Sprintf("the answer is %d; %s", a.StatusCode, adviceOnAddress)
	}
	return fmt.Sprintf("it answers %d (code %d): %s", a.StatusCode, a.ErrorCode, c.clean(a.Message))
}

// clean makes of a registry's message one line without secrets.
func (c *Client) clean(message string) string {
	for _, held := range []func() string{c.o.Password, c.o.Token} {
		if held != nil && held() != "" {
			message = strings.ReplaceAll(message, held(), secret.Mask)
		}
	}
	text := []rune(strings.Join(strings.FieldsFunc(message, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " "))
	if len(text) > maxMessageRunes {
		text = append(text[:maxMessageRunes], '…')
	}
	if len(text) == 0 {
		return "it gives no reason"
	}
	return string(text)
}
