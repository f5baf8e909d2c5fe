// Package idenfy maps the webhooks of iDenfy. README.md has the facts, their
// sources and what is uncertain; testdata shows every case.
//
// It asks no API, and it takes no decision from the header that names the event
// type, since the signature does not cover it.
package idenfy

import (
	"crypto"
	"embed"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

//go:embed testdata
var testdata embed.FS

//go:embed stories
var stories embed.FS

// typeHeader names the event type. It is outside the signed bytes: it labels and
// routes, and decides nothing.
const typeHeader = "Idenfy-Event-Type"

// Provider is iDenfy.
var Provider = providers.Provider{
	Name:          "idenfy",
	Title:         "iDenfy",
	MapperVersion: "idenfy/2",
	Scheme:        auth.HMAC{Header: "Idenfy-Signature", Hash: crypto.SHA256},
	Proofs:        []auth.Scheme{auth.Header{}}, // static headers of a notification
	Ack:           providers.Ack{Limit: 10 * time.Second, RetryFor: 1500 * time.Millisecond},
	Limits:        providers.Limits{Events: 2*maxBeneficiaries + 32, Output: 4 << 20, Estimate: estimate},
	KeepHeaders:   []string{typeHeader},
	Key:           key,
	Parse:         parse,
	Verdicts:      verdicts,
	Spellings:     spellings,
	Vary:          vary,
	Testdata:      testdata,
	Stories:       stories,
	Maps: map[string]providers.MapFunc{
		legacy:         identification(saysNothing),
		autoFinished:   identification(saysNothing),
		manualFinished: identification(saysNothing),
		resubmitted:    identification(saysResubmitted),
		cancelled:      identification(saysCancelled),
		expired:        identification(saysExpired),

		documentExpiration: documentExpires,
		facialAuth:         faceAuthenticated,
		ageEstimation:      ageEstimated,
		accountCheck:       accountChecked,
		videoCall:          videoCalled,
		bankVerification:   bankVerified,
		bankCard:           bankCardVerified,

		amlMonitoring:           monitored,
		amlMonitoringExpiration: monitoringExpires,

		companySubmit:      companySubmitted,
		companyReview:      companyReviewed,
		companyAmlReview:   amlReviewed,
		companyExpiration:  companyExpires,
		companyInfoRequest: infoRequested,
		companyDelete:      companyDeleted,
		govDocument:        govDocumentOrdered,
		sosReport:          sosReported,
	},
}

// The event types, as the vendor spells them.
const (
	legacy                  = "IDENTIFICATION"
	autoFinished            = "IDENTIFICATION_AUTO_FINISHED"
	manualFinished          = "IDENTIFICATION_MANUAL_FINISHED"
	resubmitted             = "IDENTIFICATION_RESUBMITTED"
	cancelled               = "IDENTIFICATION_CANCELLED"
	expired                 = "IDENTIFICATION_EXPIRED"
	documentExpiration      = "DOCUMENT_EXPIRATION"
	facialAuth              = "FACIAL_AUTHENTICATION"
	ageEstimation           = "AGE_ESTIMATION"
	accountCheck            = "ACCOUNT_CHECK"
	videoCall               = "VIDEO_CALL_FINISHED"
	bankVerification        = "BANK_VERIFICATION"
	bankCard                = "BANK_CARD_VERIFICATION_COMPLETED"
	amlMonitoring           = "AML_MONITORING"
	amlMonitoringExpiration = "AML_MONITORING_EXPIRATION"
	companySubmit           = "COMPANY_SUBMIT"
	companyReview           = "COMPANY_REVIEW"
	companyAmlReview        = "COMPANY_AML_REVIEW"
	companyExpiration       = "COMPANY_EXPIRATION"
	companyInfoRequest      = "COMPANY_INFO_REQUEST"
	companyDelete           = "COMPANY_DELETE"
	govDocument             = "GOV_ORDERED_DOCUMENT"
	sosReport               = "SOS_REPORT"
)

// verdicts are where verdicts stand as words. Those that are booleans (phone,
// e-mail, licence, gdcMatch) cannot hold a word that is new to us.
var verdicts = append(registryVerdicts(),
	"status", "status.overall", "status.autoFace", "status.manualFace", "status.autoDocument", "status.manualDocument",
	"status.additionalSteps", "status.amlResultClass", "status.pepsStatus", "status.sanctionsStatus", "status.adverseMediaStatus",
	"AML.status.overallStatus", "aml.status.overallStatus", "LID.status.overallStatus", "lid.status.overallStatus", "CRIMINAL_CHECK.status.overallStatus", "results.status.overallStatus",
	"amlCheck.overallStatus", "aml_check.overallStatus", "bankCardVerification.status",
	"addressVerification.status", "data.addressVerification.status",
	"companyCheck.status.overallStatus", "negativeNewsCheck.status.overallStatus",
	"beneficiaries.beneficiaryCheck.status.overallStatus", "beneficiaries.negativeNewsCheck.status.overallStatus",
	"alertStatus", "alert_status", "pepsStatus", "sanctionsStatus", "adverseMediaStatus", "outcome",
	"approvalStatus", "overallStatus", "pepsCheckStatus", "sanctionsCheckStatus", "negativeNewsStatus",
	"beneficiaries.pepsCheckStatus", "beneficiaries.sanctionsCheckStatus", "beneficiaries.negativeNewsStatus",
	"beneficiaries.amlCheck.overallStatus", "beneficiaries.aml_check.overallStatus", "beneficiaries.companyCheck.status.overallStatus",
	"beneficiaryCheck.status.overallStatus",
)

func registryVerdicts() (paths []string) {
	for _, name := range strings.Fields(registryStatuses) {
		paths = append(paths, "registryCenterCheck."+name, "data.registryCenterCheck."+name)
	}
	return paths
}
