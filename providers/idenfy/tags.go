package idenfy

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// fraudTags are the documented words of suspicionReasons and fraudTags.
var fraudTags = setOf(strings.Fields(`
	FACE_SUSPECTED FACE_BLACKLISTED DOC_FACE_BLACKLISTED DOC_MOBILE_PHOTO DEV_TOOLS_OPENED DOC_PRINT_SPOOFED FAKE_PHOTO
	AML_SUSPECTION AML_FAILED LID_SUSPECTION LID_FAILED SANCTIONS_SUSPECTION SANCTIONS_FAILED CRIMINAL_SUSPECTED
	CRIMINAL_CHECK_FAILED RC_FAILED DL_FAILED AUTO_UNVERIFIABLE FACE_IN_BLACKLIST DOC_FACE_IN_BLACKLIST DATA_BLACKLISTED
	DATA_IN_BLACKLIST DUPLICATE_FACE DUPLICATE_DOC_FACE DUPLICATE_PERSONAL_DATA VIRTUAL_CAMERA URJANET_FAILURE
	ADDRESS_UNVERIFIED PORTRAIT_SUBSTITUTION UTILITY_ADDRESS_CHECK_FAILURE`))

var mismatchTags = setOf(strings.Fields(`
	NAME SURNAME DOCUMENT_NUMBER PERSONAL_CODE EXPIRY_DATE DATE_OF_BIRTH DATE_OF_ISSUE NATIONALITY SEX FULL_NAME
	DOC_INFO_MISMATCH UNDER_AGE OVER_AGE UNKNOWN_AGE UTILITY_ADDRESS UTILITY_NAME EXPIRED_UTILITY_BILL INVALID_ADDITIONAL_STEP
	ADDITIONAL_STEP_NOT_FOUND ADDITIONAL_STEP_INFORMATION_MISMATCH EXPIRED_ADDITIONAL_STEP_INFORMATION
	REGISTRY_CENTER_INFO_MISMATCH DRIVER_LICENSE_INFO_MISMATCH GDC_NOT_MATCH NOT_SUPPORTED_POA_DOCUMENT_TYPE
	NOT_SUPPORTED_POA_DOCUMENT_COUNTRY POA_COUNTRIES_MISMATCH POA_SCREENSHOT_DETECTED`))

func setOf(words []string) map[string]bool {
	set := make(map[string]bool, len(words))
	for _, word := range words {
		set[word] = true
	}
	return set
}

// tags are the codes of a list. A code that is not in the vocabulary is drift; in a
// list without one, only what is spelled like the vendor's codes is a code.
func (r *run) tags(kind string, vocabulary map[string]bool, list *providers.Value) []string {
	var out []string
	for _, code := range r.Codes(kind, list) {
		switch {
		case vocabulary == nil && !capitals(code):
			r.Note(kind, "")
			continue
		case vocabulary != nil && !vocabulary[strings.ToUpper(code)]:
			r.Note(kind, code)
		}
		out = append(out, code)
	}
	return out
}

// capitals reports whether s is spelled like FACE_MISMATCH.
func capitals(s string) bool {
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// tagged reports whether one of the codes is among the tags of fraud and mismatch.
func (r *run) tagged(codes ...string) (string, bool) {
	for _, name := range []string{"suspicionReasons", "fraudTags", "mismatchTags"} {
		for tag := range r.Doc.At("status", name).Items() {
			for _, code := range codes {
				if strings.EqualFold(tag.Text(), code) {
					return code, true
				}
			}
		}
	}
	return "", false
}
