package idenfy

import (
	"iter"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// A service result is an item of AML[], LID[], CRIMINAL_CHECK[] and results[].

// items are the results of a service list; older deliveries hold one object.
func items(v *providers.Value) iter.Seq[*providers.Value] {
	if v.Kind() == providers.Object {
		return func(yield func(*providers.Value) bool) { yield(v) }
	}
	return v.Items()
}

// service reads one result. A suspicion is for a human to judge. Only the word
// NOT_SUSPECTED is a pass, of a check that says to have been made, to have worked and to
// suspect nothing. (What serviceFound means the vendor does not say; nothing depends on
// it.)
func (r *run) service(item *providers.Value) (kycv1.CheckResult, string) {
	status := item.At("status")
	suspected, worked, used := status.At("serviceSuspected"), status.At("checkSuccessful"), status.At("serviceUsed")
	result, overall := say(r, "service_result", suspicions, status.At("overallStatus"))
	switch {
	case result == review || suspected.True():
		return review, overall.Text
	case result == unsaid && overall.Given, !isFalse(suspected):
		return unsaid, overall.Text
	case result == technical || isFalse(worked):
		return technical, overall.Text
	case !worked.True():
		return unsaid, overall.Text
	case result == notPerformed || isFalse(used):
		return notPerformed, overall.Text
	case !used.True():
		return unsaid, overall.Text
	}
	return result, overall.Text
}

func isFalse(v *providers.Value) bool { return v.Kind() == providers.Bool && !v.True() }

// services is a block of service results: the gravest counts.
func (r *run) services(kind kycv1.CheckKind, name string, list *providers.Value) (block, bool) {
	b, some := block{kind: kind, name: name}, false
	for item := range items(list) {
		result, word := r.service(item)
		if !some || gravity[result] > gravity[b.result] {
			b.result, b.word = result, word
		}
		some = true
	}
	return b, some
}

// raised lets a tag add what a block does not say itself. A block that failed
// stays failed.
func (r *run) raised(b block, to kycv1.CheckResult, tag string) block {
	silent := b.result == unsaid && b.word == ""
	if code, ok := r.tagged(tag); ok && (silent || gravity[to] > gravity[b.result]) {
		b.result, b.word = to, code
	}
	return b
}

func lid(r *run) (block, bool) {
	b, ok := r.services(kycv1.CheckKind_CHECK_KIND_REGISTRY, "LID", first(r.Doc, "LID", "lid"))
	return r.raised(r.raised(b, technical, "LID_FAILED"), review, "LID_SUSPECTION"), ok
}

func criminal(r *run) (block, bool) {
	b, ok := r.services(kycv1.CheckKind_CHECK_KIND_CRIMINAL_RECORD, "CRIMINAL_CHECK", r.Doc.At("CRIMINAL_CHECK"))
	return r.raised(r.raised(b, technical, "CRIMINAL_CHECK_FAILED"), review, "CRIMINAL_SUSPECTED"), ok
}

// registry: the registries of Hungary and Lithuania return data and no result, so
// only a tag tells how the comparison ended; that of the United States says it for
// each field. The codes are the fields that do not match.
func registry(r *run) (block, bool) {
	v := r.placed("registryCenterCheck")
	b := block{kind: kycv1.CheckKind_CHECK_KIND_REGISTRY, name: "registryCenterCheck"}
	says := false
	for name, field := range v.Members() {
		if !strings.HasSuffix(name, "Status") || !providers.TermOf(field).Given {
			continue
		}
		result, w := say(r, "registry_result", registryFields, field)
		if !says || gravity[result] > gravity[b.result] {
			b.result, b.word = result, w.Text
		}
		if says = true; gravity[result] > gravity[passed] && providers.IsCode(name) && len(b.codes) < 1000 {
			b.codes = append(b.codes, name)
		}
	}
	b = r.raised(r.raised(b, technical, "RC_FAILED"), failed, "REGISTRY_CENTER_INFO_MISMATCH")
	return b, v.Given() && (says || b.result != unsaid)
}

// licence: each compared field of a driver licence is a boolean. One page spells
// documentNumberMatch as document_numberMatch; any name with that ending counts. One that is
// false is enough to fail; one that is there and does not say leaves the others without a
// pass.
func licence(r *run) (block, bool) {
	v := r.Doc.At("driverLicenseCheck")
	b := block{kind: kycv1.CheckKind_CHECK_KIND_REGISTRY, name: "driverLicenseCheck"}
	matches, open := 0, 0
	for name, field := range v.Members() {
		switch {
		case !strings.HasSuffix(name, "Match"):
		case field.True():
			matches++
		case !isFalse(field):
			open++
		default:
			b.result, b.word = failed, "false"
			if providers.IsCode(name) && len(b.codes) < 1000 {
				b.codes = append(b.codes, name)
			}
		}
	}
	says := b.result == failed || matches > 0
	if matches > 0 && b.result != failed && open == 0 {
		b.result, b.word = passed, "true"
	}
	b = r.raised(r.raised(b, technical, "DL_FAILED"), failed, "DRIVER_LICENSE_INFO_MISMATCH")
	return b, v.Given() && (says || b.result != unsaid)
}
